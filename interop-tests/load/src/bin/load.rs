//! `load`: measures Bowline beside other libraries. `cargo xtask bench` builds what it needs and
//! runs it.

use std::path::PathBuf;
use std::process::ExitCode;

use bowline_load::{Plan, Verdict};
use clap::Parser;
use serde_json::Value;

/// Measures Bowline under load, beside other libraries.
#[derive(Parser)]
struct Options {
    #[command(flatten)]
    plan: Plan,
    /// Prints the results as JSON.
    #[arg(long)]
    json: bool,
    /// Fails when something that must hold was not shown.
    #[arg(long)]
    strict: bool,
    /// A file for the picture.
    #[arg(long, value_name = "FILE.svg")]
    plot: Option<PathBuf>,
}

fn main() -> ExitCode {
    match measure(Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(options: Options) -> Result<(), String> {
    let Options { plan, json, strict, plot } = options;
    let mut results = Vec::new();
    let failed = bowline_load::run(&plan, |result: Value| {
        eprintln!("{result}");
        results.push(result);
    });
    if json {
        results.iter().for_each(|result| println!("{result}"));
    } else {
        print!("{}", bowline_load::table(&results));
    }
    if let Some(path) = plot {
        std::fs::write(&path, bowline_load::plot(&results))
            .map_err(|error| format!("{}: {error}", path.display()))?;
    }
    let Verdict { table, missed } = Verdict::of(&results);
    if !json {
        println!("\n{table}");
        if plan.workers > 1 {
            println!("{} workers: {SHARED}", plan.workers);
        }
    }
    if !failed.is_empty() {
        return Err(format!("not measured:\n{}", failed.join("\n")));
    }
    if strict && missed > 0 {
        return Err(format!("{missed} of what must hold was not shown"));
    }
    Ok(())
}

/// What has to be known of a server with several workers, on a machine with two cores.
const SHARED: &str = "the server shares the core of its load, so only its CPU time for each \
    message can be compared \
    with that of one worker, and no rate or latency.";
