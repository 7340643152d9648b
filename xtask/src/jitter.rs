//! `cargo xtask jitter`: broadcasts through networks that are cut again and again, beside
//! socket.io.

use std::path::Path;
use std::process::Command;

use crate::{browsers, run};

/// Builds the package and the server, and measures.
pub(crate) fn run(root: &Path, words: &[String]) -> Result<(), String> {
    let (package, modules) = (browsers::package(root)?, browsers::modules(root)?);
    let jitter = ["--bin", "jitter"];
    run::build(root, "jitter", &[&["build", "--release"][..], &jitter].concat())?;
    let mut jitter = Command::new(root.join("target/release/jitter"));
    jitter.arg("--scripts").arg(root.join("interop-tests/deploys/src/jitter/peers"));
    jitter.arg("--modules").arg(modules).arg("--package").arg(package).args(words);
    run::status(jitter, "jitter")
}
