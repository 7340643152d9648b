//! `cargo xtask test`: everything the project checks, in the order in which it fails soonest.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use crate::{fuzz, mutants, run, wasm};

/// One step of the check.
type Step = (&'static str, fn(&Path) -> Result<(), String>);

/// Runs all steps; stops at the first that fails.
pub(crate) fn everything(root: &Path) -> Result<(), String> {
    let started = Instant::now();
    for (number, (name, step)) in STEPS.iter().enumerate() {
        let begun = Instant::now();
        println!("== {} of {}: {name}", number + 1, STEPS.len());
        step(root).map_err(|error| format!("{name}: {error}"))?;
        println!("== {name}: {} s", begun.elapsed().as_secs());
    }
    println!("everything passed in {} s", started.elapsed().as_secs());
    Ok(())
}

const STEPS: [Step; 10] = [
    ("tools", tools),
    ("format", |root| run::cargo(root, &["fmt", "--all", "--check"])),
    ("lints", lints),
    ("browser builds", wasm::run),
    ("documentation", documentation),
    ("licences and sources", licences),
    ("tests", |root| run::cargo(root, &["test", "--workspace"])),
    ("mutants", mutants::run),
    ("fuzzing", |root| fuzz::run(root, 10)),
    ("soak", soak),
];

/// What the rest needs beside cargo; installed here where that can be done.
fn tools(_: &Path) -> Result<(), String> {
    if run::exists("c++", &["--version"]) {
        return Ok(());
    }
    println!("a C++ compiler is missing, which libFuzzer needs: installing g++");
    let install = "apt-get update && apt-get install --yes --no-install-recommends g++";
    let mut shell = Command::new("sh");
    shell.args(["-c", install]);
    run::status(shell, install)
        .map_err(|error| format!("{error}\nInstall it yourself, as root: {install}"))
}

fn lints(root: &Path) -> Result<(), String> {
    let deny = ["--", "--deny", "warnings"];
    run::cargo(
        root,
        &[&["clippy", "--quiet", "--workspace", "--all-targets"][..], &deny].concat(),
    )?;
    let browser = ["--no-default-features", "--target", wasm::TARGET];
    let client = ["clippy", "--quiet", "--package", "bowline-client"];
    run::cargo(root, &[&client[..], &browser, &deny].concat())
}

fn documentation(root: &Path) -> Result<(), String> {
    let words = ["doc", "--quiet", "--workspace", "--no-deps"];
    run::cargo_with(root, &words, &[("RUSTDOCFLAGS", "--deny warnings")])
}

/// The rules of deny.toml, where cargo-deny is there to read them.
fn licences(root: &Path) -> Result<(), String> {
    if run::exists("cargo", &["deny", "--version"]) {
        return run::cargo(root, &["deny", "--offline", "check", "bans", "licenses", "sources"]);
    }
    println!("LEFT OUT: cargo-deny is not installed, so deny.toml was not checked.");
    println!("          cargo install --locked cargo-deny && cargo deny check");
    Ok(())
}

/// A short one over each transport; the long one is a command of its own.
fn soak(root: &Path) -> Result<(), String> {
    for transport in ["websocket", "sse", "polling", "mixed"] {
        let program =
            ["run", "--quiet", "--package", "bowline-interop-tests", "--bin", "soak", "--"];
        let size = ["--messages", "4000", "--cuts", "80", "--transport", transport];
        run::cargo(root, &[&program[..], &size].concat())?;
    }
    Ok(())
}
