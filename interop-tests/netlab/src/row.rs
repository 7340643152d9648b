//! Runs one client through one scenario.

use std::pin::pin;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{sleep, timeout};

use crate::books::{Books, Sum};
use crate::place::{Place, START, Strike};
use crate::program::{Ledger, Program};
use crate::record::wall_clock;
use crate::scenario::{Bounds, Fault, LONG, Scenario, Who};
use crate::tools::Tools;

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
    /// Milliseconds from the fault until the client said that its connection is gone.
    pub noticed: Option<u64>,
    /// Milliseconds from the fault until messages passed both ways.
    pub recover: Option<u64>,
    /// Connections that were made after it had recovered, or, without a fault, after it should
    /// have settled: there is no reason for any.
    pub later: Option<u64>,
    /// Seconds in which they were counted.
    pub watched: u64,
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
    /// Arrivals of what was not sent, or was refused.
    pub unsent: u64,
    /// True if the network had nothing to break for this client, which for ours is a failure of
    /// the run.
    pub untouched: bool,
    /// What was promised and not kept.
    pub broken: Vec<String>,
}

impl Row {
    /// True if everything that was promised was kept.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.broken.is_empty()
    }
}

/// The machine, to oneself while there is something to measure.
#[derive(Debug)]
pub(crate) struct Alone(Option<OwnedSemaphorePermit>);

impl Alone {
    pub(crate) const fn new(machine: Option<OwnedSemaphorePermit>) -> Self {
        Self(machine)
    }

    /// Waits. What takes very long is a matter of timers, and others may have the machine
    /// meanwhile.
    async fn wait<T>(&mut self, limit: Duration, what: impl Future<Output = T>) -> Option<T> {
        let mut what = pin!(timeout(limit, what));
        tokio::select! {
            done = &mut what => return done.ok(),
            () = sleep(LONG) => self.is_over(),
        }
        what.await.ok()
    }

    /// Nothing is measured any more.
    fn is_over(&mut self) {
        drop(self.0.take());
    }
}

/// Runs it.
///
/// # Errors
/// When the network could not be put up, when it did nothing to a client of ours, or when a program
/// did not do its part: such a row says nothing.
pub(crate) async fn run(
    scenario: &Scenario,
    who: Who,
    tools: &Tools,
    mut alone: Alone,
) -> Result<Row, String> {
    let ledger = Ledger::new();
    let mut place = Place::put_up(scenario, who, tools, &ledger).await?;
    let mut client = Program::start(place.client(scenario, who, tools), &ledger)?;
    let (mut struck, mut untouched) = (None::<Strike>, false);
    let connected = is_connected(&ledger, &mut alone).await;
    if connected {
        sleep(scenario.calm).await;
        if !matches!(scenario.fault, Fault::None) {
            let strike = place.strike(scenario, &client).await?;
            struck = Some(strike);
            untouched = !strike.found;
            let recovered = ledger.find(|books| recovery(books, scenario.fault, strike.at));
            // What does not come back is seen in the row.
            let _ = alone.wait(patience(&scenario.bounds, who), recovered).await;
        }
        alone.is_over();
        sleep(scenario.watch).await;
    }
    alone.is_over();
    if matches!(scenario.fault, Fault::None) || connected {
        untouched |= !is_proven(&place, scenario).await;
    }
    let ended = wall_clock();
    client.stop().await;
    place.stop().await;
    settle(&ledger, place.programs() + 1).await;
    client.end().await;
    place.take_down().await;
    let mut row = ledger.look(|books| conclude(books, scenario, who, struck, ended));
    row.untouched = untouched;
    if row.lost > 0 || row.transport == "none" {
        ledger.look(|books| log::info!("{} {}: {:?}", row.scenario, row.client, books.notes));
    }
    ledger.look(|books| says_something(books, &row, who)).map(|()| row)
}

/// What a fault shows while it strikes is not asked again.
async fn is_proven(place: &Place, scenario: &Scenario) -> bool {
    let was_asked = matches!(scenario.fault, Fault::Commands(..));
    was_asked || place.proves(scenario.proof).await
}

