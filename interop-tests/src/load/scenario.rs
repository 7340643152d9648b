//! What is measured.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::clock;
use super::dialect::{Role, Transport};
use super::fleet::{Fleet, Traffic, dialect};
use super::process::Usage;

/// One kind of load.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// As the command line names it.
    pub name: &'static str,
    /// What it is, for a table.
    pub title: &'static str,
    /// The figure that is compared, a key of the result.
    pub figure: &'static str,
    /// What that figure is called in a table.
    pub unit: &'static str,
    kind: Kind,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    /// Requests that are answered with what they carry.
    Echo { transport: Transport, clients: usize, window: usize, payload: usize },
    /// One client speaks to a room of 1,000.
    FanOut { transport: Transport, window: u64 },
    /// Nobody says anything.
    Idle,
    /// Many connect at once.
    Connect,
    /// Many are cut off at once and come back.
    Resume,
    /// A room in which one member reads nothing.
    Slow,
}

/// A server that is to be loaded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target<'a> {
    pub(super) server: SocketAddr,
    /// Its process id.
    pub(super) process: &'a str,
    pub(super) dialect: &'a str,
    pub(super) warm_up: Duration,
    pub(super) time: Duration,
}

impl Scenario {
    pub(super) const fn transport(&self) -> Transport {
        match self.kind {
            Kind::Echo { transport, .. } | Kind::FanOut { transport, .. } => transport,
            Kind::Idle | Kind::Connect | Kind::Resume | Kind::Slow => Transport::WebSocket,
        }
    }

    /// True if it needs sessions that outlive their connections.
    pub(super) const fn needs_sessions(&self) -> bool {
        matches!(self.kind, Kind::Resume)
    }

    pub(super) fn run(&self, target: &Target<'_>) -> Result<Value, String> {
        let mut fleet = Fleet::new(target.server)?;
        let figures = match self.kind {
            Kind::Echo { transport, clients, window, payload } => {
                fleet.connect(clients, AT_ONCE, transport, || {
                    dialect(target.dialect, Role::Caller)
                })?;
                let payload = text(payload);
                let traffic = Traffic::Requests { window, payload: &payload };
                fleet.run(target.warm_up, traffic)?;
                measure(&mut fleet, target, |fleet| fleet.run(target.time, traffic))?
            }
            Kind::FanOut { transport, window } => {
                room(&mut fleet, target, transport, MEMBERS)?;
                let publish = |fleet: &mut Fleet, time| {
                    fleet.publish(time, window, MEMBERS as u64, &mut text(64))
                };
                publish(&mut fleet, target.warm_up)?;
                measure(&mut fleet, target, |fleet| publish(fleet, target.time))?
            }
            Kind::Idle => idle(&mut fleet, target)?,
            Kind::Connect => connect(&mut fleet, target)?,
            Kind::Resume => resume(&mut fleet, target)?,
            Kind::Slow => slow(&mut fleet, target)?,
        };
        Ok(Value::Object(figures))
    }
}

/// What the server has used for the messages of some time.
fn measure(
    fleet: &mut Fleet,
    target: &Target<'_>,
    load: impl FnOnce(&mut Fleet) -> Result<(), String>,
) -> Result<Map<String, Value>, String> {
    fleet.tally.reset();
    let (begin, before, own) = (clock::now(), Usage::of(target.process)?, Usage::of("self")?);
    load(fleet)?;
    let (after, own_after) = (Usage::of(target.process)?, Usage::of("self")?);
    let time = (clock::now() - begin) as f64 / 1e3;
    let messages = fleet.tally.messages.max(1) as f64;
    Ok(object(json!({
        "cpu": (after.cpu() - before.cpu()) / messages,
        "user": (after.user - before.user) / messages,
        "system": (after.system - before.system) / messages,
        "rate": messages / time * 1e6,
        "p50": fleet.tally.latencies.quantile(0.5),
        "p99": fleet.tally.latencies.quantile(0.99),
        "max": fleet.tally.latencies.quantile(1.0),
        "server_busy": (after.cpu() - before.cpu()) / time,
        "load_busy": (own_after.cpu() - own.cpu()) / time,
        "messages_per_read": messages / fleet.tally.reads.max(1) as f64,
        "resident": after.resident,
    })))
}

