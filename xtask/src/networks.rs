//! Bad networks and who gets through: `cargo xtask networks`.

use std::path::Path;
use std::process::Command;

use crate::{browsers, run};

/// Runs every scenario with every client, or what the words ask for.
pub(crate) fn run(root: &Path, words: &[String]) -> Result<(), String> {
    let missing: Vec<&str> = MIDDLEBOXES
        .iter()
        .filter(|(program, _)| !is_installed(program))
        .map(|(_, package)| *package)
        .collect();
    if !missing.is_empty() {
        eprintln!("{} are missing: installing them", missing.join(", "));
        let packages = missing.join(" ");
        let apt =
            format!("apt-get update && apt-get install --yes --no-install-recommends {packages}");
        run::install("sh", &["-c", &apt])?;
    }
    browsers::install_chromium()?;
    let (package, modules) = (browsers::package(root)?, browsers::modules(root)?);
    build(root)?;
    let mut networks = program(root);
    networks.arg("--scripts").arg(root.join("interop-tests/netlab/peers"));
    networks.arg("--modules").arg(modules).arg("--package").arg(package).args(words);
    run::status(networks, "networks")
}

/// A few rows through the fault proxy, with the native client alone: under a minute.
pub(crate) fn check(root: &Path) -> Result<(), String> {
    build(root)?;
    let mut networks = program(root);
    networks.arg("--quick");
    run::status(networks, "networks --quick")
}

fn build(root: &Path) -> Result<(), String> {
    let networks = ["--bin", "networks"];
    run::build(root, "networks", &[&["build"][..], &networks].concat())
}

fn program(root: &Path) -> Command {
    let mut networks = Command::new(root.join("target/debug/networks"));
    networks.arg("--configs").arg(root.join("interop-tests/netlab/configs")).current_dir(root);
    networks
}

/// Debian keeps such programs where not every user looks.
fn is_installed(program: &str) -> bool {
    ["/usr/sbin", "/usr/bin", "/sbin", "/bin"]
        .iter()
        .any(|folder| Path::new(folder).join(program).exists())
}

/// Programs and the packages of Debian that have them.
const MIDDLEBOXES: [(&str, &str); 9] = [
    ("nginx", "nginx-light"),
    ("haproxy", "haproxy"),
    ("squid", "squid"),
    ("tinyproxy", "tinyproxy"),
    ("caddy", "caddy"),
    ("redis-server", "redis-server"),
    ("ip", "iproute2"),
    ("nft", "nftables"),
    ("kill", "procps"),
];
