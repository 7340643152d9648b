//! The engine as JavaScript sees it: numbers and short strings across the border, values by reference.
//!
//! Nothing here calls back into code of the application, because that may call the engine again: the
//! engine leaves what it has to say with the [`Desk`], and the class of the package looks there.

mod values;

use std::time::Duration;

use bowline_client::Status;
use bowline_client::engine::{
    End, Engine, EngineConfig, Identity, OnSessionLost, Outgoing, Output, Route, Transport,
};
use bowline_protocol::{
    AnswerError, MessageKind, Packet, ProtocolError, SendError, Time, Token, Transmit,
};
use wasm_bindgen::prelude::*;

use values::{Head, Line, Values};

#[wasm_bindgen]
extern "C" {
    /// Where the engine leaves what it has to say.
    #[derive(Debug)]
    pub type Desk;

    /// Three numbers; what they mean depends on the output.
    #[wasm_bindgen(method)]
    fn numbers(this: &Desk, a: f64, b: f64, c: f64);

    /// A line or words.
    #[wasm_bindgen(method)]
    fn text(this: &Desk, text: &str);

    /// A packet that was given to the engine before.
    #[wasm_bindgen(method)]
    fn packet(this: &Desk, value: &JsValue);
}

/// The client of one page.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Core {
    engine: Engine<Values>,
    /// Packets of an earlier page, until [`Self::restore`].
    kept: Vec<Line>,
    desk: Desk,
}

#[wasm_bindgen]
impl Core {
    /// `transports` are digits to the base of 4, the first choice is the highest: 1 WebSocket, 2 SSE,
    /// 3 polling.
    #[wasm_bindgen(constructor)]
    pub fn new(
        desk: Desk,
        transports: u32,
        connect_timeout: f64,
        outbox_limit: f64,
        stop_when_lost: bool,
        seed: f64,
        now: f64,
    ) -> Self {
        let mut config = EngineConfig::new(rungs(transports));
        config.connect_timeout = millis(connect_timeout);
        config.outbox_limit = outbox_limit as usize;
        if stop_when_lost {
            config.on_session_lost = OnSessionLost::Stop;
        }
        Self { engine: Engine::new(config, seed as u64, time(now)), kept: Vec::new(), desk }
    }

    pub fn start(&mut self, now: f64) {
        self.engine.start(time(now));
    }

    pub fn close(&mut self, now: f64) {
        self.engine.close(time(now));
    }

    /// The largest packet that the server takes, in bytes; 0 when it is not known yet.
    pub fn limit(&self) -> f64 {
        self.engine.limits().map_or(0.0, |limits| limits.packet as f64)
    }

    /// Takes a packet: an event, or a request when there is a deadline. Returns its number, or a refusal.
    pub fn emit(&mut self, value: JsValue, size: usize, deadline: f64, now: f64) -> f64 {
        let packet = Line { value, size, answer: false };
        let sent = if deadline > 0.0 {
            self.engine.request(packet, time(deadline), time(now))
        } else {
            self.engine.emit(packet, time(now))
        };
        match sent {
            Ok(number) => number as f64,
            Err(SendError::Full { .. }) => FULL,
            Err(SendError::Closed) => CLOSED,
        }
    }

    pub fn emit_volatile(&mut self, value: JsValue, size: usize) -> bool {
        self.engine.emit_volatile(Line { value, size, answer: false })
    }

    pub fn reply(&mut self, epoch: f64, value: JsValue, size: usize, now: f64) {
        self.engine.reply(epoch as u64, Line { value, size, answer: true }, time(now));
    }

    pub fn forget(&mut self, request: f64) {
        self.engine.forget_request(request as u64);
    }

    /// The next line of a message or body: its head, and the size of all of it. False when what follows
    /// must not be used. [`Self::event`] says what it meant.
    pub fn line(&mut self, head: String, size: usize, now: f64) -> bool {
        let head = Head { text: head, size };
        let packet = if size > self.engine.inbound_limits().batch {
            Err(ProtocolError::TooLarge)
        } else {
            Packet::read(&head)
        };
        self.engine.packet(packet, time(now))
    }

