//! Chooses the rows of a run, and runs them.

use std::sync::Arc;

use bowline_processes::at_least;
use clap::Args;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use crate::outcome::Outcome;
use crate::row::{Alone, Row};
use crate::scenario::{Fault, Network, Scenario, Who};
use crate::tools::Tools;
use crate::{middlebox, namespace, row, table};

/// What to run.
#[derive(Debug, Clone, Args)]
pub struct Plan {
    /// Only rows whose scenario and client contain this.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub only: String,
    /// Only a few rows through the fault proxy, with the native client, each for a short time and
    /// with times that a busy machine can keep.
    #[arg(long)]
    pub quick: bool,
    /// Rows at a time; only one of them has times to keep.
    #[arg(long, default_value = "3", value_parser = at_least(1))]
    pub jobs: usize,
    /// Where the programs are.
    #[command(flatten)]
    pub tools: Tools,
}

/// Runs the plan, and hands on each row as soon as it is there.
pub async fn run(plan: &Plan, rows: mpsc::UnboundedSender<Row>) -> Outcome {
    let missing = Missing::find().await;
    let (mut outcome, mut runnable) = (Outcome::default(), Vec::new());
    for (scenario, who) in chosen(plan) {
        match left_out(&scenario, who, &plan.tools, &missing) {
            Some(why) => outcome.left_out.push((title(&scenario, who), why)),
            None => runnable.push((scenario, who)),
        }
    }
    let results = run_all(plan, &runnable, &rows).await;
    for ((scenario, who), result) in runnable.iter().zip(results) {
        match result {
            Ok(row) => outcome.rows.push(row),
            Err(why) => outcome.failed.push((title(scenario, *who), why)),
        }
    }
    outcome
}

/// Runs all, and returns the results in order. Times are promised to one who is alone on the
/// machine, so rows begin one after the other, whosever client runs: the next one begins when the
/// last one has nothing to do any more that is measured. Rows about timers alone come afterwards,
/// some at a time.
async fn run_all(
    plan: &Plan,
    runnable: &[(Scenario, Who)],
    rows: &mpsc::UnboundedSender<Row>,
) -> Vec<Result<Row, String>> {
    let is_timed = |(_, (scenario, _)): &(usize, &(Scenario, Who))| scenario.is_timed();
    let (timed, patient): (Vec<_>, Vec<_>) = runnable.iter().enumerate().partition(is_timed);
    let mut results = run_some(plan, 1, timed, rows).await;
    results.extend(run_some(plan, plan.jobs, patient, rows).await);
    results.sort_by_key(|(number, _)| *number);
    results.into_iter().map(|(_, result)| result).collect()
}

/// Runs some, so many of them at a time with something to measure.
async fn run_some(
    plan: &Plan,
    measured: usize,
    some: Vec<(usize, &(Scenario, Who))>,
    rows: &mpsc::UnboundedSender<Row>,
) -> Vec<(usize, Result<Row, String>)> {
    let (places, machine) = (semaphore(plan.jobs), semaphore(measured));
    let mut running = JoinSet::new();
    for (number, (scenario, who)) in some {
        let (scenario, who) = (scenario.clone(), *who);
        let (tools, rows) = (plan.tools.clone(), rows.clone());
        let (places, machine) = (places.clone(), machine.clone());
        running.spawn(async move {
            let _place = places.acquire().await;
            let alone = Alone::new(machine.acquire_owned().await.ok());
            let result = row::run(&scenario, who, &tools, alone).await;
            if let Ok(row) = &result {
                // Whoever listens may have stopped.
                let _ = rows.send(row.clone());
            }
            (number, result)
        });
    }
    running.join_all().await
}

fn semaphore(places: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(places))
}

fn chosen(plan: &Plan) -> Vec<(Scenario, Who)> {
    let mut chosen = Vec::new();
    for scenario in table::all() {
        if plan.quick && !scenario.quick {
            continue;
        }
        let scenario = if plan.quick { scenario.at_leisure() } else { scenario };
        let others: &[Who] = if plan.quick { &[] } else { scenario.clients };
        for who in [Who::Native].iter().chain(others) {
            let title = title(&scenario, *who).to_lowercase();
            if title.contains(&plan.only.to_lowercase()) {
                chosen.push((scenario.clone(), *who));
            }
        }
    }
    chosen
}

fn title(scenario: &Scenario, who: Who) -> String {
    format!("{}, {}", scenario.name, who.name())
}

/// What this machine has not, and why.
struct Missing {
    namespaces: Option<String>,
    killing: Option<String>,
}

impl Missing {
    async fn find() -> Self {
        Self {
            namespaces: namespace::Namespaces::missing().await,
            killing: namespace::cannot_kill_sockets().await,
        }
    }
}

/// Why this row cannot be run, if it cannot.
fn left_out(scenario: &Scenario, who: Who, tools: &Tools, missing: &Missing) -> Option<String> {
    if who != Who::Native && tools.node.is_none() {
        return Some("the programs for Node were not named".to_owned());
    }
    match &scenario.network {
        Network::Namespaces(_) => {
            let killing = missing.killing.clone();
            let killing = killing.filter(|_| matches!(scenario.fault, Fault::KillSockets));
            missing.namespaces.clone().or(killing)
        }
        Network::Front { middlebox, .. } | Network::Forward { middlebox, .. } => {
            let program = middlebox.program;
            (!middlebox::is_installed(program)).then(|| format!("{program} is not installed"))
        }
        Network::Proxy(_) => None,
    }
}
