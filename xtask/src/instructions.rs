//! `cargo xtask instructions`: how many instructions the server's hot paths take, beside what was
//! committed.
//!
//! Instructions do not depend on what else the machine is doing, so a path that became longer is
//! noticed here, where a measurement of time would shrug. What a message costs in time is for
//! `cargo xtask bench`.
//!
//! Gungraun (formerly iai-callgrind) counts with callgrind as well, but compares with a run that it
//! keeps below `target`, and needs a runner program of exactly its own version. Here the expected
//! counts are committed, with the reason of the last change and the compiler that they are of, and
//! valgrind is all that has to be installed.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::run;

/// Fails when a path takes 5 % more or less than was committed: what became faster is written down
/// as well, or it could be lost again unnoticed.
pub(crate) fn check(root: &Path) -> Result<(), String> {
    let expected = Baseline::read(root)?;
    let found = measure(root)?;
    let mut wrong = Vec::new();
    for (name, count) in &found {
        let before = expected.counts.iter().find(|(known, _)| known == name);
        let Some((_, before)) = before else {
            wrong.push(format!("{name} is new"));
            continue;
        };
        let change = (*count as f64 / *before as f64 - 1.0) * 100.0;
        println!("{name:10} {count:>9} instructions, {change:+.1} %");
        if change.abs() > TOLERANCE {
            wrong.push(format!("{name} took {before} instructions and takes {count} now"));
        }
    }
    let gone =
        expected.counts.iter().filter(|(known, _)| !found.iter().any(|(name, _)| name == known));
    wrong.extend(gone.map(|(name, _)| format!("{name} is gone")));
    if wrong.is_empty() {
        return Ok(());
    }
    let compiler = compiler()?;
    if compiler != expected.compiler {
        wrong.push(format!("the baseline is of {}, this is {compiler}", expected.compiler));
    }
    Err(format!(
        "{}\nIf that is meant: cargo xtask instructions --renew \"why\", and commit {BASELINE}",
        wrong.join("\n")
    ))
}

/// Stores the counts as what is expected from now on.
pub(crate) fn renew(root: &Path, reason: &str) -> Result<(), String> {
    let counts = measure(root)?;
    let mut text = String::from("{\n");
    let _ = writeln!(text, "  \"reason\": \"{}\",", reason.replace(['"', '\\'], "'"));
    let _ = writeln!(text, "  \"compiler\": \"{}\",", compiler()?);
    let lines: Vec<_> =
        counts.iter().map(|(name, count)| format!("    \"{name}\": {count}")).collect();
    let _ = writeln!(text, "  \"instructions\": {{\n{}\n  }}\n}}", lines.join(",\n"));
    print!("{text}");
    fs::write(root.join(BASELINE), text).map_err(|error| format!("{BASELINE}: {error}"))
}

/// What was committed.
struct Baseline {
    compiler: String,
    counts: Vec<(String, u64)>,
}

impl Baseline {
    fn read(root: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(root.join(BASELINE))
            .map_err(|error| format!("{BASELINE}: {error}"))?;
        let entry = |line: &str| {
            let (name, value) = line.trim().trim_end_matches(',').split_once(": ")?;
            Some((name.trim_matches('"').to_owned(), value.trim_matches('"').to_owned()))
        };
        let entries: Vec<_> = text.lines().filter_map(entry).collect();
        let compiler = entries.iter().find(|(name, _)| name == "compiler");
        let counts =
            entries.iter().filter_map(|(name, value)| Some((name.clone(), value.parse().ok()?)));
        Ok(Self {
            compiler: compiler.map(|(_, value)| value.clone()).unwrap_or_default(),
            counts: counts.collect(),
        })
    }
}

/// Instructions for one step of each path, in the order of the program.
fn measure(root: &Path) -> Result<Vec<(String, u64)>, String> {
    let program = build(root)?;
    let names = output(&mut Command::new(&program), "the benchmark")?;
    let count = |name: &str| {
        let few = instructions(&program, name, STEPS)?;
        let more = instructions(&program, name, 3 * STEPS)?;
        Ok((name.to_owned(), (more - few) / u64::from(2 * STEPS)))
    };
    names.lines().map(count).collect()
}

/// Instructions of the whole program; the slope between two runs is free of how it starts and ends.
fn instructions(program: &Path, name: &str, steps: u32) -> Result<u64, String> {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    valgrind.arg(program).args([name, &steps.to_string()]);
    let text = output(&mut valgrind, "valgrind")?;
    let count = text.lines().find_map(|line| line.split_once("Collected : "));
    let count = count.and_then(|(_, count)| count.trim().parse().ok());
    count.ok_or_else(|| format!("valgrind says nothing of instructions:\n{text}"))
}

fn build(root: &Path) -> Result<PathBuf, String> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--release", "--package", "bowline-server", "--bench", "hot_path"]);
    cargo.arg("--message-format=json-render-diagnostics").current_dir(root);
    cargo.stderr(Stdio::inherit());
    let text = run::timed("building the hot paths", || output(&mut cargo, "cargo build"))?;
    let program =
        text.lines().filter(|line| line.contains("\"name\":\"hot_path\"")).find_map(|line| {
            let (_, rest) = line.split_once("\"executable\":\"")?;
            Some(PathBuf::from(rest.split('"').next()?))
        });
    program.ok_or_else(|| "cargo names no program".to_owned())
}

/// What a program prints, its complaints included.
fn output(command: &mut Command, shown: &str) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("{shown} does not start: {error}"))?;
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        Ok(said(&output.stdout) + &said(&output.stderr))
    } else {
        Err(format!("{shown} failed:\n{}", said(&output.stderr)))
    }
}

fn compiler() -> Result<String, String> {
    let mut rustc = Command::new("rustc");
    rustc.arg("--version");
    Ok(output(&mut rustc, "rustc")?.trim().to_owned())
}

const BASELINE: &str = "server/benches/baseline.json";
/// Percent that a path may differ: tables are hashed with keys that are drawn anew each time.
const TOLERANCE: f64 = 5.0;
const STEPS: u32 = 100;
