//! `cargo xtask bench`: Bowline under load, beside other libraries.

use std::path::Path;
use std::process::Command;

use crate::{npm, run};

/// Builds all servers, and measures.
pub(crate) fn run(root: &Path, words: &[String]) -> Result<(), String> {
    npm::install(root, "interop-tests/load/node")?;
    let peers = "interop-tests/load/peers/Cargo.toml";
    let target = ["--target-dir", "target/peers"];
    let build = ["build", "--release", "--locked", "--manifest-path", peers];
    run::build(root, "the peers", &[&build[..], &target].concat())?;
    let programs = ["--bin", "load", "--bin", "load-server"];
    let build = ["build", "--release"];
    run::build(root, "our server and what loads it", &[&build[..], &programs].concat())?;
    // What loads the server gets a core of its own; the server it starts gets the other.
    let mut load = Command::new("taskset");
    load.args(["--cpu-list", "1"]).arg(root.join("target/release/load"));
    load.args(words).current_dir(root);
    run::status(load, "load")
}
