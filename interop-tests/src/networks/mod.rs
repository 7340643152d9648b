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
    /// What could not be run, and why.
    pub left_out: Vec<(String, String)>,
}

impl Outcome {
    /// True if every promise was kept.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.rows.iter().all(Row::is_good)
    }
}

/// Runs the plan, and hands on each row as soon as it is there.
pub async fn run(plan: &Plan, rows: mpsc::UnboundedSender<Row>) -> Outcome {
    let (places, turn) = (Arc::new(Semaphore::new(plan.jobs)), Arc::new(Semaphore::new(1)));
    let missing = Arc::new(missing().await);
    let mut running = JoinSet::new();
    let rows_of = chosen(plan);
    for (number, (scenario, who)) in rows_of.clone().into_iter().enumerate() {
        let (tools, rows, missing) = (plan.tools.clone(), rows.clone(), missing.clone());
        let (places, turn) = (places.clone(), turn.clone());
        running.spawn(async move {
            let _place = places.acquire().await;
            // A browser takes more of the machine than everything else.
            let _turn = if who == Who::Chromium { turn.acquire().await.ok() } else { None };
            let outcome = match left_out(&scenario, who, &tools, &missing) {
                Some(why) => Err(why),
                None => row::run(&scenario, who, &tools).await,
            };
            if let Ok(row) = &outcome
                && !row.is_only_late()
            {
                // Whoever listens may have stopped.
                let _ = rows.send(row.clone());
            }
            let title = format!("{}, {}", scenario.name, who.name());
            (number, outcome.map_err(|why| (title, why)))
        });
    }
    let mut done = running.join_all().await;
    done.sort_by_key(|(number, _)| *number);
    let mut outcome = Outcome::default();
    for (number, result) in done {
        match result {
            Ok(row) if row.is_only_late() => {
                let (scenario, who) = &rows_of[number];
                // Times are promised to one who is alone on the machine.
                let again = row::run(scenario, *who, &plan.tools).await.unwrap_or(row);
                let _ = rows.send(again.clone());
                outcome.rows.push(again);
            }
            Ok(row) => outcome.rows.push(row),
            Err(left_out) => outcome.left_out.push(left_out),
        }
    }
    outcome
}

fn chosen(plan: &Plan) -> Vec<(Scenario, Who)> {
    let mut chosen = Vec::new();
    for scenario in table::all() {
        if plan.quick && !scenario.quick {
            continue;
        }
        let others: &[Who] = if plan.quick { &[] } else { scenario.clients };
        for who in [Who::Native].iter().chain(others) {
            let title = format!("{}, {}", scenario.name, who.name()).to_lowercase();
            if title.contains(&plan.only.to_lowercase()) {
                chosen.push((scenario.clone(), *who));
            }
        }
    }
    chosen
}

/// Why namespaces do not work here, if they do not.
async fn missing() -> Option<String> {
    namespace::Namespaces::missing().await
}

/// Why this row cannot be run, if it cannot.
fn left_out(
    scenario: &Scenario,
    who: Who,
    tools: &Tools,
    missing: &Option<String>,
) -> Option<String> {
    if who != Who::Native && tools.node.is_none() {
        return Some("the programs for Node were not named".to_owned());
    }
    match &scenario.network {
        Network::Namespaces(_) => missing.clone(),
        Network::Front { middlebox, .. } | Network::Forward { middlebox, .. } => {
            let program = middlebox.program;
            (!middlebox::is_installed(program)).then(|| format!("{program} is not installed"))
        }
        Network::Proxy(_) => None,
    }
}
