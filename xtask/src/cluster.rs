//! Real nodes behind HAProxy and Redis: `cargo xtask cluster`.

use std::path::Path;
use std::process::Command;

use crate::run;

/// Runs what the words ask for, built for speed. Prints one line of JSON.
pub(crate) fn run(root: &Path, words: &[String]) -> Result<(), String> {
    install()?;
    let build = ["build", "--release"];
    let programs = ["--bin", "cluster", "--bin", "load-server"];
    run::build(root, "the cluster for speed", &[&build[..], &programs].concat())?;
    let mut cluster = Command::new(root.join("target/release/cluster"));
    cluster.args(words).current_dir(root);
    run::status(cluster, "cluster")
}

/// Short ones: a rolling restart, in which nothing may be lost, and losses that have to be
/// reported.
pub(crate) fn check(root: &Path) -> Result<(), String> {
    let build = ["build", "--bin", "cluster"];
    run::build(root, "the cluster", &build)?;
    let runs: [&[&str]; 2] = [
        &["--rolling", "--seconds", "8"],
        &["--kill", "--redis-restart", "--outage", "2", "--seconds", "12"],
    ];
    runs.iter().try_for_each(|words| {
        let mut cluster = Command::new(root.join("target/debug/cluster"));
        cluster.args(["--messages", "6000", "--clients", "24"]).args(*words).current_dir(root);
        run::status(cluster, &format!("cluster {}", words.join(" ")))
    })
}

/// Installs Redis and HAProxy where that is allowed; fails with what to do where it is not.
pub(crate) fn install() -> Result<(), String> {
    let missing: Vec<&str> = PROGRAMS
        .iter()
        .filter(|(program, _)| !Path::new(program).exists())
        .map(|(_, package)| *package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages = missing.join(" ");
    eprintln!("{packages}: missing, installing");
    let apt = format!("apt-get update && apt-get install --yes --no-install-recommends {packages}");
    run::install("sh", &["-c", &apt])
}

/// Where Debian's packages put the programs.
const PROGRAMS: [(&str, &str); 3] = [
    ("/usr/bin/redis-server", "redis-server"),
    ("/usr/bin/redis-cli", "redis-tools"),
    ("/usr/sbin/haproxy", "haproxy"),
];
