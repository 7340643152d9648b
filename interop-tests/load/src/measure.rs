//! How each kind of load is measured.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::clock;
use crate::dialect::{Role, Transport};
use crate::fleet::{Fleet, Traffic};
use crate::target::Target;
use bowline_processes::Usage;

/// What the server has used for the messages of some time.
pub(crate) fn measure(
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
    let cpu = after.cpu_since(&before);
    let user = after.user_share_since(&before);
    Ok(object(json!({
        "cpu": cpu / messages,
        "user": cpu * user / messages,
        "system": cpu * (1.0 - user) / messages,
        "rate": messages / time * 1e6,
        "p50": fleet.tally.latencies.quantile(0.5),
        "p99": fleet.tally.latencies.quantile(0.99),
        "max": fleet.tally.latencies.quantile(1.0),
        "server_busy": cpu / time,
        "load_busy": own_after.cpu_since(&own) / time,
        "messages_per_read": messages / fleet.tally.reads.max(1) as f64,
        "resident": after.resident,
        "peak": after.peak,
    })))
}

/// Memory is the slope between a tenth and all, so that what a server holds anyway is not counted.
pub(crate) fn idle(
    fleet: &mut Fleet,
    target: &Target<'_>,
    connections: usize,
) -> Result<Map<String, Value>, String> {
    let (few, more) = (connections / 10, connections - connections / 10);
    fleet.connect(few, AT_ONCE, Transport::WebSocket, target.dialect, Role::Caller)?;
    fleet.run(REST, Traffic::Nothing)?;
    let before = Usage::of(target.process)?;
    fleet.connect(more, AT_ONCE, Transport::WebSocket, target.dialect, Role::Caller)?;
    fleet.run(REST, Traffic::Nothing)?;
    let after = Usage::of(target.process)?;
    let more = more as f64;
    Ok(object(json!({
        "memory": (after.resident - before.resident) / more,
        "cpu": after.cpu_since(&before) / more,
    })))
}

/// Bytes that one more idle connection takes in a server process.
///
/// # Errors
/// When the server cannot be loaded.
pub fn idle_bytes(
    server: SocketAddr,
    process: &str,
    dialect: &str,
    connections: usize,
) -> Result<u64, String> {
    let time = Duration::ZERO;
    let target = Target { server, process, dialect, warm_up: time, time };
    let figures = idle(&mut Fleet::new(server)?, &target, connections)?;
    Ok(figures["memory"].as_f64().unwrap_or_default() as u64)
}

pub(crate) fn connect(
    fleet: &mut Fleet,
    target: &Target<'_>,
) -> Result<Map<String, Value>, String> {
    fleet.connect(64, AT_ONCE, Transport::WebSocket, target.dialect, Role::Caller)?;
    let (begin, before) = (clock::now(), Usage::of(target.process)?);
    fleet.connect(STORM, STORM_AT_ONCE, Transport::WebSocket, target.dialect, Role::Caller)?;
    let time = (clock::now() - begin) as f64 / 1e3;
    let after = Usage::of(target.process)?;
    Ok(object(json!({
        "cpu": after.cpu_since(&before) / STORM as f64,
        "rate": STORM as f64 / time * 1e6,
    })))
}

/// Two storms, one after the other: what the first has left behind must not become more with the
/// second.
pub(crate) fn resume(fleet: &mut Fleet, target: &Target<'_>) -> Result<Map<String, Value>, String> {
    room(fleet, target, Transport::WebSocket, STORM)?;
    fleet.publish(target.warm_up, 1, STORM as u64, &mut text(64))?;
    fleet.run(REST, Traffic::Nothing)?;
    let begun = Usage::of(target.process)?;
    let mut figures = storm(fleet, target)?;
    let rested = Usage::of(target.process)?;
    storm(fleet, target)?;
    let again = Usage::of(target.process)?;
    figures.extend(object(json!({
        "resident_before": begun.resident,
        "resident_after": rested.resident,
        "resident_ratio": rested.resident / begun.resident,
        "resident_again": again.resident,
        "resident_again_ratio": again.resident / rested.resident,
    })));
    Ok(figures)
}

