//! Runs other programs.

use std::path::Path;
use std::process::Command;

/// Runs cargo in the project.
///
/// # Errors
/// When it cannot be started or does not succeed.
pub(crate) fn cargo(root: &Path, words: &[&str]) -> Result<(), String> {
    cargo_with(root, words, &[])
}

/// As [`cargo`], with variables of the environment.
pub(crate) fn cargo_with(root: &Path, words: &[&str], env: &[(&str, &str)]) -> Result<(), String> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(words).current_dir(root).envs(env.iter().copied());
    status(command, &format!("cargo {}", words.join(" ")))
}

/// Runs a program to its end.
pub(crate) fn status(mut command: Command, shown: &str) -> Result<(), String> {
    let status = command.status().map_err(|error| format!("{shown} did not start: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{shown} failed ({status})")) }
}

/// Installs something the project needs; where that is not allowed, fails with what to do.
pub(crate) fn install(program: &str, words: &[&str]) -> Result<(), String> {
    let shown = format!("{program} {}", words.join(" "));
    let mut command = Command::new(program);
    command.args(words);
    status(command, &shown)
        .map_err(|error| format!("{error}\nInstall it yourself, as whoever may: {shown}"))
}

/// True if a program can be started.
pub(crate) fn exists(program: &str, words: &[&str]) -> bool {
    let quiet = Command::new(program).args(words).output();
    quiet.is_ok_and(|output| output.status.success())
}
