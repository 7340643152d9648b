//! Two network namespaces and a cable between them.

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::time::timeout;

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
            drop(pair.run(command).await?);
        }
        Ok(pair)
    }

    /// Runs a command in which `$C` and `$S` name the namespaces.
    ///
    /// # Errors
    /// When it fails, with what it said.
    pub(crate) async fn run(&self, command: &str) -> Result<String, String> {
        run(command, &self.client, &self.server).await
    }

    /// Has the kernel kill the server's connections, and says how many there were.
    pub(crate) async fn kill_sockets(&self) -> Result<usize, String> {
        let killed = format!("ip netns exec $S {}", kill_sockets_of(SERVER.1));
        self.run(&killed).await.map(|said| said.lines().count())
    }

    /// Why this machine has none, if it has none.
    pub(crate) async fn missing() -> Option<String> {
        for program in ["ip", "nft", "tc"] {
            if !super::middlebox::is_installed(program) {
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

/// Why the kernel of this machine kills no sockets, if it does not: tried with one of our own.
pub(crate) async fn cannot_kill_sockets() -> Option<String> {
    let tried = async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let (connected, accepted) =
            tokio::join!(TcpStream::connect(("127.0.0.1", port)), listener.accept());
        let (mut connected, _accepted) = (connected?, accepted?);
        let said = run(&kill_sockets_of(port), "", "").await.map_err(io::Error::other)?;
        let read = timeout(Duration::from_secs(2), connected.read_u8()).await;
        match read {
            Ok(_) => Ok(()),
            Err(_) => {
                Err(io::Error::other(format!("it said {:?} and killed nothing", said.trim())))
            }
        }
    };
    let why = tried.await.err()?;
    Some(format!("ss -K does not work here ({why})"))
}

/// Prints the connections that it kills, and nothing else.
fn kill_sockets_of(port: u16) -> String {
    format!("ss -H -K state established '( sport = :{port} )'")
}

async fn run(command: &str, client: &str, server: &str) -> Result<String, String> {
    let output = shell(command, client, server).output().await;
    let output = output.map_err(|error| format!("sh does not start: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{command}: {}", said.trim()))
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
