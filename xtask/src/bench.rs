//! `cargo xtask browser-bench` and `stream-bench`: the package beside socket.io in a real browser,
//! and its streams beside those of SignalR's client in Node.

use std::path::Path;
use std::process::Command;

use crate::{npm, run, wasm};

/// Builds both ends for speed, and measures with this script.
pub(crate) fn run(root: &Path, script: &str, words: &[String]) -> Result<(), String> {
    npm::install(root, "interop-tests/browser")?;
    let package = wasm::package(root)?;
    let server = ["--bin", "bench-server"];
    run::build(root, "the server", &[&["build", "--release"], &server[..]].concat())?;
    let mut node = Command::new("node");
    node.arg(root.join("interop-tests/browser").join(script));
    node.arg(root.join("target/release/bench-server")).arg(package).args(words);
    run::status(node, script)
}
