//! `cargo xtask browser-bench`: the package beside socket.io, in a real browser.

use std::path::Path;
use std::process::Command;

use crate::{npm, run, wasm};

/// Builds both ends for speed, and measures.
pub(crate) fn run(root: &Path, words: &[String]) -> Result<(), String> {
    npm::install(root, "interop-tests/browser")?;
    let package = wasm::package(root)?;
    let server = ["--bin", "bench-server"];
    run::build(root, "the server", &[&["build", "--release"], &server[..]].concat())?;
    let mut node = Command::new("node");
    node.arg(root.join("interop-tests/browser/bench.mjs"));
    node.arg(root.join("target/release/bench-server")).arg(package).args(words);
    run::status(node, "bench.mjs")
}
