//! The engine as JavaScript sees it: numbers and short strings across the border, values by reference.
//!
//! Nothing here calls back into code of the application, because that may call the engine again: the
//! engine leaves what it has to say on the desk (`js/desk.js`), and the class of the package looks there.

#![expect(
    unreachable_pub,
    reason = "what is public here is exported to JavaScript, and to nobody else"
)]

#[cfg(target_arch = "wasm32")]
mod memory;
mod values;

use std::cell::{RefCell, RefMut};
use std::time::Duration;

use bowline_client::Status;
use bowline_client::engine::{
    End, Engine, EngineConfig, OnSessionLost, Outgoing, Output, Route, Transport,
};
use bowline_protocol::{
    AnswerError, MessageKind, Packet, ProtocolError, SendError, Time, Token, Transmit,
};
use wasm_bindgen::prelude::*;

use values::{Head, Line, Values};

#[wasm_bindgen(raw_module = "./desk.js")]
extern "C" {
    /// Three numbers; what they mean depends on the output.
    fn numbers(a: f64, b: f64, c: f64);

    /// A line or words.
    fn text(text: &str);

    /// A packet that was given to the engine before, by its key.
    fn packet(key: f64);

    /// 32 bits that nobody can guess.
    fn random() -> u32;
}

/// The client of one page.
struct Core {
    engine: Engine<Values>,
    /// Packets of an earlier page, until [`restore`].
    kept: Vec<Line>,
}

type Place = RefCell<Option<Core>>;

thread_local! {
    /// Every client has a place; a place that is free is used again.
    static PLACES: RefCell<Vec<&'static Place>> = const { RefCell::new(Vec::new()) };
}

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
    let engine = Engine::new(config, random().into(), time(now));
    let core = Core { engine, kept: Vec::new() };
    PLACES.with_borrow_mut(|places| {
        let free = places.iter().position(|place| place.borrow().is_none());
        let id = free.unwrap_or(places.len());
        if free.is_none() {
            places.push(Box::leak(Box::default()));
        }
        *places[id].borrow_mut() = Some(core);
        id
    })
}

/// The client is gone.
#[wasm_bindgen]
pub fn release(id: usize) {
    PLACES.with_borrow(|places| places[id].take());
}

