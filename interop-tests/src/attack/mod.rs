//! Attacks on a server of the project, and what they cost: each against a process of its own, with an innocent client
//! beside it.
//!
//! An attack is a function that does its worst and returns the connections that it still holds. They stay open while
//! the server is watched afterwards: what a peer holds shall not depend on its leaving. Each row has bounds, and one that
//! is beyond a bound has failed.

mod churn;
mod floods;
mod innocent;
mod piled;
mod report;
pub mod server;
mod stalled;
mod target;
mod unread;
mod wire;
mod words;

use std::any::Any;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use futures::future::LocalBoxFuture;

use innocent::Innocent;
use report::{Check, MIB};
pub use report::{Report, Row};
use target::{Gauge, Target};

/// What to run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Rows whose names hold this.
    pub only: Option<String>,
    /// Smaller attacks on a server with less patience.
    pub short: bool,
    /// The program that is the server: this one, with `serve` as its first word.
    pub program: PathBuf,
}

/// One row.
struct Scenario {
    name: &'static str,
    about: &'static str,
    /// Settings of the server, as its words.
    settings: &'static [&'static str],
    /// Mebibytes that the server may have at most beyond what it had before.
    peak: f64,
    /// The server ends in two seconds with the peers still there.
    ends: bool,
    attack: for<'a> fn(&'a Attack) -> LocalBoxFuture<'a, Result<Held, String>>,
}

/// What an attack knows.
struct Attack {
    address: std::net::SocketAddr,
    short: bool,
    /// What the server has written to its log so far, in bytes.
    log: PathBuf,
    redis: Option<crate::redis_server::RedisServer>,
}

/// What an attack holds when it is over, and what it has found out besides.
#[derive(Default)]
struct Held {
    _connections: Vec<Box<dyn Any + Send>>,
    checks: Vec<Check>,
}

impl Attack {
    /// The number, or the smaller one of a short run.
    const fn scaled(&self, whole: usize, short: usize) -> usize {
        if self.short { short } else { whole }
    }
}

impl Held {
    fn connections<T: Send + 'static>(connections: Vec<T>) -> Self {
        let boxed = connections.into_iter().map(|one| Box::new(one) as Box<dyn Any + Send>);
        Self { _connections: boxed.collect(), checks: Vec::new() }
    }

    fn checks(checks: Vec<Check>) -> Self {
        Self { _connections: Vec::new(), checks }
    }
}

fn scenarios() -> impl Iterator<Item = &'static Scenario> {
    [unread::ROWS, stalled::ROWS, churn::ROWS, floods::ROWS, piled::ROWS, words::ROWS]
        .into_iter()
        .flatten()
}

/// Runs the plan, and tells how far it is.
///
/// # Errors
/// When the server or an attack does not work: then nothing was measured.
pub async fn run(plan: &Plan, progress: impl Fn(&Row)) -> Result<Report, String> {
    let mut rows = Vec::new();
    for scenario in scenarios() {
        if plan.only.as_ref().is_some_and(|only| !scenario.name.contains(only.as_str())) {
            continue;
        }
        if scenario.settings.contains(&REDIS) && !target::has_redis() {
            continue;
        }
        let row =
            one(plan, scenario).await.map_err(|error| format!("{}: {error}", scenario.name))?;
        progress(&row);
        rows.push(row);
    }
    if rows.is_empty() {
        let names: Vec<_> = scenarios().map(|scenario| scenario.name).collect();
        return Err(format!("no row is named so: {}", names.join(", ")));
    }
    Ok(Report { short: plan.short, release: !cfg!(debug_assertions), rows })
}

async fn one(plan: &Plan, scenario: &Scenario) -> Result<Row, String> {
    let redis = scenario.settings.contains(&REDIS).then(crate::redis_server::RedisServer::start);
    let target = Target::start(plan, scenario, redis.as_ref())?;
    let innocent = Innocent::start(target.address())?;
    innocent.warm_up().await?;
    let before = target.gauge()?;
    let peak = target.watch();
    let address = target.address();
    let attack = Attack { address, short: plan.short, log: target.log(), redis };
    let begun = Instant::now();
    let held = tokio::time::timeout(LONGEST, (scenario.attack)(&attack)).await;
    let held = held.map_err(|_| "the attack did not end")??;
    // Those that have connected are accepted in order.
    let synced = wire::health(target.address()).await;
    synced.map_err(|error| format!("after the attack: {error}"))?;
    let took = begun.elapsed();
    let recovery = recover(&target, before).await?;
    let peak = peak.end();
    let waits = innocent.end()?;
    let mut checks = report::judge(scenario.peak, before, peak, &recovery, &waits);
    checks.extend(held.checks.iter().cloned());
    if scenario.ends {
        let limit = Duration::from_secs(2);
        checks.push(Check::below(
            "ends in ms",
            target.end().await?.as_millis() as f64,
            limit.as_millis() as f64,
        ));
    }
    drop(held);
    Ok(Row::new(scenario.name, scenario.about, took, (before, peak, &recovery), &waits, checks))
}

/// How the server was after the attack.
struct Recovery {
    /// How long descriptors were held; `None` if they still were.
    descriptors: Option<Duration>,
    memory: Option<Duration>,
    last: Gauge,
}

async fn recover(target: &Target, before: Gauge) -> Result<Recovery, String> {
    let begun = Instant::now();
    let mut recovery = Recovery { descriptors: None, memory: None, last: before };
    let mut same = 0;
    while begun.elapsed() < MEMORY_BACK && same < SAMPLES {
        recovery.last = target.gauge()?;
        let since = |known: Option<Duration>, is_back: bool| {
            is_back.then(|| known.unwrap_or_else(|| begun.elapsed()))
        };
        let Gauge { resident, descriptors } = recovery.last;
        recovery.descriptors = since(recovery.descriptors, descriptors <= before.descriptors);
        recovery.memory = since(recovery.memory, resident <= before.resident + 20.0 * MIB);
        let is_back = recovery.descriptors.is_some() && recovery.memory.is_some();
        same = if is_back { same + 1 } else { 0 };
        if recovery.descriptors.is_none() && begun.elapsed() > DESCRIPTORS_BACK {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(recovery)
}

/// The word of a server that shares a Redis with others.
const REDIS: &str = "redis";

/// How often in a row everything has to be back.
const SAMPLES: usize = 5;

const DESCRIPTORS_BACK: Duration = Duration::from_secs(30);
const MEMORY_BACK: Duration = Duration::from_secs(60);

/// No attack takes longer.
const LONGEST: Duration = Duration::from_secs(180);
