//! What several nodes cost: a broadcast over two of them beside one that is alone, and a hop of a
//! relayed carrier.
//!
//! Each node is a process with one worker. The one that is measured has a core of its own; the
//! scheduler counts what its threads have used, in nanoseconds. The clients, which are in this
//! process, Redis and the other node share the other core. All layouts stand beside each other and
//! are measured in turn, for a moment each, so that whatever else the machine does meets them
//! alike; the median of all turns counts.

mod figures;
mod hop;
mod layout;
mod witness;

use std::process::{Command, Stdio};
use std::time::Duration;

use bowline_processes::at_least;
use clap::Args;

pub use figures::Figures;
use layout::{Layout, Sample, World};

/// How much is measured.
#[derive(Debug, Clone, Copy, Args)]
pub struct Plan {
    /// How often everything is started anew.
    #[arg(long, requires = "cost", default_value = "3", value_parser = at_least(1))]
    pub rounds: usize,
    /// How often each layout has its turn in a round.
    #[arg(long, requires = "cost", default_value = "6", value_parser = at_least(1))]
    pub turns: usize,
}

/// Measures. Prints its progress to standard error.
///
/// # Errors
/// When something does not start, or a message does not arrive.
pub fn run(plan: &Plan) -> Result<Figures, String> {
    let mut turns = Vec::new();
    keep_to("1")?;
    for round in 1..=plan.rounds {
        eprintln!("round {round} of {}", plan.rounds);
        let worlds = Layout::ALL.map(World::start).into_iter().collect::<Result<Vec<_>, _>>();
        measure(&mut worlds?, plan, &mut turns)?;
    }
    keep_to("0-1")?;
    let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
    Ok(Figures::new(turns, runtime.block_on(hop::measure())))
}

/// The first turn of each is a warm-up. Which is first changes from turn to turn.
fn measure(worlds: &mut [World], plan: &Plan, turns: &mut Vec<Turn>) -> Result<(), String> {
    for burst in &BURSTS {
        for number in 0..=plan.turns {
            let mut samples = Vec::new();
            for at in 0..worlds.len() {
                let world = (number + at) % worlds.len();
                samples.push(worlds[world].sample(burst)?);
            }
            if number > 0 {
                turns.push(Turn { in_flight: burst.broadcasts, samples });
            }
        }
    }
    Ok(())
}

/// What was measured of all layouts at about the same time.
#[derive(Debug)]
struct Turn {
    in_flight: u64,
    samples: Vec<Sample>,
}

/// Keeps this process, and what it starts from now on, to some cores.
fn keep_to(cores: &str) -> Result<(), String> {
    let mut taskset = Command::new("taskset");
    taskset.args(["--all-tasks", "--pid", "--cpu-list", cores, &std::process::id().to_string()]);
    let status = taskset.stdout(Stdio::null()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        outcome => Err(format!("this process cannot be kept to cores {cores}: {outcome:?}")),
    }
}

/// Members of the room.
const MEMBERS: usize = 1_000;

/// What is said in a turn: every so often some broadcasts at once. All layouts rest as long in
/// between as is left of that, so that none finds its memory in the processor's caches more than
/// another does.
#[derive(Debug)]
struct Burst {
    broadcasts: u64,
    every: Duration,
    times: u32,
}

const BURSTS: [Burst; 2] = [
    Burst { broadcasts: 1, every: Duration::from_millis(16), times: 50 },
    Burst { broadcasts: 16, every: Duration::from_millis(50), times: 16 },
];
