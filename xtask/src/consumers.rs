//! The package as applications use it: `cargo xtask consumers`.

use std::path::Path;
use std::process::Command;

use crate::{browsers, run};

/// Puts an application together with every bundler, test runner and runtime of the table in the
/// package's README, as far as their names hold a text, and runs it against a live server.
pub(crate) fn run(root: &Path, words: &[String]) -> Result<(), String> {
    browsers::install_chromium()?;
    let package = browsers::package(root)?;
    let modules = browsers::modules(root)?;
    let host = browsers::programs(root)?.join("browser-host");
    let mut node = Command::new("node");
    node.arg(root.join("interop-tests/browser/consumers/run.mjs"));
    node.arg("--package").arg(package).arg("--modules").arg(modules);
    node.arg("--host-binary").arg(host).arg("--into").arg(root.join("target/consumers"));
    if !words.is_empty() {
        node.args(["--filter", &words.join(" ")]);
    }
    run::status_of_many(node, "consumers/run.mjs")
}

/// Every row.
pub(crate) fn check(root: &Path) -> Result<(), String> {
    run(root, &[])
}
