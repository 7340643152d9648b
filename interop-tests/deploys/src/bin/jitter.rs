//! `jitter`: broadcasts to clients whose connections are cut again and again; see `cargo xtask
//! jitter`. `jitter server` and `jitter clients` are the ends.

use std::process::ExitCode;

use bowline_deploys::jitter::{self, Plan, native};
use clap::{Parser, Subcommand};
use tokio::runtime::Builder;

/// Broadcasts to clients whose connections are cut again and again, beside socket.io.
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Options {
    #[command(subcommand)]
    part: Option<Part>,
    #[command(flatten)]
    plan: Plan,
    /// Prints the report as JSON.
    #[arg(long)]
    json: bool,
}

/// The programs of a run.
#[derive(Subcommand)]
enum Part {
    /// Bowline's server.
    Server,
    /// The native clients.
    Clients,
}

fn main() -> ExitCode {
    env_logger::init();
    let Options { part, plan, json } = Options::parse();
    let outcome = match part {
        Some(Part::Server) => server(),
        Some(Part::Clients) => runtime().and_then(|tokio| tokio.block_on(native::clients())),
        None => run(&plan, json),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("jitter: {error}");
            ExitCode::FAILURE
        }
    }
}

fn server() -> Result<(), String> {
    let served = actix_web::rt::System::new().block_on(native::server());
    served.map_err(|error| error.to_string())
}

fn run(plan: &Plan, json: bool) -> Result<(), String> {
    let report = runtime()?.block_on(jitter::run(plan, |words| eprintln!("-- {words}")))?;
    if json {
        println!("{}", serde_json::to_string(&report).expect("a report is plain"));
    } else {
        print!("{}", report.table());
    }
    if report.is_good() {
        return Ok(());
    }
    Err("Bowline lost something, was late, or nothing was cut: see the rows".to_owned())
}

fn runtime() -> Result<tokio::runtime::Runtime, String> {
    Builder::new_multi_thread().enable_all().build().map_err(|error| error.to_string())
}
