//! `soak`: prints the figures of one run as JSON; `--help` lists its options.

use std::process::ExitCode;

use bowline_soak::Plan;
use clap::Parser as _;

#[tokio::main]
async fn main() -> ExitCode {
    env_logger::init();
    match bowline_soak::run(&Plan::parse()).await {
        Ok(report) => {
            println!("{}", serde_json::to_string(&report).expect("a report is plain figures"));
            if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("soak: {error}");
            ExitCode::FAILURE
        }
    }
}
