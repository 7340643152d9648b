//! Two network namespaces and a cable between them.

use std::sync::atomic::{AtomicU32, Ordering};

use tokio::process::Command;

/// A pair that is removed when this is dropped.
#[derive(Debug)]
pub(crate) struct Namespaces {
    pub(crate) client: String,
    pub(crate) server: String,
}

impl Namespaces {
    pub(crate) async fn new() -> Result<Self, String> {
        static LAST: AtomicU32 = AtomicU32::new(0);
        let number = LAST.fetch_add(1, Ordering::Relaxed);
        let name = |end: &str| format!("bowline-{}-{number}-{end}", std::process::id());
        let pair = Self { client: name("c"), server: name("s") };
        for command in SETUP {
            pair.run(command).await?;
        }
        Ok(pair)
    }

    /// Runs a command in which `$C` and `$S` name the namespaces.
    pub(crate) async fn run(&self, command: &str) -> Result<(), String> {
        let output = shell(command, &self.client, &self.server).output().await;
        let output = output.map_err(|error| format!("sh does not start: {error}"))?;
        if output.status.success() || command.contains("ss -K") {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(format!("{command}: {}", said.trim()))
    }

    /// Why this machine has none, if it has none.
    pub(crate) async fn missing() -> Option<String> {
        for program in ["ip", "nft", "tc", "ss"] {
            if !super::middlebox::is_installed(program) && program != "ss" {
                return Some(format!("{program} is not installed"));
            }
        }
        let pair = Self::new().await;
        pair.err().map(|error| format!("network namespaces do not work here ({error})"))
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        for name in [&self.client, &self.server] {
            // One that was never made is not there.
            let _ = std::process::Command::new("ip")
                .args(["netns", "del", name])
                .stderr(std::process::Stdio::null())
                .status();
        }
    }
}

fn shell(command: &str, client: &str, server: &str) -> Command {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).env("C", client).env("S", server);
    shell.env("PATH", format!("{path}:/usr/sbin:/sbin"));
    shell
}

/// Where the server of a pair listens.
pub(crate) const SERVER: (&str, u16) = ("10.99.0.2", 9130);

const SETUP: [&str; 9] = [
    "ip netns add $C",
    "ip netns add $S",
    "ip link add vc netns $C type veth peer name vs netns $S",
    "ip -n $C addr add 10.99.0.1/24 dev vc",
    "ip -n $S addr add 10.99.0.2/24 dev vs",
    "ip -n $C link set lo up && ip -n $S link set lo up",
    "ip -n $C link set vc up && ip -n $S link set vs up",
    "ip netns exec $S nft 'add table inet f'",
    "ip netns exec $S nft 'add chain inet f in { type filter hook input priority 0; }'",
];
