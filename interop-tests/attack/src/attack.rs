//! Runs a plan.

use std::time::{Duration, Instant};

use bowline_processes::RedisServer;

use crate::check::Check;
use crate::innocent::Innocent;
use crate::plan::Plan;
use crate::recovery::recover;
use crate::report::{self, Report, Row};
use crate::scenario::{Attack, REDIS, Scenario};
use crate::target::{self, Target};
use crate::{churn, floods, piled, stalled, unread, wire, words};

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
    let redis = scenario.settings.contains(&REDIS).then(RedisServer::start);
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

/// No attack takes longer.
const LONGEST: Duration = Duration::from_secs(180);
