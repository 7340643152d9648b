//! `cargo xtask attack`: what attacks on a server cost it.

use std::path::Path;
use std::process::Command;

use crate::run;

/// Runs every attack against an optimized server, or what the words ask for.
pub(crate) fn run(root: &Path, words: &[String]) -> Result<(), String> {
    run::build(root, "attack", &[&["build", "--release"][..], &ATTACK].concat())?;
    let mut attack = Command::new(root.join("target/release/attack"));
    attack.args(words);
    run::status_of_many(attack, "attack")
}

const ATTACK: [&str; 4] = ["--package", "bowline-interop-tests", "--bin", "attack"];
