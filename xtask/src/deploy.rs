//! `cargo xtask deploy`: what clients notice when the server process is replaced.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{browsers, cluster, run};

/// Builds what the words ask for, and measures.
pub(crate) fn run(root: &Path, words: &[String]) -> Result<(), String> {
    let has = |word: &str| words.iter().any(|other| other == word);
    let (words, old) = split(words);
    let old = old.map(|commit| older(root, commit)).transpose()?;
    run::build(root, "deploy", &[&["build", "--release"][..], &DEPLOY].concat())?;
    let mut deploy = Command::new(root.join("target/release/deploy"));
    deploy.args(&words).current_dir(root);
    if let Some((commit, program)) = old {
        deploy.args(["--old", &commit]).arg("--old-program").arg(program);
    }
    if has("--nodes") || words.contains(&"redis") {
        cluster::install()?;
    }
    if has("--npm") || has("--peers") {
        deploy.arg("--scripts").arg(root.join("interop-tests/deploys/src/deploy/peers"));
        deploy.arg("--modules").arg(browsers::modules(root)?);
    }
    if has("--npm") {
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

/// The words without `--old`, and its commit: an empty one if the word stands alone.
fn split(words: &[String]) -> (Vec<&str>, Option<&str>) {
    let (mut rest, mut old) = (Vec::new(), None);
    let mut words = words.iter().map(String::as_str).peekable();
    while let Some(word) = words.next() {
        match word {
            "--old" => old = Some(words.next_if(|next| !next.starts_with("--")).unwrap_or("")),
            _ => rest.push(word),
        }
    }
    (rest, old)
}

/// Builds the server of an older commit in a work tree of its own. Returns the commit, and a copy
/// of the program. Without a name it is the last tag, or the commit before this one.
fn older(root: &Path, commit: &str) -> Result<(String, PathBuf), String> {
    let last_tag = || git(root, &["describe", "--tags", "--abbrev=0", "HEAD~1"]);
    let commit = match commit {
        "" => last_tag().unwrap_or_else(|_| "HEAD~1".to_owned()),
        commit => commit.to_owned(),
    };
    let name = format!("{commit}^{{commit}}");
    let found = git(root, &["rev-parse", "--verify", "--short=12", "--end-of-options", &name]);
    let found = found.map_err(|_| {
        format!(
            "--old wants the project's history, and this copy has no {commit}: git fetch \
            --unshallow"
        )
    })?;
    let (tree, program) = (root.join("target/old/tree"), root.join("target/old").join(&found));
    if program.is_file() {
        return Ok((found, program));
    }
    let shown = tree.display().to_string();
    // One that was left by a command that was interrupted.
    let _ = git(root, &["worktree", "remove", "--force", &shown]);
    git(root, &["worktree", "add", "--force", "--detach", &shown, &found])?;
    // What both builds share is in one folder.
    let target = ["--target-dir", "target", "--manifest-path", "target/old/tree/Cargo.toml"];
    let words = [&["build", "--release", "--locked"][..], &target, &DEPLOY].concat();
    let built = run::build(root, &format!("the server of {found}"), &words);
    git(root, &["worktree", "remove", "--force", &shown])?;
    built.map_err(|error| format!("{error}\n{found} may be older than this command"))?;
    std::fs::copy(root.join("target/release/deploy"), &program)
        .map_err(|error| format!("{}: {error}", program.display()))?;
    Ok((found, program))
}

/// What git prints.
fn git(root: &Path, words: &[&str]) -> Result<String, String> {
    let output = Command::new("git").args(words).current_dir(root).output();
    let output = output.map_err(|error| format!("git does not start: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    Err(format!("git {}: {}", words.join(" "), String::from_utf8_lossy(&output.stderr).trim()))
}

const DEPLOY: [&str; 2] = ["--bin", "deploy"];

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn an_older_commit_may_be_named_or_not() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let named = words("--seed 3 --old v1.0 --json");
        assert_eq!(split(&named), (vec!["--seed", "3", "--json"], Some("v1.0")));
        let alone = words("--old --kill");
        assert_eq!(split(&alone), (vec!["--kill"], Some("")));
        assert_eq!(split(&words("--kill")).1, None);
    }
}