fn core(id: usize) -> RefMut<'static, Core> {
    let place = PLACES.with_borrow(|places| places[id]);
    RefMut::map(place.borrow_mut(), |core| core.as_mut().expect("a released client is not used"))
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
pub fn line(id: usize, head: String, size: usize, now: f64) -> bool {
    let mut core = core(id);
    let packet = if size > core.engine.inbound_limits().batch {
        Err(ProtocolError::TooLarge)
    } else {
        Packet::read(&Head { text: head, size })
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
pub fn ended(id: usize, words: String, now: f64) {
    let head = Head { text: words, size: 0 };
    let end = match Packet::<Values>::read(&head) {
        Ok(Packet::Close(close)) => End::Close(close),
        _ => End::Lost(head.text),
    };
    core(id).engine.ended(end, time(now));
}

/// The authentication of a new session: JSON, or why there is none.
#[wasm_bindgen]
pub fn introduce(id: usize, auth: String, failed: bool, now: f64) {
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
    core.engine.poll_event(time(now)).map_or(NOTHING, |output| core.say(output))
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
pub fn restore(id: usize, welcome: String, counter: f64, received: f64, confirmed: f64) {
    let mut core = core(id);
    let kept = std::mem::take(&mut core.kept);
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

impl Core {
    /// Leaves an output on the desk and returns its kind.
    fn say(&self, output: Output<Values>) -> u32 {
        match output {
            Output::Wait(deadline) => {
                put(deadline.map_or(0, Time::as_millis), 0, 0);
                NOTHING
            }
            Output::Open => OPEN,
            Output::Drop => DROP,
            Output::Introduce => INTRODUCE,
            Output::Measured => {
                put(self.engine.rtt().unwrap_or(0), 0, 0);
                MEASURED
            }
            Output::Send(route, outgoing) => {
                self.batch(outgoing);
                match route {
                    Route::Socket => SOCKET,
                    Route::Stream => STREAM,
                    Route::Poll => POLL,
                    Route::Post => POST,
                }
            }
            Output::Message { kind, number, epoch, message } => {
                put(message.payload.at as u64, number, epoch);
                if kind == MessageKind::Request { REQUEST } else { EVENT }
            }
            Output::Answered { request, outcome } => {
                let (kind, at) = match outcome {
                    Ok(payload) => (REPLY, payload.at),
                    Err(AnswerError::Failed(failure)) => (FAILURE, failure.payload.at),
                    Err(AnswerError::TimedOut) => (TIMED_OUT, 0),
                    Err(AnswerError::SessionLost) => (LOST, 0),
                };
                put(at as u64, request, 0);
                kind
            }
            Output::Renumbered { before, after } => {
                put(before, after, 0);
                RENUMBERED
            }
            Output::Status(status) => self.status(status),
            Output::Over(_) => OVER,
        }
    }

    fn batch(&self, outgoing: Outgoing<Values>) {
        if let Some(line) = outgoing.line {
            text(&line);
        }
        for outgoing in outgoing.packets {
            match outgoing {
                Transmit::Tracked { packet: line, .. } | Transmit::Volatile(line) => {
                    packet(line.key());
                }
                Transmit::Control(control) => {
                    let mut line = String::new();
                    if control.write_control(&mut line).is_ok() {
                        text(&line);
                    }
                }
            }
        }
    }

    fn status(&self, status: Status) -> u32 {
        match status {
            Status::Idle => NOTHING,
            Status::Connecting { transport } => {
                put(digit(transport), self.failure(), 0);
                CONNECTING
            }
            Status::Connected { transport, resumed } => {
                put(digit(transport), resumed.into(), 0);
                CONNECTED
            }
            Status::Waiting { retry_in } => {
                let millis = retry_in.as_secs() * 1000 + u64::from(retry_in.subsec_millis());
                put(millis, self.failure(), 0);
                WAITING
            }
            Status::SessionLost { code, confirmed, unknown } => {
                put(code.get().into(), confirmed, unknown);
                SESSION_LOST
            }
            Status::Closed { code, reason } => {
                text(&reason);
                put(code.get().into(), 0, 0);
                ENDED
            }
        }
    }

    /// Why the last carrier or attempt ended: words on the desk, or a close code.
    fn failure(&self) -> u64 {
        match self.engine.last_failure() {
            Some(End::Lost(words)) => text(words),
            Some(End::Close(close)) => return close.code.get().into(),
            Some(End::Protocol(error)) => return error.close_code().get().into(),
            None => {}
        }
        0
    }
}

fn put(a: u64, b: u64, c: u64) {
    numbers(a as f64, b as f64, c as f64);
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
        word.copy_from_slice(&random().to_le_bytes());
    }
    Token::from_bytes(bytes)
}

fn digit(transport: Transport) -> u64 {
    match transport {
        Transport::WebSocket => 1,
        Transport::Sse => 2,
        Transport::Polling => 3,
    }
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

// The kinds of outputs, and what is on the desk with them. `js/client.js` has the same table.
const NOTHING: u32 = 0; // [time of the next timeout or 0]
const OPEN: u32 = 1;
const DROP: u32 = 2;
const INTRODUCE: u32 = 3;
const SOCKET: u32 = 4; // the lines and packets of a batch, and so the next three
const STREAM: u32 = 5;
const POLL: u32 = 6;
const POST: u32 = 7;
const EVENT: u32 = 8; // [payload at, number, epoch]
const REQUEST: u32 = 9; // [payload at, number, epoch]
const REPLY: u32 = 10; // [payload at, request]
const FAILURE: u32 = 11; // [payload at, request]
const TIMED_OUT: u32 = 12; // [0, request]
const LOST: u32 = 13; // [0, request]
const RENUMBERED: u32 = 14; // [before, after]
const MEASURED: u32 = 15; // [milliseconds]
const CONNECTING: u32 = 16; // words of the last failure; [transport, its code]
const CONNECTED: u32 = 17; // [transport, resumed]; the last line is the welcome
const WAITING: u32 = 18; // words of the last failure; [milliseconds, its code]
const SESSION_LOST: u32 = 19; // [code, confirmed, unknown]
const ENDED: u32 = 20; // reason; [code]
const OVER: u32 = 21;

// What `emit` returns instead of a number.
const FULL: f64 = -1.0;
const CLOSED: f64 = -2.0;