/// Memory is the slope between a tenth and all, so that what a server holds anyway is not counted.
fn idle(fleet: &mut Fleet, target: &Target<'_>) -> Result<Map<String, Value>, String> {
    let caller = || dialect(target.dialect, Role::Caller);
    fleet.connect(IDLE / 10, AT_ONCE, Transport::WebSocket, caller)?;
    fleet.run(REST, Traffic::Nothing)?;
    let before = Usage::of(target.process)?;
    fleet.connect(IDLE - IDLE / 10, AT_ONCE, Transport::WebSocket, caller)?;
    fleet.run(REST, Traffic::Nothing)?;
    let after = Usage::of(target.process)?;
    let more = (IDLE - IDLE / 10) as f64;
    Ok(object(json!({
        "memory": (after.resident - before.resident) / more,
        "cpu": (after.cpu() - before.cpu()) / more,
    })))
}

fn connect(fleet: &mut Fleet, target: &Target<'_>) -> Result<Map<String, Value>, String> {
    let caller = || dialect(target.dialect, Role::Caller);
    fleet.connect(64, AT_ONCE, Transport::WebSocket, caller)?;
    let (begin, before) = (clock::now(), Usage::of(target.process)?);
    fleet.connect(STORM, STORM_AT_ONCE, Transport::WebSocket, caller)?;
    let time = (clock::now() - begin) as f64 / 1e3;
    let after = Usage::of(target.process)?;
    Ok(object(json!({
        "cpu": (after.cpu() - before.cpu()) / STORM as f64,
        "rate": STORM as f64 / time * 1e6,
    })))
}

/// While they are away the room is told something, which all of them have missed.
fn resume(fleet: &mut Fleet, target: &Target<'_>) -> Result<Map<String, Value>, String> {
    room(fleet, target, Transport::WebSocket, STORM)?;
    let mut payload = text(64);
    fleet.publish(target.warm_up, 1, STORM as u64, &mut payload)?;
    fleet.run(REST, Traffic::Nothing)?;
    fleet.tally.reset();
    let begun = Usage::of(target.process)?;
    let (mut before, mut away_at) = (begun, 0);
    let times = fleet.resume(1..STORM + 1, STORM_AT_ONCE, MISSED, |fleet| {
        // The server notices that they are gone.
        fleet.run(REST, Traffic::Nothing)?;
        for _ in 0..MISSED {
            fleet.say(&payload)?;
        }
        fleet.run(REST, Traffic::Nothing)?;
        before = Usage::of(target.process)?;
        away_at = clock::now();
        Ok(())
    })?;
    let time = (clock::now() - away_at) as f64 / 1e3;
    let after = Usage::of(target.process)?;
    let (p50, p99) = (times.quantile(0.5), times.quantile(0.99));
    // Confirmations come, and what was kept is forgotten.
    fleet.publish(REST, 1, STORM as u64, &mut payload)?;
    fleet.run(REST, Traffic::Nothing)?;
    let rested = Usage::of(target.process)?;
    Ok(object(json!({
        "cpu": (after.cpu() - before.cpu()) / STORM as f64,
        "rate": STORM as f64 / time * 1e6,
        "p50": p50,
        "p99": p99,
        "resident_before": begun.resident,
        "resident_away": before.resident,
        "resident_after": rested.resident,
    })))
}

/// The same room first without a slow reader, then with one.
fn slow(fleet: &mut Fleet, target: &Target<'_>) -> Result<Map<String, Value>, String> {
    room(fleet, target, Transport::WebSocket, MEMBERS)?;
    let mut payload = text(1024);
    let mut round = |fleet: &mut Fleet, members: usize| {
        fleet.publish(target.warm_up, 1, members as u64, &mut payload)?;
        measure(fleet, target, |fleet| fleet.publish(target.time, 1, members as u64, &mut payload))
    };
    let without = round(fleet, MEMBERS)?;
    fleet.deafen_last();
    let with = round(fleet, MEMBERS - 1)?;
    Ok(object(json!({
        "p99_without": without["p99"],
        "p99": with["p99"],
        "cpu_without": without["cpu"],
        "cpu": with["cpu"],
        "resident_without": without["resident"],
        "resident": with["resident"],
    })))
}

