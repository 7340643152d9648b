//! Broadcasts to clients whose connections are cut again and again, beside other libraries: what
//! arrives, and how late.
//!
//! Each client has a network of its own, a [`FaultProxy`](bowline_fault_proxy::FaultProxy). From
//! time to time all its connections are reset, whatever they transport, and nothing can be opened
//! for a while. The schedule follows from a seed and is the same for every peer; all peers run at
//! the same time. Servers and clients are programs of their own, which say what they counted.

mod figures;
pub mod native;
mod network;
mod notices;
mod peers;

use std::time::Duration;

use clap::Args;
use futures::future::{join_all, try_join_all};
use tokio::time::{Instant, sleep, sleep_until};

pub(crate) use figures::percentile;
pub use figures::{Report, Row};
use network::Networks;
use notices::{Counted, Notice, Work};
use peers::{PEERS, Peer};

use bowline_processes::Program;
use bowline_processes::Programs;

/// What to run.
#[derive(Debug, Clone, Args)]
pub struct Plan {
    /// Of each peer.
    #[arg(long, default_value_t = 300)]
    pub clients: usize,
    /// How long a round broadcasts, twice a second.
    #[arg(long, default_value_t = 60)]
    pub seconds: u64,
    /// One after the other.
    #[arg(long, default_value_t = 3)]
    pub rounds: usize,
    /// Of the schedule.
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
    /// Where the programs are.
    #[command(flatten)]
    pub programs: Programs,
}

/// Runs the plan, and tells how far it is.
///
/// # Errors
/// When a program does not work: then nothing was measured.
pub async fn run(plan: &Plan, progress: impl Fn(String)) -> Result<Report, String> {
    let mut rows = Vec::new();
    for round in 1..=plan.rounds {
        let progress =
            |words: String| progress(format!("round {round} of {}: {words}", plan.rounds));
        rows.extend(self::round(plan, round, &progress).await?);
    }
    Ok(Report { clients: plan.clients, seconds: plan.seconds, seed: plan.seed, rows })
}

async fn round(plan: &Plan, round: usize, progress: &impl Fn(String)) -> Result<Vec<Row>, String> {
    progress(format!("connecting {} clients of each peer", plan.clients));
    let stages = PEERS.iter().map(|peer| Stage::set_up(peer, plan));
    let mut stages = try_join_all(stages).await?;
    let (begin, time) = (Instant::now(), Duration::from_secs(plan.seconds));
    let seed = plan.seed.wrapping_add(round as u64);
    for stage in &mut stages {
        stage.server.order(&Work::broadcasts(plan.seconds)).await?;
        stage.networks.misbehave(seed, begin + time);
    }
    for seconds in (STEP..plan.seconds).step_by(STEP as usize) {
        sleep_until(begin + Duration::from_secs(seconds)).await;
        progress(format!("{seconds} of {} s", plan.seconds));
    }
    let counted = join_all(stages.into_iter().map(|stage| stage.finish(time))).await;
    let counted = counted.into_iter().collect::<Result<Vec<_>, _>>()?;
    progress("counted".to_owned());
    let expected = plan.clients as u64 * Work::messages(plan.seconds);
    let rows = PEERS.iter().zip(counted);
    Ok(rows.map(|(peer, (cuts, counted))| Row::new(peer, round, expected, cuts, counted)).collect())
}

/// A peer's server, its clients, and the network of each of them.
struct Stage {
    server: Program,
    networks: Networks,
    clients: Program,
}

impl Stage {
    async fn set_up(peer: &Peer, plan: &Plan) -> Result<Self, String> {
        let mut server = Program::start(peer.server(&plan.programs))?;
        let port = server.hear(PATIENCE, Notice::port).await?;
        let networks = Networks::before(port, plan.clients).await?;
        let mut clients = Program::start(peer.clients(&plan.programs))?;
        clients.order(&Work::clients(networks.urls(), plan.seconds)).await?;
        clients.hear(CONNECTING, |said| matches!(said, Notice::Connected).then_some(())).await?;
        Ok(Self { server, networks, clients })
    }

    /// Waits for what is still to come, and returns the number of cuts and what the clients have
    /// counted.
    async fn finish(mut self, time: Duration) -> Result<(u64, Counted), String> {
        self.server
            .hear(time + PATIENCE, |said| matches!(said, Notice::Sent).then_some(()))
            .await?;
        // What is lost never comes, so this may take its whole time.
        let complete = |said| matches!(said, Notice::Complete).then_some(());
        let _ = self.clients.hear(LATE, complete).await;
        sleep(REPEATS).await;
        self.clients.order("count").await?;
        let counted = self.clients.hear(PATIENCE, Notice::counted).await?;
        Ok((self.networks.cuts(), counted))
    }
}

/// Seconds between two reports of progress.
const STEP: u64 = 10;
/// How long a program may take to do something small.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long all clients may take to connect.
const CONNECTING: Duration = Duration::from_secs(60);
/// How much later than the last broadcast something may arrive.
const LATE: Duration = Duration::from_secs(15);
/// How much later than the last message something may arrive once more.
const REPEATS: Duration = Duration::from_secs(1);
