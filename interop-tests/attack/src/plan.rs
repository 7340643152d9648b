//! What is attacked.

use std::path::PathBuf;

use clap::Args;

/// What to run.
#[derive(Debug, Clone, Args)]
pub struct Plan {
    /// Rows whose names hold this.
    #[arg(long, value_name = "TEXT")]
    pub only: Option<String>,
    /// Smaller attacks on a server with less patience.
    #[arg(long)]
    pub short: bool,
    /// The program that is the server: this one, with `serve` as its first word.
    #[arg(skip = std::env::current_exe().expect("the system names the program that runs"))]
    pub program: PathBuf,
}