/// A publisher and the members that hear it.
fn room(
    fleet: &mut Fleet,
    target: &Target<'_>,
    transport: Transport,
    members: usize,
) -> Result<(), String> {
    let publisher = || dialect(target.dialect, Role::Publisher);
    fleet.connect(1, 1, Transport::WebSocket, publisher)?;
    fleet.connect(members, AT_ONCE, transport, || dialect(target.dialect, Role::Member))
}

fn text(length: usize) -> Vec<u8> {
    b"abcdefghijklmnopqrstuvwxyz012345".iter().copied().cycle().take(length).collect()
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

const fn echo(
    name: &'static str,
    title: &'static str,
    transport: Transport,
    window: usize,
    payload: usize,
) -> Scenario {
    let kind = Kind::Echo { transport, clients: 64, window, payload };
    Scenario { name, title, figure: "cpu", unit: CPU, kind }
}

const fn fan_out(
    name: &'static str,
    title: &'static str,
    transport: Transport,
    window: u64,
) -> Scenario {
    Scenario { name, title, figure: "cpu", unit: CPU, kind: Kind::FanOut { transport, window } }
}

use Transport::{Events, Polling, WebSocket};

/// All of them, in the order of a table.
pub const SCENARIOS: &[Scenario] = &[
    echo("echo", "echo, 64 B, 16 in flight", WebSocket, 16, 64),
    echo("echo-1", "echo, 64 B, 1 in flight", WebSocket, 1, 64),
    echo("echo-1k", "echo, 1 KiB, 16 in flight", WebSocket, 16, 1024),
    fan_out("fanout", "fan-out to 1,000, 16 in flight", WebSocket, 16),
    fan_out("fanout-1", "fan-out to 1,000, 1 in flight", WebSocket, 1),
    echo("polling", "echo by polling, 16 in flight", Polling, 16, 64),
    echo("polling-1", "echo by polling, 1 in flight", Polling, 1, 64),
    fan_out("sse", "fan-out to 1,000 event streams, 16 in flight", Events, 16),
    Scenario {
        name: "idle",
        title: "10,000 idle connections",
        figure: "memory",
        unit: "bytes of memory each",
        kind: Kind::Idle,
    },
    Scenario {
        name: "active",
        title: "5,000 connections, 1 KiB, 4 in flight",
        figure: "resident",
        unit: "bytes of memory in all",
        kind: Kind::Echo { transport: WebSocket, clients: 5_000, window: 4, payload: 1024 },
    },
    Scenario {
        name: "connect",
        title: "5,000 connect at once",
        figure: "cpu",
        unit: "µs of server CPU each",
        kind: Kind::Connect,
    },
    Scenario {
        name: "resume",
        title: "5,000 sessions cut at once come back",
        figure: "cpu",
        unit: "µs of server CPU each",
        kind: Kind::Resume,
    },
    Scenario {
        name: "slow",
        title: "one of 1,000 reads nothing",
        figure: "p99",
        unit: "µs until the others have a message, p99",
        kind: Kind::Slow,
    },
];

const CPU: &str = "µs of server CPU a message";
const MEMBERS: usize = 1_000;
const IDLE: usize = 10_000;
const STORM: usize = 5_000;
/// Clients that are on their way at once.
const AT_ONCE: usize = 64;
/// As above, in a storm. More than a listener has places for would only wait for the system's retries.
const STORM_AT_ONCE: usize = 512;
/// What a room is told while its members are away.
const MISSED: u64 = 10;
/// Until what has happened is over and memory was given back.
const REST: Duration = Duration::from_millis(1_500);