    pub fn sent(&mut self) {
        self.engine.sent();
    }

    pub fn polled(&mut self, empty: bool, now: f64) {
        self.engine.polled(empty, time(now));
    }

    pub fn posted(&mut self, now: f64) {
        self.engine.posted(time(now));
    }

    /// The carrier ended: the line of a refusal, or words.
    pub fn ended(&mut self, words: String, now: f64) {
        let head = Head { text: words, size: 0 };
        let end = match Packet::<Values>::read(&head) {
            Ok(Packet::Close(close)) => End::Close(close),
            _ => End::Lost(head.text),
        };
        self.engine.ended(end, time(now));
    }

    /// 128 random bits for a new session, and its authentication: JSON, or why there is none.
    pub fn introduce(&mut self, key: &[u8], auth: String, failed: bool, now: f64) {
        let auth = if failed { Err(auth) } else { Ok(auth.into()) };
        self.engine.introduce(token(key), auth, time(now));
    }

    pub fn timeout(&mut self, now: f64) {
        self.engine.handle_timeout(time(now));
    }

    pub fn suspend(&mut self, now: f64) {
        self.engine.suspend(time(now));
    }

    pub fn wake(&mut self, now: f64) {
        self.engine.wake(time(now));
    }

    pub fn switch(&mut self, transport: u32, now: f64) {
        if let Some(transport) = rungs(transport).first() {
            self.engine.switch(*transport, time(now));
        }
    }

    pub fn measure(&mut self) {
        self.engine.measure();
    }

    /// What happened; 0 when that was all.
    pub fn event(&mut self, now: f64) -> u32 {
        self.engine.poll_event(time(now)).map_or(NOTHING, |output| self.say(output))
    }

    /// What happened or has to be done; 0 when that was all, and then the desk has the time of the next
    /// [`Self::timeout`].
    pub fn output(&mut self, now: f64) -> u32 {
        let output = self.engine.poll_output(time(now));
        self.say(output)
    }

    /// A packet that an earlier page had kept.
    pub fn keep(&mut self, value: JsValue, size: usize, answer: bool) {
        self.kept.push(Line { value, size, answer });
    }

    /// Goes on with the session of an earlier page.
    pub fn restore(
        &mut self,
        session: &str,
        secret: &str,
        counter: f64,
        received: f64,
        confirmed: f64,
    ) {
        if let (Ok(session), Ok(secret)) = (session.parse(), secret.parse()) {
            let position = (received as u64, confirmed as u64);
            let kept = std::mem::take(&mut self.kept);
            self.engine.restore(session, secret, counter as u64, position, kept);
        }
    }

    /// Puts on the desk what a later page needs beside the packets: received, confirmed, counter.
    pub fn position(&self) {
        let (session, (_, counter)) = (self.engine.session(), self.engine.identity());
        self.numbers(session.received(), session.confirmed(), counter);
    }

    /// Puts the packets without a confirmation on the desk.
    pub fn kept(&self) {
        self.engine.session().kept().for_each(|packet| self.desk.packet(&packet.value));
    }

    /// Puts the counters on the desk: reconnects, resumes, lost sessions; then switches of transport,
    /// dropped volatile events, and packets without a confirmation.
    pub fn stats(&self) {
        let stats = self.engine.stats();
        let in_flight = self.engine.session().unconfirmed();
        self.numbers(stats.reconnects, stats.resumes, stats.sessions_lost);
        self.numbers(stats.transport_switches, stats.dropped_volatile, in_flight as u64);
    }
}

