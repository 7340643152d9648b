//! The functions that JavaScript calls. Where they take text, they are told how much room it needs, and
//! read it from the desk.

use std::time::Duration;

use bowline_client::engine::{End, EngineConfig, OnSessionLost, Transport};
use bowline_protocol::{Packet, ProtocolError, SendError, Time, Token};
use wasm_bindgen::prelude::*;

use super::desk::{self, packet};
use super::outputs::{self, put};
use super::values::{Head, Line, Values};
use super::{Core, core};

/// Makes a client and returns what names it. `transports` are digits to the base of 4, the first choice
/// is the highest: 1 WebSocket, 2 SSE, 3 polling.
#[wasm_bindgen]
pub fn create(
    transports: u32,
    connect_timeout: f64,
    outbox_limit: f64,
    stop_when_lost: bool,
    now: f64,
) -> usize {
    let mut config = EngineConfig::new(rungs(transports));
    config.connect_timeout = millis(connect_timeout);
    config.outbox_limit = outbox_limit as usize;
    if stop_when_lost {
        config.on_session_lost = OnSessionLost::Stop;
    }
    Core::create(config, time(now))
}

/// The client is gone.
#[wasm_bindgen]
pub fn release(id: usize) {
    Core::release(id);
}

#[wasm_bindgen]
pub fn start(id: usize, now: f64) {
    core(id).engine.start(time(now));
}

#[wasm_bindgen]
pub fn close(id: usize, now: f64) {
    core(id).engine.close(time(now));
}

/// The largest packet that the server takes, in bytes; 0 when it is not known yet.
#[wasm_bindgen]
pub fn limit(id: usize) -> f64 {
    core(id).engine.limits().map_or(0.0, |limits| limits.packet as f64)
}

/// Takes a packet: an event, or a request when there is a deadline. Returns its number, or a refusal.
#[wasm_bindgen]
pub fn emit(id: usize, key: f64, size: usize, deadline: f64, now: f64) -> f64 {
    let packet = Line::new(key, size, false);
    let mut core = core(id);
    let sent = if deadline > 0.0 {
        core.engine.request(packet, time(deadline), time(now))
    } else {
        core.engine.emit(packet, time(now))
    };
    match sent {
        Ok(number) => number as f64,
        Err(SendError::Full { .. }) => FULL,
        Err(SendError::Closed) => CLOSED,
    }
}

#[wasm_bindgen]
pub fn emit_volatile(id: usize, key: f64, size: usize) -> bool {
    core(id).engine.emit_volatile(Line::new(key, size, false))
}

/// Answers a request. Returns the packet's number, 0 when the session that wanted it is gone.
#[wasm_bindgen]
pub fn reply(id: usize, epoch: f64, key: f64, size: usize, now: f64) -> f64 {
    let packet = Line::new(key, size, true);
    core(id).engine.reply(epoch as u64, packet, time(now)).unwrap_or(0) as f64
}

#[wasm_bindgen]
pub fn forget(id: usize, request: f64) {
    core(id).engine.forget_request(request as u64);
}

/// The next line of a message or body: its head, and the size of all of it. False when what follows must
/// not be used. [`event`] says what it meant.
#[wasm_bindgen]
pub fn line(id: usize, head: usize, size: usize, now: f64) -> bool {
    let mut core = core(id);
    let packet = if size > core.engine.inbound_limits().batch {
        Err(ProtocolError::TooLarge)
    } else {
        Packet::read(&Head { text: desk::taken(head), size })
    };
    core.engine.packet(packet, time(now))
}

#[wasm_bindgen]
pub fn sent(id: usize) {
    core(id).engine.sent();
}

#[wasm_bindgen]
pub fn polled(id: usize, empty: bool, now: f64) {
    core(id).engine.polled(empty, time(now));
}

#[wasm_bindgen]
pub fn posted(id: usize, now: f64) {
    core(id).engine.posted(time(now));
}

/// The carrier ended: the line of a refusal, or words.
#[wasm_bindgen]
pub fn ended(id: usize, words: usize, now: f64) {
    let head = Head { text: desk::taken(words), size: 0 };
    let end = match Packet::<Values>::read(&head) {
        Ok(Packet::Close(close)) => End::Close(close),
        _ => End::Lost(head.text),
    };
    core(id).engine.ended(end, time(now));
}

/// The authentication of a new session: JSON, or why there is none.
#[wasm_bindgen]
pub fn introduce(id: usize, auth: usize, failed: bool, now: f64) {
    let auth = desk::taken(auth);
    let auth = if failed { Err(auth) } else { Ok(auth.into()) };
    core(id).engine.introduce(key(), auth, time(now));
}

