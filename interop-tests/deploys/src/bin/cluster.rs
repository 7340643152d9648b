//! `cluster`: several nodes behind HAProxy and Redis; see `cargo xtask cluster`. `cluster node` is
//! one of them.

use std::process::ExitCode;
use std::time::Duration;

use bowline_deploys::fleet::{self, Plan, cost};
use bowline_processes::at_least;
use clap::{Parser, Subcommand, value_parser};

/// Kills, cuts off or drains the nodes of a cluster while its clients exchange messages.
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Options {
    #[command(subcommand)]
    part: Option<Part>,
    /// Server processes.
    #[arg(long, default_value = "3", value_parser = at_least(2))]
    nodes: usize,
    /// Clients; rounded up to a multiple of four.
    #[arg(long, default_value_t = 60)]
    clients: usize,
    /// Numbered messages of all clients.
    #[arg(long, default_value_t = 30_000, value_parser = value_parser!(u64).range(1..))]
    messages: u64,
    /// Chooses the victim and the moments.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Kills a node and starts it again.
    #[arg(long)]
    kill: bool,
    /// Takes Redis away for a while.
    #[arg(long)]
    redis_restart: bool,
    /// Seconds for which Redis is away.
    #[arg(long, default_value_t = 10)]
    outage: u64,
    /// Drains and restarts one node after another.
    #[arg(long)]
    rolling: bool,
    /// How long sending takes at least; as long as the faults need unless set.
    #[arg(long)]
    seconds: Option<u64>,
    /// Measures what a second node and a relayed carrier cost, and does nothing else.
    #[arg(long)]
    cost: bool,
    #[command(flatten)]
    measured: cost::Plan,
}

/// The programs of a run.
#[derive(Subcommand)]
enum Part {
    /// A node.
    Node { port: u16, redis: String },
}

fn main() -> ExitCode {
    env_logger::init();
    let options = Options::parse();
    let outcome = match &options.part {
        Some(Part::Node { port, redis }) => {
            let served = actix_web::rt::System::new().block_on(fleet::serve(*port, redis));
            served.map(|()| true)
        }
        None if options.cost => cost(&options.measured),
        None => run(&options.plan()),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("cluster: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Prints the figures, and the comparison for people; true if what was promised is kept.
fn cost(plan: &cost::Plan) -> Result<bool, String> {
    let figures = cost::run(plan)?;
    println!("{}", figures.json());
    println!("{}", figures.comparison());
    let broken = figures.broken_promises();
    for promise in &broken {
        eprintln!("not kept: {promise}");
    }
    Ok(broken.is_empty())
}

/// Prints the report; true if it is clean.
fn run(plan: &Plan) -> Result<bool, String> {
    let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let report = runtime.block_on(fleet::run(plan, &program))?;
    println!("{}", serde_json::to_string(&report).expect("a report is plain figures"));
    let broken = report.broken_promises();
    for promise in &broken {
        eprintln!("not kept: {promise}");
    }
    Ok(broken.is_empty())
}

impl Options {
    fn plan(&self) -> Plan {
        let redis_restart = self.redis_restart.then(|| Duration::from_secs(self.outage));
        // Long enough for each fault to have something before and after it.
        let usual = 10 * u64::from(self.rolling)
            + 12 * u64::from(self.kill)
            + redis_restart.map_or(0, |_| self.outage + 8);
        Plan {
            nodes: self.nodes,
            clients: self.clients.div_ceil(4) * 4,
            messages: self.messages,
            seed: self.seed,
            kill: self.kill,
            redis_restart,
            rolling: self.rolling,
            lasts: Duration::from_secs(self.seconds.unwrap_or(usual)),
        }
    }
}
