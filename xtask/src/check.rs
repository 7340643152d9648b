//! `cargo xtask test`: everything the project checks, in the order in which it fails soonest; and
//! `cargo xtask check`: what a contributor runs before each commit.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use crate::{
    attack, book, browsers, cluster, consumers, deploy, fuzz, instructions, mutants, networks, run,
    size, wasm,
};

/// One step of the check: its name, and what it does.
pub(crate) type Step = (&'static str, fn(&Path) -> Result<(), String>);

/// The step with this name.
pub(crate) fn step(name: &str) -> Result<Step, &'static str> {
    let step = STEPS.into_iter().find(|(known, _)| *known == name);
    step.ok_or("there is no such step: cargo xtask test --list names them")
}

/// Prints the names of the steps.
pub(crate) fn list() {
    STEPS.iter().for_each(|(name, _)| println!("{name}"));
}

/// Runs these steps, or all if there are none.
pub(crate) fn test(root: &Path, only: &[Step]) -> Result<(), String> {
    match only {
        [] => run_all(root, &STEPS, "everything"),
        steps => run_all(root, steps, "what was asked for"),
    }
}

/// Format, lints, unit tests and layers: minutes less than [`test()`].
pub(crate) fn check(root: &Path) -> Result<(), String> {
    run_all(root, &QUICK, "the check")
}

/// Stops at the first step that fails.
fn run_all(root: &Path, steps: &[Step], what: &str) -> Result<(), String> {
    let started = Instant::now();
    for (number, (name, step)) in steps.iter().enumerate() {
        let begun = Instant::now();
        println!("== {} of {}: {name}", number + 1, steps.len());
        step(root).map_err(|error| {
            format!("{name}: {error}\nThis step alone: cargo xtask test --only \"{name}\"")
        })?;
        println!("== {name}: {} s", begun.elapsed().as_secs());
    }
    println!("{what} passed in {} s", started.elapsed().as_secs());
    Ok(())
}

const QUICK: [Step; 4] = [
    ("format", |root| run::cargo(root, &["fmt", "--all", "--check"])),
    ("workspace lints", workspace_lints),
    ("unit tests", unit_tests),
    ("layers", |root| {
        run::cargo(root, &["test", "--package", "bowline-interop-tests", "--test", "layers"])
    }),
];

const STEPS: [Step; 19] = [
    ("tools", tools),
    ("format", |root| run::cargo(root, &["fmt", "--all", "--check"])),
    ("lints", lints),
    ("browser builds", wasm::run),
    ("browser size", size::check),
    ("package in use", consumers::check),
    ("documentation", documentation),
    ("licences and sources", licences),
    ("oldest Rust", oldest_rust),
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

fn workspace_lints(root: &Path) -> Result<(), String> {
    run::cargo(root, &[&["clippy", "--workspace", "--all-targets"][..], &DENY].concat())
}

/// Those of the crates that are published.
fn unit_tests(root: &Path) -> Result<(), String> {
    let crates = ["bowline-protocol", "bowline-server", "bowline-client", "bowline-client-wasm"];
    let packages = crates.iter().flat_map(|name| ["--package", name]);
    run::cargo(root, &["test", "--lib"].into_iter().chain(packages).collect::<Vec<_>>())
}

/// The published crates with the Rust that their manifests promise, where it is installed. The
/// history file needs a newer one, which its database asks for.
fn oldest_rust(root: &Path) -> Result<(), String> {
    let manifest = std::fs::read_to_string(root.join("Cargo.toml"));
    let manifest = manifest.map_err(|error| format!("Cargo.toml: {error}"))?;
    let version = manifest.lines().find_map(|line| line.strip_prefix("rust-version = "));
    let version = version.ok_or("Cargo.toml promises no Rust")?.trim_matches('"');
    if !run::exists("rustup", &["run", version, "cargo", "--version"]) {
        println!(
            "Rust {version} is not installed, so nothing is built with it; to have it checked \
                here: \
             rustup toolchain install {version} --profile minimal"
        );
        return Ok(());
    }
    let mut cargo = Command::new("rustup");
    cargo.args(["run", version, "cargo", "check", "--target-dir", "target/oldest"]);
    cargo.args(["--package", "bowline-protocol", "--package", "bowline-client"]);
    cargo.args(["--package", "bowline-server", "--features", OLD_FEATURES]).current_dir(root);
    run::status(cargo, &format!("cargo check with Rust {version}"))
}

fn lints(root: &Path) -> Result<(), String> {
    workspace_lints(root)?;
    let deny = DENY;
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

/// A short one over each transport, and one through hostile networks; the long ones are a command
/// of their own.
fn soak(root: &Path) -> Result<(), String> {
    let program = ["run", "--bin", "soak", "--"];
    let size = ["--messages", "4000", "--cuts", "80", "--streams", "--topics", "--transport"];
    for transport in ["websocket", "sse", "polling", "mixed"] {
        run::cargo(root, &[&program[..], &size, &[transport]].concat())?;
    }
    run::cargo(root, &[&program[..], &size, &["mixed", "--hostile"]].concat())
}

const DENY: [&str; 3] = ["--", "--deny", "warnings"];
const OLD_FEATURES: &str = "bowline-server/redis,bowline-server/rustls-0_23,bowline-client/http2";

/// The version whose format deny.toml has.
const CARGO_DENY: &str = "0.20.2";
