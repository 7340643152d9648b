//! Real server processes behind a real load balancer and a real Redis, while nodes are drained or
//! killed and Redis goes away.
//!
//! Clients of all transports sit in rooms of four. Each sends numbered requests; the handler tells
//! the room, and the others write down what comes. The balancer is HAProxy, round robin, without
//! cookies. At the end the books are compared: what did not arrive must have been reported, to the
//! sender as a request without its answer, or to the receiver as a gap or as the loss of its
//! session.

mod books;
pub mod cost;
mod faults;
mod node;
mod processes;
mod report;
mod talk;

use std::sync::Arc;
use std::time::{Duration, Instant};

pub use books::Books;
pub use node::serve;
use processes::Fleet;
pub use report::Report;

/// What to run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Server processes.
    pub nodes: usize,
    /// Clients; rounded up to a multiple of four.
    pub clients: usize,
    /// Numbered messages of all clients.
    pub messages: u64,
    /// Chooses the victim and the moments.
    pub seed: u64,
    /// Kills a node and starts it again.
    pub kill: bool,
    /// Takes Redis away for so long.
    pub redis_restart: Option<Duration>,
    /// Drains and restarts one node after another.
    pub rolling: bool,
    /// How long sending takes at least, for faults to happen in the middle of it.
    pub lasts: Duration,
}

impl Plan {
    /// Messages of one client.
    const fn per_client(&self) -> u64 {
        self.messages.div_ceil(self.clients as u64)
    }
}

/// Runs the plan. `program` is the one that runs a node when its first word is `node`. Prints its
/// progress to standard error.
///
/// # Errors
/// When something does not start: says what to install.
pub async fn run(plan: &Plan, program: &std::path::Path) -> Result<Report, String> {
    let begun = Instant::now();
    let mut fleet = Fleet::start(plan.nodes, program).await?;
    let books = Arc::new(Books::new(plan.clients, plan.per_client()));
    let clients = talk::connect(plan, &fleet.url(), &books).await?;
    eprintln!("{} clients are connected to {} nodes", clients.len(), plan.nodes);
    let talking = talk::all(plan, &clients, &books);
    let faults = faults::all(plan, &mut fleet);
    let ((), happened) = futures::join!(talking, faults);
    let happened = happened?;
    talk::settle(&books).await;
    let mut report = Report::new(plan, &books, &clients);
    for client in &clients {
        client.close().await;
    }
    report.declared_after_ms = happened.killed.and_then(|killed| books.declared_after(killed));
    report.silences = books.silences(&happened.replaced);
    report.add(&fleet.stop().await);
    report.seconds = begun.elapsed().as_secs();
    Ok(report)
}

/// Members of a room.
const ROOM: usize = 4;
