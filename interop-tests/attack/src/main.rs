//! `attack`: what attacks on a server cost it; see `cargo xtask attack`. `attack serve [SETTINGS]`
//! is that server.

use std::process::ExitCode;

use bowline_attack::{Plan, Row, server};
use clap::{Parser, Subcommand};

fn main() -> ExitCode {
    env_logger::init();
    let Options { part, plan, json, table } = Options::parse();
    let outcome = match part {
        Some(Part::Serve { settings }) => {
            actix_web::rt::System::new().block_on(server::serve(&settings)).map(|()| true)
        }
        None => run(&plan, json, table),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("attack: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Attacks a server, and measures what that costs it.
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Options {
    #[command(subcommand)]
    part: Option<Part>,
    #[command(flatten)]
    plan: Plan,
    /// Prints the figures as JSON.
    #[arg(long)]
    json: bool,
    /// Prints the table of docs/security.md.
    #[arg(long)]
    table: bool,
}

/// The programs of a run.
#[derive(Subcommand)]
enum Part {
    /// The server that is attacked.
    Serve { settings: Vec<String> },
}

/// True if everything is within its bounds.
fn run(plan: &Plan, json: bool, table: bool) -> Result<bool, String> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let progress = |row: &Row| {
        if json { eprintln!("{}", row.line()) } else { println!("{}", row.line()) }
    };
    let report = runtime.block_on(bowline_attack::run(plan, progress))?;
    if json {
        println!("{}", serde_json::to_string(&report).expect("a report is plain figures"));
    }
    if table {
        println!("\n{}", report.table());
    }
    Ok(report.passes())
}