/// Fails when the row proves nothing, whatever its numbers are.
fn says_something(books: &Books, row: &Row, who: Who) -> Result<(), String> {
    if let Some(why) = books.failures.first() {
        return Err(format!("a program does not work: {why}"));
    }
    let silent = books.silent();
    if row.transport != "none" && !silent.is_empty() {
        return Err(format!("nothing was sent: {silent:?}"));
    }
    if row.untouched && who.is_ours() {
        return Err("the fault did not strike".to_owned());
    }
    Ok(())
}

/// Waits until the client has its first answer.
async fn is_connected(ledger: &Ledger, alone: &mut Alone) -> bool {
    let started = ledger.find(|books| books.connecting);
    if timeout(START, started).await.is_err() {
        return false;
    }
    alone.wait(CONNECT, ledger.find(Books::first_answer)).await.is_some()
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

fn conclude(
    books: &Books,
    scenario: &Scenario,
    who: Who,
    struck: Option<Strike>,
    ended: f64,
) -> Row {
    let begun = books.connecting.unwrap_or_default();
    let since = |from: f64, at: f64| (at - from).max(0.0).round() as u64;
    let names = books.transports.iter().map(|(_, name)| name.clone());
    let before = |(at, _): &&(f64, String)| struck.is_none_or(|strike| *at < strike.begun);
    let settled = books.transports.iter().rfind(before);
    let Sum { sent, lost, duplicated, reordered, refused, unsent } = books.sum();
    let recovered = struck.and_then(|strike| recovery(books, scenario.fault, strike.at));
    let breaks = struck.filter(|_| !matches!(scenario.fault, Fault::Heal));
    let gone = breaks.and_then(|strike| {
        let at = books.noticed_after(strike.begun).filter(|at| *at < ended)?;
        Some((strike, at))
    });
    let noticed = gone.map(|(strike, at)| since(strike.begun, at));
    // A program may say which transport it has a moment after the first messages have passed over
    // it.
    let own = gone.and_then(|(strike, at)| {
        let mut made = books.transports.iter().map(|(made, _)| *made);
        made.find(|made| *made >= strike.begun).filter(|_| Some(at) < recovered)
    });
    let steady = match struck {
        Some(_) => recovered.map(|recovered| recovered.max(own.unwrap_or_default())),
        None => scenario.bounds.settled.map(|bound| begun + bound.as_secs_f64() * 1000.0),
    };
    let later = |steady: f64| {
        let late = |at: f64| at > steady && at < ended;
        books.transports.iter().filter(|(at, _)| late(*at)).count() as u64
    };
    let connected = books.first_answer().is_some();
    let last = books.transports.last().map(|(_, name)| name.clone());
    let mut row = Row {
        scenario: scenario.name.to_owned(),
        client: who.name().to_owned(),
        transport: last.filter(|_| connected).unwrap_or_else(|| "none".to_owned()),
        transports: names.collect(),
        first: books.first_answer().map(|at| since(begun, at)),
        settled: settled.map(|(at, _)| since(begun, *at)),
        noticed,
        recover: struck.zip(recovered).map(|(strike, at)| since(strike.at, at)),
        later: steady.filter(|_| connected).map(later),
        watched: steady.map_or(0, |steady| since(steady, ended) / 1000),
        sent,
        lost,
        duplicated,
        reordered,
        refused,
        unsent,
        untouched: false,
        broken: Vec::new(),
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
        ("arrived and were not sent", row.unsent),
        ("connections after it was well", row.later.unwrap_or_default()),
    ];
    for (what, count) in counts.iter().filter(|(_, count)| *count > 0) {
        broken.push(format!("{count} {what}"));
    }
    let Bounds { transports, first, settled, noticed, recover } = scenario.bounds;
    if row.transport == "none" {
        broken.push("no connection".to_owned());
    } else if !transports.is_empty() && !transports.contains(&&*row.transport) {
        broken.push(format!("on {} instead of {}", row.transport, transports.join(" or ")));
    }
    let has_fault = !matches!(scenario.fault, Fault::None);
    for (what, bound, is) in [
        ("first message", first, row.first),
        ("settled", settled, row.settled),
        ("noticed", noticed, row.noticed),
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
