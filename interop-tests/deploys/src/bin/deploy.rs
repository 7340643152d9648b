//! `deploy`: what clients notice when the server process is replaced; see `cargo xtask deploy`.
//! `deploy serve`, `deploy clients` and `deploy node` are the ends.

use std::path::PathBuf;
use std::process::ExitCode;

use bowline_deploys::deploy::{self, Plan, Report};
use bowline_deploys::fleet;
use clap::{Args, Parser, Subcommand};
use tokio::runtime::Builder;

/// Replaces the server process under its clients, and compares what both ends know.
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Options {
    #[command(subcommand)]
    part: Option<Part>,
    #[command(flatten)]
    plan: Plan,
    #[command(flatten)]
    shown: Shown,
}

/// The programs of a run.
#[derive(Subcommand)]
enum Part {
    /// A server. Servers of other libraries and older commits accept the same settings.
    Serve { settings: Vec<String> },
    /// The native clients.
    Clients,
    /// A server that is one of several.
    Node { port: u16, redis: String },
}

/// How the figures are shown.
#[derive(Args)]
struct Shown {
    /// Prints the report as JSON.
    #[arg(long)]
    json: bool,
    /// A file for the picture.
    #[arg(long, value_name = "FILE.svg")]
    plot: Option<PathBuf>,
}

fn main() -> ExitCode {
    env_logger::init();
    let Options { part, plan, shown } = Options::parse();
    let actix = actix_web::rt::System::new;
    let outcome = match part {
        Some(Part::Serve { settings }) => actix().block_on(deploy::serve(&settings)),
        Some(Part::Clients) => runtime().and_then(|tokio| tokio.block_on(deploy::clients())),
        Some(Part::Node { port, redis }) => actix().block_on(fleet::serve(port, &redis)),
        None => run(&plan, &shown),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("deploy: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(plan: &Plan, shown: &Shown) -> Result<(), String> {
    let report = runtime()?.block_on(deploy::run(plan, |words| eprintln!("-- {words}")))?;
    print(&report, shown.json);
    if let Some(file) = &shown.plot {
        let drawn = std::fs::write(file, report.picture());
        drawn.map_err(|error| format!("{}: {error}", file.display()))?;
    }
    if report.broken.is_empty() {
        return Ok(());
    }
    Err(format!("not kept: {}", report.broken.join(", ")))
}

fn print(report: &Report, json: bool) {
    if json {
        println!("{}", serde_json::to_string(report).expect("a report is plain"));
    } else {
        print!("{}", report.table());
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, String> {
    Builder::new_multi_thread().enable_all().build().map_err(|error| error.to_string())
}
