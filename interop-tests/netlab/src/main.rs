//! `networks`: bad networks, and who gets through; see `cargo xtask networks`. `networks server`
//! and `networks client` are the ends of a row.

use std::path::PathBuf;
use std::process::ExitCode;

use bowline_netlab::{Plan, Row, native};
use clap::{Parser, Subcommand};
use tokio::sync::mpsc;

/// Bad networks, and who gets through.
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Options {
    #[command(subcommand)]
    part: Option<Part>,
    #[command(flatten)]
    plan: Plan,
    /// Prints each row as JSON.
    #[arg(long)]
    json: bool,
    /// Puts the table in place of the first block of text in a Markdown file.
    #[arg(long, value_name = "FILE", value_parser = Page::read)]
    into: Option<Page>,
}

/// The ends of a row.
#[derive(Subcommand)]
enum Part {
    /// Bowline's server.
    Server(native::ServerOptions),
    /// The native client.
    Client { url: String },
}

fn main() -> ExitCode {
    env_logger::init();
    let Options { part, plan, json, into } = Options::parse();
    let outcome = match part {
        Some(Part::Server(options)) => server(options),
        Some(Part::Client { url }) => client(&url),
        None => run(&plan, json, into),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("networks: {error}");
        ExitCode::FAILURE
    })
}

fn server(options: native::ServerOptions) -> Result<ExitCode, String> {
    let served = actix_web::rt::System::new().block_on(native::server(options));
    served.map(|()| ExitCode::SUCCESS).map_err(|error| error.to_string())
}

fn client(url: &str) -> Result<ExitCode, String> {
    runtime()?.block_on(native::client(url)).map(|()| ExitCode::SUCCESS)
}

fn run(plan: &Plan, json: bool, into: Option<Page>) -> Result<ExitCode, String> {
    let outcome = runtime()?.block_on(async {
        let (sender, mut rows) = mpsc::unbounded_channel::<Row>();
        let show = async {
            while let Some(row) = rows.recv().await {
                let line = serde_json::to_string(&row).expect("a row is plain");
                if json {
                    println!("{line}");
                } else {
                    eprintln!("done: {}, {}", row.scenario, row.client);
                }
            }
        };
        futures::join!(bowline_netlab::run(plan, sender), show).0
    });
    if json {
        for (words, all) in [("left_out", &outcome.left_out), ("failed", &outcome.failed)] {
            for (row, why) in all {
                println!("{}", serde_json::json!({ words: row, "why": why }));
            }
        }
    } else {
        println!("{}", bowline_netlab::table(&outcome));
    }
    if let Some(page) = into {
        page.put(&bowline_netlab::table(&outcome))?;
    }
    if outcome.rows.is_empty() {
        return Err("no row ran".to_owned());
    }
    Ok(if outcome.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A page with a block of text, in whose place the table goes. It is read before the first row
/// runs, so that a wrong path does not cost the run.
#[derive(Clone)]
struct Page {
    file: PathBuf,
    before: String,
    after: String,
}

impl Page {
    fn read(file: &str) -> Result<Self, String> {
        let page = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
        let cut = page.split_once(BLOCK).and_then(|(before, rest)| {
            let (_, after) = rest.split_once("\n```")?;
            Some((before.to_owned(), after.to_owned()))
        });
        let (before, after) = cut.ok_or_else(|| format!("{file} has no block of text"))?;
        Ok(Self { file: file.into(), before, after })
    }

    fn put(&self, table: &str) -> Result<(), String> {
        let Self { file, before, after } = self;
        std::fs::write(file, format!("{before}{BLOCK}{}\n```{after}", table.trim_end()))
            .map_err(|error| format!("{}: {error}", file.display()))
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, String> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.enable_all().build().map_err(|error| error.to_string())
}

const BLOCK: &str = "```text\n";