impl Core {
    /// Leaves an output on the desk and returns its kind.
    fn say(&self, output: Output<Values>) -> u32 {
        match output {
            Output::Wait(deadline) => {
                self.numbers(deadline.map_or(0, Time::as_millis), 0, 0);
                NOTHING
            }
            Output::Open => OPEN,
            Output::Drop => DROP,
            Output::Introduce => INTRODUCE,
            Output::Measured => {
                self.numbers(self.engine.rtt().unwrap_or(0), 0, 0);
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
                self.numbers(message.payload.at as u64, number, epoch);
                if kind == MessageKind::Request { REQUEST } else { EVENT }
            }
            Output::Answered { request, outcome } => {
                let (kind, at) = match outcome {
                    Ok(payload) => (REPLY, payload.at),
                    Err(AnswerError::Failed(failure)) => (FAILURE, failure.payload.at),
                    Err(AnswerError::TimedOut) => (TIMED_OUT, 0),
                    Err(AnswerError::SessionLost) => (LOST, 0),
                };
                self.numbers(at as u64, request, 0);
                kind
            }
            Output::Renumbered { before, after } => {
                self.numbers(before, after, 0);
                RENUMBERED
            }
            Output::Status(status) => self.status(status),
            Output::Over(_) => OVER,
        }
    }

    fn batch(&self, outgoing: Outgoing<Values>) {
        if let Some(line) = outgoing.line {
            self.desk.text(&line);
        }
        for packet in outgoing.packets {
            match packet {
                Transmit::Tracked { packet, .. } | Transmit::Volatile(packet) => {
                    self.desk.packet(&packet.value);
                }
                Transmit::Control(packet) => {
                    let mut line = String::new();
                    if packet.write_control(&mut line).is_ok() {
                        self.desk.text(&line);
                    }
                }
            }
        }
    }

    fn status(&self, status: Status) -> u32 {
        match status {
            Status::Idle => NOTHING,
            Status::Connecting { transport } => {
                self.numbers(digit(transport), self.failure(), 0);
                CONNECTING
            }
            Status::Connected { transport, resumed } => {
                self.identity();
                self.numbers(digit(transport), resumed.into(), 0);
                CONNECTED
            }
            Status::Waiting { retry_in } => {
                let millis = retry_in.as_secs() * 1000 + u64::from(retry_in.subsec_millis());
                self.numbers(millis, self.failure(), 0);
                WAITING
            }
            Status::SessionLost { code, confirmed, unknown } => {
                self.numbers(code.get().into(), confirmed, unknown);
                SESSION_LOST
            }
            Status::Closed { code, reason } => {
                self.desk.text(&reason);
                self.numbers(code.get().into(), 0, 0);
                ENDED
            }
        }
    }

    /// Why the last carrier or attempt ended: words on the desk, or a close code.
    fn failure(&self) -> u64 {
        match self.engine.last_failure() {
            Some(End::Lost(words)) => self.desk.text(words),
            Some(End::Close(close)) => return close.code.get().into(),
            Some(End::Protocol(error)) => return error.close_code().get().into(),
            None => {}
        }
        0
    }

    fn identity(&self) {
        if let (Identity::Known { session, secret }, _) = self.engine.identity() {
            self.desk.text(&session.name());
            self.desk.text(&secret.reveal());
        }
    }

    fn numbers(&self, a: u64, b: u64, c: u64) {
        self.desk.numbers(a as f64, b as f64, c as f64);
    }
}

fn time(millis: f64) -> Time {
    Time::from_millis(millis as u64)
}

fn millis(millis: f64) -> Duration {
    Duration::from_millis(millis as u64)
}

fn token(bytes: &[u8]) -> Token {
    Token::from_bytes(std::array::from_fn(|index| bytes.get(index).copied().unwrap_or(0)))
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
    let mut left = digits;
    while left > 0 {
        rungs.insert(
            0,
            match left % 4 {
                2 => Transport::Sse,
                3 => Transport::Polling,
                _ => Transport::WebSocket,
            },
        );
        left /= 4;
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
const CONNECTED: u32 = 17; // session id, secret; [transport, resumed]
const WAITING: u32 = 18; // words of the last failure; [milliseconds, its code]
const SESSION_LOST: u32 = 19; // [code, confirmed, unknown]
const ENDED: u32 = 20; // reason; [code]
const OVER: u32 = 21;

// What `emit` returns instead of a number.
const FULL: f64 = -1.0;
const CLOSED: f64 = -2.0;
