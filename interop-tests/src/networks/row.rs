//! Runs one client through one scenario.

use std::time::Duration;

use serde::Serialize;
use tokio::time::{sleep, timeout};

use super::Tools;
use super::books::{Books, Sum};
use super::place::{Place, START};
use super::program::{Ledger, Program};
use super::scenario::{Bounds, Fault, Scenario, Who};

/// What one client met in one scenario.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// Which scenario.
    pub scenario: String,
    /// Which client.
    pub client: String,
    /// The transport at the end, `none` when nothing worked.
    pub transport: String,
    /// Every transport in turn.
    pub transports: Vec<String>,
    /// Milliseconds from the start to the answer to the first request.
    pub first: Option<u64>,
    /// Milliseconds from the start to the last change of connection before the fault.
    pub settled: Option<u64>,
    /// Milliseconds from the fault until messages passed both ways.
    pub recover: Option<u64>,
    /// Messages and requests that were taken from either application.
    pub sent: u64,
    /// Those that did not arrive, or were not answered.
    pub lost: u64,
    /// Arrivals beyond the first.
    pub duplicated: u64,
    /// First arrivals behind a later message.
    pub reordered: u64,
    /// Messages that were not taken, with an error at once.
    pub refused: u64,
    /// What was promised and not kept.
    pub broken: Vec<String>,
    /// Why broken promises are not held against the run.
    pub not_yet: Option<String>,
}

impl Row {
    /// True if nothing is wrong but that something took too long, which the machine may have caused.
    pub(crate) fn is_only_late(&self) -> bool {
        let late = |broken: &String| broken.contains(" ms, promised ");
        !self.broken.is_empty() && self.broken.iter().all(late)
    }

    /// True if everything that was promised was kept.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.broken.is_empty() || self.not_yet.is_some()
    }
}

/// Runs it.
///
/// # Errors
/// When the network could not be put up.
pub(crate) async fn run(scenario: &Scenario, who: Who, tools: &Tools) -> Result<Row, String> {
    let ledger = Ledger::new();
    let mut place = Place::put_up(scenario, who, tools, &ledger).await?;
    let mut client = Program::start(place.client(scenario, who, tools), &ledger)?;
    let mut struck = None;
    if is_connected(&ledger).await {
        sleep(scenario.calm).await;
        if !matches!(scenario.fault, Fault::None) {
            let moment = place.strike(scenario.fault, &client).await?;
            struck = Some(moment);
            let wait = patience(&scenario.bounds, who);
            // What does not come back is seen in the row.
            let recovered = ledger.find(|books| recovery(books, scenario.fault, moment));
            let _ = timeout(wait, recovered).await;
        }
        sleep(scenario.watch).await;
    }
    client.stop().await;
    place.stop().await;
    settle(&ledger, place.programs() + 1).await;
    client.end().await;
    place.take_down().await;
    let row = ledger.look(|books| conclude(books, scenario, who, struck));
    if row.lost > 0 || row.transport == "none" {
        ledger.look(|books| log::info!("{} {}: {:?}", row.scenario, row.client, books.notes));
    }
    Ok(row)
}

/// Waits until the client has its first answer.
async fn is_connected(ledger: &Ledger) -> bool {
    let started = ledger.find(|books| books.connecting);
    if timeout(START, started).await.is_err() {
        return false;
    }
    timeout(CONNECT, ledger.find(Books::first_answer)).await.is_ok()
}

/// Waits until nothing is under way, or nothing more comes.
async fn settle(ledger: &Ledger, programs: usize) {
    let is_over = |books: &Books| books.stopped >= programs && books.is_complete();
    let complete = ledger.find(|books| is_over(books).then_some(()));
    // What is lost never comes.
    let _ = timeout(SETTLE, complete).await;
}

fn recovery(books: &Books, fault: Fault, moment: f64) -> Option<f64> {
    match fault {
        Fault::Heal => {
            let back = |(at, name): &&(f64, String)| *at >= moment && is_websocket(name);
            books.transports.iter().find(back).map(|(at, _)| *at)
        }
        _ => books.recovered_after(moment),
    }
}

/// By the names of all clients.
fn is_websocket(name: &str) -> bool {
    name.eq_ignore_ascii_case("websocket") || name == "WebSockets"
}

fn patience(bounds: &Bounds, who: Who) -> Duration {
    let beyond = if who.is_ours() { PATIENCE } else { PATIENCE_WITH_OTHERS };
    bounds.recover.map_or(beyond, |bound| bound + beyond)
}

fn conclude(books: &Books, scenario: &Scenario, who: Who, struck: Option<f64>) -> Row {
    let begun = books.connecting.unwrap_or_default();
    let since = |from: f64, at: f64| (at - from).max(0.0).round() as u64;
    let names = books.transports.iter().map(|(_, name)| name.clone());
    let before = |(at, _): &&(f64, String)| struck.is_none_or(|struck| *at < struck);
    let settled = books.transports.iter().rfind(before);
    let Sum { sent, lost, duplicated, reordered, refused } = books.sum();
    let connected = books.first_answer().is_some();
    let last = books.transports.last().map(|(_, name)| name.clone());
    let mut row = Row {
        scenario: scenario.name.to_owned(),
        client: who.name().to_owned(),
        transport: last.filter(|_| connected).unwrap_or_else(|| "none".to_owned()),
        transports: names.collect(),
        first: books.first_answer().map(|at| since(begun, at)),
        settled: settled.map(|(at, _)| since(begun, *at)),
        recover: struck
            .and_then(|struck| recovery(books, scenario.fault, struck).map(|at| since(struck, at))),
        sent,
        lost,
        duplicated,
        reordered,
        refused,
        broken: Vec::new(),
        not_yet: scenario.not_yet.map(str::to_owned),
    };
    if who.is_ours() {
        row.broken = broken(&row, scenario);
    }
    row
}

/// What was promised and not kept.
fn broken(row: &Row, scenario: &Scenario) -> Vec<String> {
    let mut broken = Vec::new();
    let counts = [
        ("lost", row.lost),
        ("duplicated", row.duplicated),
        ("reordered", row.reordered),
        ("refused", row.refused),
    ];
    for (what, count) in counts.iter().filter(|(_, count)| *count > 0) {
        broken.push(format!("{count} {what}"));
    }
    let Bounds { transports, first, settled, recover } = scenario.bounds;
    if row.transport == "none" {
        broken.push("no connection".to_owned());
    } else if !transports.is_empty() && !transports.contains(&&*row.transport) {
        broken.push(format!("on {} instead of {}", row.transport, transports.join(" or ")));
    }
    let has_fault = !matches!(scenario.fault, Fault::None);
    for (what, bound, is) in [
        ("first message", first, row.first),
        ("settled", settled, row.settled),
        ("recovered", recover.filter(|_| has_fault), row.recover),
    ] {
        let Some(bound) = bound.map(|bound| bound.as_millis() as u64) else { continue };
        match is {
            Some(is) if is <= bound => {}
            Some(is) => broken.push(format!("{what} after {is} ms, promised {bound} ms")),
            None => broken.push(format!("{what}: never, promised {bound} ms")),
        }
    }
    broken
}

/// How long a client may take until its first message, before it counts as not connected.
const CONNECT: Duration = Duration::from_secs(30);

/// How long beyond the promise a recovery is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// Others may take as long as their default heartbeats, some 45 s.
const PATIENCE_WITH_OTHERS: Duration = Duration::from_secs(50);

/// How long what is under way may take at the end.
const SETTLE: Duration = Duration::from_secs(15);
