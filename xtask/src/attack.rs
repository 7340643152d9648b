//! `cargo xtask attack`: what attacks on a server cost it.

use std::path::Path;
use std::process::Command;

use crate::run;

/// Runs every attack against an optimized server, or what the words ask for.
pub(crate) fn run(root: &Path, words: &[String]) -> Result<(), String> {
    if !words.iter().any(|word| word == "--short") && !run::exists("sh", &["-c", FINDS_JEMALLOC]) {
        let apt = "apt-get update && apt-get install --yes --no-install-recommends libjemalloc2";
        eprintln!("jemalloc is missing, which gives back what was freed: installing it");
        run::install("sh", &["-c", apt])?;
    }
    run::build(root, "attack", &[&["build", "--release"][..], &ATTACK].concat())?;
    let mut attack = Command::new(root.join("target/release/attack"));
    attack.args(words);
    run::status_of_many(attack, "attack")
}

/// A small form of each, with the build that the tests have: about a minute.
pub(crate) fn check(root: &Path) -> Result<(), String> {
    run::build(root, "attack", &[&["build"][..], &ATTACK].concat())?;
    let mut attack = Command::new(root.join("target/debug/attack"));
    attack.arg("--short");
    run::status_of_many(attack, "attack --short")
}

const FINDS_JEMALLOC: &str = "ls /usr/lib/*/libjemalloc.so.2";
const ATTACK: [&str; 2] = ["--bin", "attack"];
