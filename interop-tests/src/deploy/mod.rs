//! Deploys: a server process is told to end and another one is started in its place, again and again, while its clients
//! send numbered messages and ask for answers. What arrives, what is lost, who was told, and how soon everyone is back.
//!
//! Server and clients are processes of their own, which this one starts and listens to. A server writes down what arrives
//! in a journal, which outlives it; a client says at the end what it knows. The books are compared here.

mod books;
mod clients;
mod journal;
mod peers;
mod report;
mod rolling;
mod said;
mod server;
mod stage;

use std::path::PathBuf;

pub use clients::run as clients;
use peers::PEERS;
pub use report::{Report, Row};
pub use server::serve;

pub use crate::program::Programs;

/// What to run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Of each library.
    pub clients: usize,
    /// How often the process is replaced.
    pub deploys: usize,
    /// Chooses the moments.
    pub seed: u64,
    /// What the clients use.
    pub transport: Transports,
    /// Handlers that take three seconds are under way all the time.
    pub handlers: bool,
    /// The process is killed without a word.
    pub kill: bool,
    /// Server processes. Two or more are replaced one after another, behind a load balancer.
    pub nodes: usize,
    /// Half of Bowline's clients are those of the npm package.
    pub npm: bool,
    /// Other libraries go through the same.
    pub peers: bool,
    /// Where the programs are.
    pub programs: Programs,
    /// The folder with the servers of other libraries in Rust.
    pub peer_programs: PathBuf,
}

/// What the clients of a run use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
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
        return Ok(Report::new(plan, vec![row]));
    }
    let mut rows = Vec::new();
    for peer in PEERS.iter().filter(|peer| peer.is_ours || plan.peers) {
        let progress = |words: String| progress(format!("{}: {words}", peer.name));
        rows.push(stage::run(plan, peer, &progress).await?);
    }
    Ok(Report::new(plan, rows))
}
