//! `cargo xtask test`: everything the project checks, in the order in which it fails soonest.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use crate::{
    attack, book, browsers, cluster, consumers, deploy, fuzz, instructions, mutants, networks, run,
    size, wasm,
};

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

const STEPS: [Step; 18] = [
    ("tools", tools),
    ("format", |root| run::cargo(root, &["fmt", "--all", "--check"])),
    ("lints", lints),
    ("browser builds", wasm::run),
    ("browser size", size::check),
    ("package in use", consumers::check),
    ("documentation", documentation),
    ("licences and sources", licences),
    ("tests", |root| run::cargo(root, &["test", "--workspace"])),
    ("mutants", mutants::run),
    ("instructions", instructions::check),
    ("fuzzing", |root| fuzz::run(root, 10)),
    ("soak", soak),
    ("cluster", cluster::check),
    ("deploys", deploy::check),
    ("attacks", attack::check),
    ("bad networks", networks::check),
    ("real browsers", browsers::check),
];

/// What the rest needs beside cargo; installed here where that can be done.
fn tools(root: &Path) -> Result<(), String> {
    wasm::install_target(root)?;
    for (component, probe) in [("rustfmt", "fmt"), ("clippy", "clippy")] {
        if !run::exists("cargo", &[probe, "--version"]) {
            eprintln!("{component} is missing: installing it");
            run::install("rustup", &["component", "add", component])?;
        }
    }
    if !run::exists("c++", &["--version"]) {
        eprintln!("a C++ compiler is missing, which libFuzzer needs: installing g++");
        let apt = "apt-get update && apt-get install --yes --no-install-recommends g++";
        run::install("sh", &["-c", apt])?;
    }
    if !run::exists("valgrind", &["--version"]) {
        eprintln!("valgrind is missing, which counts instructions: installing it");
        let apt = "apt-get update && apt-get install --yes --no-install-recommends valgrind";
        run::install("sh", &["-c", apt])?;
    }
    if !run::exists("npm", &["--version"]) {
        return Err("Node 20 or newer with npm is missing: install it, with apt for example".into());
    }
    cluster::install()?;
    browsers::install()
}

fn lints(root: &Path) -> Result<(), String> {
    let deny = ["--", "--deny", "warnings"];
    run::cargo(root, &[&["clippy", "--workspace", "--all-targets"][..], &deny].concat())?;
    // The workspace builds it with Redis, because its tests do.
    run::cargo(root, &[&["clippy", "--package", "bowline-server"][..], &deny].concat())?;
    let clippy = ["clippy", "--target", wasm::TARGET];
    let browser: [&[&str]; 4] = [
        &["--package", "bowline-client", "--no-default-features"],
        &["--package", "bowline-client-wasm"],
        &["--package", "bowline-client-wasm", "--no-default-features", "--features", "npm"],
        &["--package", "bowline-wasm-app"],
    ];
    browser.iter().try_for_each(|what| run::cargo(root, &[&clippy[..], what, &deny].concat()))
}

fn documentation(root: &Path) -> Result<(), String> {
    let words = ["doc", "--workspace", "--no-deps"];
    run::cargo_with(root, &words, &[("RUSTDOCFLAGS", "--deny warnings")])?;
    book::run(root)
}

/// The rules of deny.toml. What it says of advisories needs their database, and is for `cargo deny
/// check` where the network allows it.
fn licences(root: &Path) -> Result<(), String> {
    let deny = root.join("target/tools/bin/cargo-deny");
    if !deny.exists() {
        let version = format!("cargo-deny@{CARGO_DENY}");
        let place = ["--root", "target/tools", "--target-dir", "target/tools/build"];
        let install = ["install", "--locked", &version];
        run::build(root, "cargo-deny into target/tools", &[&install[..], &place].concat())?;
    }
    let mut check = Command::new(deny);
    check.args(["--offline", "check", "bans", "licenses", "sources"]).current_dir(root);
    run::status(check, "cargo deny check")
}

/// A short one over each transport, and one through hostile networks; the long ones are a command of
/// their own.
fn soak(root: &Path) -> Result<(), String> {
    let program = ["run", "--bin", "soak", "--"];
    let size = ["--messages", "4000", "--cuts", "80", "--transport"];
    for transport in ["websocket", "sse", "polling", "mixed"] {
        run::cargo(root, &[&program[..], &size, &[transport]].concat())?;
    }
    run::cargo(root, &[&program[..], &size, &["mixed", "--hostile"]].concat())
}

/// The version whose format deny.toml has.
const CARGO_DENY: &str = "0.20.2";
