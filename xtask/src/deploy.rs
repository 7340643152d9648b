//! `cargo xtask deploy`: what clients notice when the server process is replaced.

use std::path::Path;
use std::process::Command;

use crate::{browsers, cluster, run};

/// Builds what the words ask for, and measures.
pub(crate) fn run(root: &Path, words: &[String]) -> Result<(), String> {
    let has = |word: &str| words.iter().any(|other| other == word);
    run::build(root, "deploy", &[&["build", "--release"][..], &DEPLOY].concat())?;
    let mut deploy = Command::new(root.join("target/release/deploy"));
    deploy.args(words).current_dir(root);
    if has("--nodes") {
        cluster::install()?;
    }
    if has("--npm") || has("--peers") {
        deploy.arg("--scripts").arg(root.join("interop-tests/deploy"));
        deploy.arg("--modules").arg(browsers::modules(root)?);
        deploy.arg("--package").arg(browsers::package(root)?);
    }
    if has("--peers") {
        let target = ["--target-dir", "target/peers", "--bin", "socketioxide-deploy"];
        let peers = "interop-tests/load/peers/Cargo.toml";
        let build = ["build", "--release", "--locked", "--manifest-path", peers];
        run::build(root, "socketioxide", &[&build[..], &target].concat())?;
        deploy.arg("--peer-programs").arg(root.join("target/peers/release"));
    }
    run::status(deploy, "deploy")
}

/// A short one over all transports, with the build that the tests have: half a minute.
pub(crate) fn check(root: &Path) -> Result<(), String> {
    run::build(root, "deploy", &[&["build"][..], &DEPLOY].concat())?;
    let mut deploy = Command::new(root.join("target/debug/deploy"));
    deploy.args(["--clients", "50", "--deploys", "2"]).current_dir(root);
    run::status(deploy, "deploy")
}

const DEPLOY: [&str; 4] = ["--package", "bowline-interop-tests", "--bin", "deploy"];