/// While they are away the room is told something, which all of them have missed.
fn storm(fleet: &mut Fleet, target: &Target<'_>) -> Result<Map<String, Value>, String> {
    let mut payload = text(64);
    let (mut before, mut away_at) = (Usage::default(), 0);
    fleet.tally.reset();
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
    // Confirmations come, and what was kept is forgotten.
    fleet.publish(REST, 1, STORM as u64, &mut payload)?;
    fleet.run(REST, Traffic::Nothing)?;
    Ok(object(json!({
        "cpu": after.cpu_since(&before) / STORM as f64,
        "rate": STORM as f64 / time * 1e6,
        "p50": times.quantile(0.5),
        "p99": times.quantile(0.99),
        "resident_away": before.resident,
    })))
}

/// The same room first without a slow reader, then with one that is sent more than a session may
/// keep.
pub(crate) fn slow(fleet: &mut Fleet, target: &Target<'_>) -> Result<Map<String, Value>, String> {
    room(fleet, target, Transport::WebSocket, MEMBERS)?;
    let mut payload = text(SLOW_PAYLOAD);
    let mut round = |fleet: &mut Fleet, messages: u64, members: usize| {
        measure(fleet, target, |fleet| fleet.publish_number(messages, members as u64, &mut payload))
    };
    // Buffers grow once.
    round(fleet, SLOW_MESSAGES / 16, MEMBERS)?;
    let without = round(fleet, SLOW_MESSAGES / 4, MEMBERS)?;
    fleet.deafen_last();
    let with = round(fleet, SLOW_MESSAGES, MEMBERS - 1)?;
    let number = |figures: &Map<String, Value>, name| figures[name].as_f64().unwrap_or(0.0);
    Ok(object(json!({
        "p99_without": without["p99"],
        "p99": with["p99"],
        "p99_ratio": number(&with, "p99") / number(&without, "p99"),
        "cpu_without": without["cpu"],
        "cpu": with["cpu"],
        "resident_without": without["resident"],
        "resident": with["resident"],
        // What was held for the slow one at any moment.
        "held": (number(&with, "peak") - number(&without, "peak")).max(0.0),
        "sent": SLOW_MESSAGES as usize * SLOW_PAYLOAD,
    })))
}

/// A publisher and the members that hear it.
pub(crate) fn room(
    fleet: &mut Fleet,
    target: &Target<'_>,
    transport: Transport,
    members: usize,
) -> Result<(), String> {
    fleet.connect(1, 1, Transport::WebSocket, target.dialect, Role::Publisher)?;
    fleet.connect(members, AT_ONCE, transport, target.dialect, Role::Member)
}

/// A payload of so many bytes.
#[must_use]
pub fn text(length: usize) -> Vec<u8> {
    b"abcdefghijklmnopqrstuvwxyz012345".iter().copied().cycle().take(length).collect()
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

pub(crate) const MEMBERS: usize = 1_000;
pub(crate) const IDLE: usize = 10_000;
const STORM: usize = 5_000;
/// Clients that are on their way at once.
pub(crate) const AT_ONCE: usize = 64;
/// As above, in a storm. More than a listener has places for would only wait for the system's
/// retries.
const STORM_AT_ONCE: usize = 512;
/// Bytes of each message to a room with a slow reader,
const SLOW_PAYLOAD: usize = 16 * 1024;
/// and how many: together more than 4 MiB, which a session may keep, and what the system takes for
/// the connection.
const SLOW_MESSAGES: u64 = 640;
/// What a room is told while its members are away.
const MISSED: u64 = 10;
/// Until what has happened is over and memory was given back.
const REST: Duration = Duration::from_millis(1_500);
