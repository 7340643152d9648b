//! Builds the fuzz targets with the stable toolchain and lets each run for a while.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs every target for so many seconds, beginning with the corpus that is kept in the repository
/// and with what earlier runs have found, which stays below `target`. Says how many of the places
/// that can be reached were, and for how long the target has run in all on this machine.
///
/// # Errors
/// When a target cannot be built, or finds an input that breaks what it checks; the error names it.
pub(crate) fn run(root: &Path, seconds_each: u64) -> Result<(), String> {
    let host = host()?;
    let home = root.join("target/fuzz");
    for (package, targets) in PACKAGES {
        let package = root.join(package);
        build(&package, &host, &home)?;
        for target in *targets {
            let binary = home.join(&host).join("release").join(target);
            let figures =
                run_target(&home, &binary, &package.join("corpus").join(target), seconds_each)?;
            let time = add_time(&home, target, seconds_each)?;
            println!("{target}: {figures}; {time} s in all");
        }
    }
    Ok(())
}

/// Adds to the time that a target has run for on this machine.
fn add_time(home: &Path, target: &str, seconds: u64) -> Result<u64, String> {
    let path = folder(&home.join("seconds"))?.join(target);
    let before = fs::read_to_string(&path).ok().and_then(|text| text.trim().parse::<u64>().ok());
    let time = before.unwrap_or_default() + seconds;
    write(&path, time.to_string().as_bytes())?;
    Ok(time)
}

fn build(package: &Path, host: &str, home: &Path) -> Result<(), String> {
    let status = Command::new("cargo")
        .args(["build", "--release", "--locked", "--target", host, "--manifest-path"])
        .arg(package.join("Cargo.toml"))
        .env("CARGO_TARGET_DIR", home)
        .env("RUSTFLAGS", FLAGS.join(" "))
        .status()
        .map_err(|error| format!("cargo does not start: {error}"))?;
    if status.success() { Ok(()) } else { Err("the fuzz targets do not build".into()) }
}

/// Returns a line of figures.
fn run_target(home: &Path, binary: &Path, kept: &Path, seconds: u64) -> Result<String, String> {
    let target = binary.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let corpus = seed_corpus(home, target)?;
    let artifacts = folder(&home.join("artifacts").join(target))?;
    let output = Command::new(binary)
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        .args(["-print_final_stats=1", "-max_len=4096", "-timeout=10", "-rss_limit_mb=1024"])
        .arg(corpus)
        .args(kept.is_dir().then_some(kept))
        .output()
        .map_err(|error| format!("{target} does not start: {error}"))?;
    let text = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        let input = after_last(&text, "Test unit written to ").unwrap_or("an unknown input");
        let panic = text.lines().skip_while(|line| !line.contains("panicked at")).nth(1);
        return Err(format!("{target} fails with {input}: {}", panic.unwrap_or("no panic")));
    }
    let executions = after_last(&text, "stat::number_of_executed_units: ").unwrap_or("?").trim();
    let coverage = after_last(&text, "cov: ").unwrap_or("?");
    let places = text.split_once("inline 8-bit counters): ").map_or("", |(_, rest)| rest);
    let places = places.split(|c: char| !c.is_ascii_digit()).next().unwrap_or("?");
    Ok(format!("{executions} executions, {coverage} of {places} places covered, no failure"))
}

/// The first word after the last occurrence of the label.
fn after_last<'a>(text: &'a str, label: &str) -> Option<&'a str> {
    text.rsplit_once(label)?.1.split_whitespace().next()
}

/// What the fuzzer begins with, so that it need not guess the grammar.
fn seed_corpus(home: &Path, target: &str) -> Result<PathBuf, String> {
    let corpus = folder(&home.join("corpus").join(target))?;
    for (number, line) in LINES.iter().enumerate() {
        write(&corpus.join(format!("seed-{number}")), line.as_bytes())?;
    }
    write(&corpus.join("seed-batch"), LINES.join("\n").as_bytes())?;
    // Any bytes are calls of a session: see the target.
    let calls: Vec<u8> = (0..=255).cycle().take(600).collect();
    write(&corpus.join("seed-calls"), &calls)?;
    Ok(corpus)
}

fn host() -> Result<String, String> {
    let output = Command::new("rustc")
        .arg("-vV")
        .output()
        .map_err(|error| format!("rustc does not start: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    after_last(&text, "host: ").map(str::to_owned).ok_or_else(|| "rustc names no host".into())
}

fn folder(path: &Path) -> Result<PathBuf, String> {
    fs::create_dir_all(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(path.to_owned())
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    fs::write(path, bytes).map_err(|error| format!("{}: {error}", path.display()))
}

/// Where the targets are.
const PACKAGES: &[(&str, &[&str])] = &[
    ("protocol-spec/fuzz", &["packets", "batches", "session_inputs"]),
    ("server/fuzz", &["body", "bus"]),
];

/// What `cargo fuzz` sets, without the address sanitizer: it needs a nightly compiler, and the code
/// has no `unsafe` that it could watch. The triple is named when building so that build scripts
/// stay without instrumentation.
const FLAGS: &[&str] = &[
    "--cfg fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cdebug-assertions",
    "-Coverflow-checks",
    "-Ccodegen-units=1",
];

const LINES: &[&str] = &[
    "open v=1 key=AAECAwQFBgcICQoLDA0ODw n=1 {\"token\":\"t\"}",
    "attach v=1 sid=AAECAwQF.AAECAwQFBgcICQoL secret=AAECAwQFBgcICQoLDA0ODw n=7 recv=3 next=9 \
        greet=1",
    "welcome sid=AAECAwQF.AAECAwQFBgcICQoL secret=AAECAwQFBgcICQoLDA0ODw recv=1 next=2 \
        heartbeat=25000 grace=15000 window=120000 packet=1048576 batch=2097152",
    "ticket AAECAwQF.AAECAwQFBgcICQoL.AAECAwQFBgcICQoLDA0ODw",
    "e say \"gr\u{fc}\u{df}e\"",
    "E file AAEC {\"name\":\"a\"}",
    "E none -",
    "q ask {\"n\":1}",
    "Q ask Zm9vYg==",
    "r 1 true",
    "R 1 AA== {}",
    "f 2 not-found {\"id\":3}",
    "F 2 no AAEC",
    "v now [1,2]",
    "V now AAEC",
    "c 9007199254740991",
    "n 5",
    "h",
    "h token",
    "a",
    "a token",
    "x 1000",
    "x 4000 retry=1500 \"back soon\"",
    "E file {\"name\":\"raw\"}\n\u{0}\u{1}\u{2}",
    "id: 7\ndata: e say 1\ndata: h\n\nid: 8\ndata: c 1\n\n",
];
