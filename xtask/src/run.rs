//! Runs other programs.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

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

/// Builds something with cargo, which shows on the error output how far it is.
pub(crate) fn build(root: &Path, what: &str, words: &[&str]) -> Result<(), String> {
    build_with(root, what, words, &[])
}

/// As [`build`], with variables of the environment.
pub(crate) fn build_with(
    root: &Path,
    what: &str,
    words: &[&str],
    env: &[(&str, &str)],
) -> Result<(), String> {
    timed(&format!("building {what}"), || cargo_with(root, words, env))
}

/// Says on the error output what begins, and how long it took.
pub(crate) fn timed<T>(what: &str, work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    eprintln!("-- {what}");
    let begun = Instant::now();
    let done = work()?;
    eprintln!("-- {what}: done in {} s", begun.elapsed().as_secs());
    Ok(done)
}

/// As [`status`], for a program whose output is not what was asked for: an installer, a bundler.
/// The standard output belongs to the figures, which with `--json` are all that may stand there.
pub(crate) fn tool(mut command: Command, shown: &str) -> Result<(), String> {
    command.stdout(std::io::stderr());
    status(command, shown)
}

/// Runs a program to its end.
pub(crate) fn status(mut command: Command, shown: &str) -> Result<(), String> {
    let status = command.status().map_err(|error| format!("{shown} did not start: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{shown} failed ({status})")) }
}

/// As [`status`], for a program that prints a line with `FAIL` and indented ones behind it for each
/// thing that has failed: the error ends with them, because much may be printed after them.
pub(crate) fn status_of_many(mut command: Command, shown: &str) -> Result<(), String> {
    let child = command.stdout(Stdio::piped()).spawn();
    let mut child = child.map_err(|error| format!("{shown} did not start: {error}"))?;
    let (mut failures, mut goes_on) = (String::new(), false);
    let said = BufReader::new(child.stdout.take().expect("it is piped"));
    for line in said.lines().map_while(Result::ok) {
        println!("{line}");
        goes_on = line.starts_with("FAIL") || (goes_on && line.starts_with(' '));
        if goes_on {
            failures.extend(["\n", &line]);
        }
    }
    let status = child.wait().map_err(|error| format!("{shown}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{shown} failed ({status}){failures}")) }
}

/// Installs something the project needs; where that is not allowed, fails with what to do.
pub(crate) fn install(program: &str, words: &[&str]) -> Result<(), String> {
    let shown = format!("{program} {}", words.join(" "));
    let mut command = Command::new(program);
    command.args(words);
    tool(command, &shown)
        .map_err(|error| format!("{error}\nInstall it yourself, as whoever may: {shown}"))
}

/// True if a program can be started.
pub(crate) fn exists(program: &str, words: &[&str]) -> bool {
    let quiet = Command::new(program).args(words).output();
    quiet.is_ok_and(|output| output.status.success())
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::{install, status_of_many};

    #[test]
    fn installers_do_not_write_where_figures_are_expected() {
        if std::env::var_os(CHILD).is_some() {
            install("sh", &["-c", "echo loud"]).unwrap();
            return;
        }
        let name = "run::tests::installers_do_not_write_where_figures_are_expected";
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture"])
            .env(CHILD, "1")
            .output()
            .unwrap();
        assert!(output.status.success());
        assert!(!String::from_utf8_lossy(&output.stdout).contains("loud"));
        assert!(String::from_utf8_lossy(&output.stderr).contains("loud"));
    }

    /// Set in the process whose output a test reads.
    const CHILD: &str = "BOWLINE_XTASK_CHILD";

    #[test]
    fn what_has_failed_is_said_once_more_at_the_end() {
        let mut shell = Command::new("sh");
        let said =
            "ok a (1 s)\nFAIL b (2 s)\n       was late\nok c (1 s)\n       no matter\n1 failed";
        shell.args(["-c", &format!("printf '{said}\n'; exit 1")]);
        let error = status_of_many(shell, "b").unwrap_err();
        assert_eq!(error, "b failed (exit status: 1)\nFAIL b (2 s)\n       was late");
    }
}
