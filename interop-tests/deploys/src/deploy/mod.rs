//! Deploys: a server process is told to end and another one is started in its place, again and
//! again, while its clients send numbered messages and ask for answers. What arrives, what is lost,
//! who was told, and how soon everyone is back.
//!
//! Server and clients are processes of their own, which this one starts and listens to. A server
//! writes down what arrives in a journal, which outlives it; a client says at the end what it
//! knows. The books are compared here.

mod books;
mod clients;
mod journal;
mod notices;
mod peers;
mod picture;
mod report;
mod rolling;
mod server;
mod stage;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::Serialize;

pub use clients::run as clients;
use peers::PEERS;
pub use report::{Report, Row};
pub use server::serve;

use bowline_processes::{Programs, at_least};

/// What to run.
#[derive(Debug, Clone, Serialize, Args)]
pub struct Plan {
    /// Of each library.
    #[arg(long, default_value = "2000", value_parser = at_least(1))]
    pub clients: usize,
    /// How often the process is replaced.
    #[arg(long, default_value = "3", value_parser = at_least(1))]
    pub deploys: usize,
    /// Chooses the moments.
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
    /// What the clients use.
    #[arg(long, value_enum, default_value_t = Transports::Mixed)]
    pub transport: Transports,
    /// Handlers that take three seconds are under way all the time.
    #[arg(long)]
    pub handlers: bool,
    /// The process is killed without a word.
    #[arg(long)]
    pub kill: bool,
    /// Server processes. Two or more are replaced one after another, behind a load balancer.
    #[arg(long, default_value = "1", value_parser = at_least(1))]
    pub nodes: usize,
    /// Where Bowline's sessions are between two processes.
    #[arg(long, value_enum, default_value_t = Stored::Files)]
    pub store: Stored,
    /// Half of Bowline's clients are those of the npm package.
    #[arg(long)]
    pub npm: bool,
    /// The commit of an older server, which takes turns with the present one. The older one
    /// begins.
    #[arg(long, value_name = "COMMIT")]
    pub old: Option<String>,
    /// Idle connections of which the memory is measured, afterwards and on a fresh server; none if
    /// that is not asked.
    #[arg(long, value_name = "CONNECTIONS", value_parser = at_least(10))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capacity: Option<usize>,
    /// Other libraries go through the same.
    #[arg(long)]
    #[serde(skip)]
    pub peers: bool,
    /// Where the programs are.
    #[command(flatten)]
    #[serde(skip)]
    pub programs: Programs,
    /// The program of the older server.
    #[arg(long, value_name = "FILE", default_value = ".")]
    #[serde(skip)]
    pub old_program: PathBuf,
    /// The folder with the servers of other libraries in Rust.
    #[arg(long, value_name = "DIR", default_value = ".")]
    #[serde(skip)]
    pub peer_programs: PathBuf,
}

/// Where sessions are between two processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Stored {
    /// In a folder.
    Files,
    /// In a Redis, which the command starts.
    Redis,
}

impl Plan {
    /// True if a process is the older server, counted from 0.
    fn is_old(&self, process: usize) -> bool {
        self.old.is_some() && process.is_multiple_of(2)
    }
}

/// What the clients of a run use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, serde::Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
#[value(rename_all = "lowercase")]
pub enum Transports {
    /// All transports are allowed, so it is the first choice.
    WebSocket,
    /// This one only.
    Sse,
    /// This one only.
    Polling,
    /// A third of the clients each.
    Mixed,
}

/// Runs the plan, and tells how far it is.
///
/// # Errors
/// When a program does not work: then nothing was measured.
pub async fn run(plan: &Plan, progress: impl Fn(String)) -> Result<Report, String> {
    if plan.nodes > 1 {
        let row = rolling::run(plan).await?;
        return Ok(Report::new(plan, vec![vec![row]]));
    }
    let mut libraries = Vec::new();
    for peer in PEERS.iter().filter(|peer| peer.is_ours || plan.peers) {
        let progress = |words: String| progress(format!("{}: {words}", peer.name));
        let mut rows = stage::run(plan, peer, &progress).await?;
        if let Some(connections) = plan.capacity {
            rows[0].idle_bytes = Some(stage::capacity(plan, peer, connections, &progress).await?);
        }
        libraries.push(rows);
    }
    Ok(Report::new(plan, libraries))
}