#[wasm_bindgen]
pub fn timeout(id: usize, now: f64) {
    core(id).engine.handle_timeout(time(now));
}

#[wasm_bindgen]
pub fn suspend(id: usize, now: f64) {
    core(id).engine.suspend(time(now));
}

#[wasm_bindgen]
pub fn wake(id: usize, now: f64) {
    core(id).engine.wake(time(now));
}

#[wasm_bindgen]
pub fn switch_to(id: usize, transport: u32, now: f64) {
    if let Some(transport) = rungs(transport).first() {
        core(id).engine.switch(*transport, time(now));
    }
}

#[wasm_bindgen]
pub fn measure(id: usize) {
    core(id).engine.measure();
}

/// What happened; 0 when that was all.
#[wasm_bindgen]
pub fn event(id: usize, now: f64) -> u32 {
    let mut core = core(id);
    core.engine.poll_event(time(now)).map_or(outputs::NOTHING, |output| core.say(output))
}

/// What happened or has to be done; 0 when that was all, and then the desk has the time of the next
/// [`timeout`].
#[wasm_bindgen]
pub fn output(id: usize, now: f64) -> u32 {
    let mut core = core(id);
    let output = core.engine.poll_output(time(now));
    core.say(output)
}

/// A packet that an earlier page had kept.
#[wasm_bindgen]
pub fn keep(id: usize, key: f64, size: usize, answer: bool) {
    core(id).kept.push(Line::new(key, size, answer));
}

/// Goes on with the session of an earlier page, which was welcomed to it with this line; or, with the key
/// of an open in its place, with that.
#[wasm_bindgen]
pub fn restore(id: usize, welcome: usize, counter: f64, received: f64, confirmed: f64) {
    let mut core = core(id);
    let kept = std::mem::take(&mut core.kept);
    let welcome = desk::taken(welcome);
    if let Ok(key) = welcome.parse() {
        core.engine.restore_open(key, counter as u64);
    } else if let Ok(Packet::Welcome(welcome)) =
        Packet::<Values>::read(&Head { text: welcome, size: 0 })
        && let Some(secret) = welcome.secret
    {
        let position = (received as u64, confirmed as u64);
        core.engine.restore(welcome.session, secret, counter as u64, position, kept);
    }
}

/// Somebody still waits for the answer to this request among the packets that were restored.
#[wasm_bindgen]
pub fn expect(id: usize, request: f64, deadline: f64) {
    core(id).engine.expect_answer(request as u64, time(deadline));
}

/// Puts on the desk what a later page needs beside the packets: received, confirmed, counter.
#[wasm_bindgen]
pub fn position(id: usize) {
    let core = core(id);
    let (session, (_, counter)) = (core.engine.session(), core.engine.identity());
    put(session.received(), session.confirmed(), counter);
}

/// Puts the packets without a confirmation on the desk.
#[wasm_bindgen]
pub fn kept(id: usize) {
    core(id).engine.session().kept().for_each(|line| packet(line.key()));
}

/// Puts the counters on the desk: reconnects, resumes, lost sessions; then switches of transport, dropped
/// volatile events, and packets without a confirmation.
#[wasm_bindgen]
pub fn stats(id: usize) {
    let core = core(id);
    let stats = core.engine.stats();
    let in_flight = core.engine.session().unconfirmed();
    put(stats.reconnects, stats.resumes, stats.sessions_lost);
    put(stats.transport_switches, stats.dropped_volatile, in_flight as u64);
}

fn time(millis: f64) -> Time {
    Time::from_millis(millis as u64)
}

fn millis(millis: f64) -> Duration {
    Duration::from_millis(millis as u64)
}

/// 128 random bits for a new session.
fn key() -> Token {
    let mut bytes = [0; 16];
    for word in bytes.chunks_exact_mut(4) {
        word.copy_from_slice(&desk::random().to_le_bytes());
    }
    Token::from_bytes(bytes)
}

fn rungs(digits: u32) -> Vec<Transport> {
    let mut rungs = Vec::new();
    for shift in [4, 2, 0] {
        rungs.extend(match digits >> shift & 3 {
            1 => Some(Transport::WebSocket),
            2 => Some(Transport::Sse),
            3 => Some(Transport::Polling),
            _ => None,
        });
    }
    rungs
}

// What `emit` returns instead of a number.
const FULL: f64 = -1.0;
const CLOSED: f64 = -2.0;
