//! Every bad network that the project makes promises about, real proxies included, with the clients of
//! the project and those of others: who connects, how fast, and what is lost.
//!
//! A row is a client and its server as programs of their own, with a network between them. Both ends
//! send a numbered event and a numbered request twenty times a second, and say what they sent, what
//! arrived and what was answered. The runner breaks the network and puts the books together.

mod books;
mod middlebox;
mod namespace;
pub mod native;
mod place;
mod program;
mod record;
mod report;
mod row;
mod scenario;
mod table;
mod tools;

use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

pub use report::table;
pub use row::Row;
use scenario::{Network, Scenario, Who};
pub use tools::{NodeTools, Tools};

/// What to run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Only rows whose scenario and client contain this.
    pub only: String,
    /// Only a few rows through the fault proxy, with the native client.
    pub quick: bool,
    /// Rows at a time.
    pub jobs: usize,
    /// Where the programs are.
    pub tools: Tools,
}

/// What a run came to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outcome {
    /// In the order of the table.
    pub rows: Vec<Row>,
    /// What this machine has not, and why: a scenario and a client each.
    pub left_out: Vec<(String, String)>,
    /// What should have run and did not, and why.
    pub failed: Vec<(String, String)>,
}

impl Outcome {
    /// True if everything ran that could, and every promise was kept.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.failed.is_empty() && self.rows.iter().all(Row::is_good)
    }
}

/// Runs the plan, and hands on each row as soon as it is there.
pub async fn run(plan: &Plan, rows: mpsc::UnboundedSender<Row>) -> Outcome {
    let missing = namespace::Namespaces::missing().await;
    let (mut outcome, mut runnable) = (Outcome::default(), Vec::new());
    for (scenario, who) in chosen(plan) {
        match left_out(&scenario, who, &plan.tools, missing.as_deref()) {
            Some(why) => outcome.left_out.push((title(&scenario, who), why)),
            None => runnable.push((scenario, who)),
        }
    }
    let results = run_all(plan, &runnable, &rows).await;
    for ((scenario, who), result) in runnable.iter().zip(results) {
        let result = match result {
            // Times are promised to one who is alone on the machine.
            Ok(row) if row.is_only_late() => {
                let again = row::run(scenario, *who, &plan.tools).await.unwrap_or(row);
                hand_on(&rows, &again);
                Ok(again)
            }
            result => result,
        };
        match result {
            Ok(row) => outcome.rows.push(row),
            Err(why) => outcome.failed.push((title(scenario, *who), why)),
        }
    }
    outcome
}

/// Runs some at a time, and returns the results in order.
async fn run_all(
    plan: &Plan,
    runnable: &[(Scenario, Who)],
    rows: &mpsc::UnboundedSender<Row>,
) -> Vec<Result<Row, String>> {
    let (places, turn) = (Arc::new(Semaphore::new(plan.jobs)), Arc::new(Semaphore::new(1)));
    let mut running = JoinSet::new();
    for (number, (scenario, who)) in runnable.iter().cloned().enumerate() {
        let (tools, rows) = (plan.tools.clone(), rows.clone());
        let (places, turn) = (places.clone(), turn.clone());
        running.spawn(async move {
            // A browser takes more of the machine than everything else.
            let _turn = if who == Who::Chromium { turn.acquire().await.ok() } else { None };
            let _place = places.acquire().await;
            let result = row::run(&scenario, who, &tools).await;
            if let Ok(row) = &result
                && !row.is_only_late()
            {
                hand_on(&rows, row);
            }
            (number, result)
        });
    }
    let mut done = running.join_all().await;
    done.sort_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, result)| result).collect()
}

fn hand_on(rows: &mpsc::UnboundedSender<Row>, row: &Row) {
    // Whoever listens may have stopped.
    let _ = rows.send(row.clone());
}

fn chosen(plan: &Plan) -> Vec<(Scenario, Who)> {
    let mut chosen = Vec::new();
    for scenario in table::all() {
        if plan.quick && !scenario.quick {
            continue;
        }
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

/// Why this row cannot be run, if it cannot.
fn left_out(
    scenario: &Scenario,
    who: Who,
    tools: &Tools,
    no_namespaces: Option<&str>,
) -> Option<String> {
    if who != Who::Native && tools.node.is_none() {
        return Some("the programs for Node were not named".to_owned());
    }
    match &scenario.network {
        Network::Namespaces(_) => no_namespaces.map(str::to_owned),
        Network::Front { middlebox, .. } | Network::Forward { middlebox, .. } => {
            let program = middlebox.program;
            (!middlebox::is_installed(program)).then(|| format!("{program} is not installed"))
        }
        Network::Proxy(_) => None,
    }
}
