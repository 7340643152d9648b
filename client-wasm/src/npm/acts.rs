//! The acts that JavaScript requests from the engine. Their arguments are numbers: `js/acts.js`
//! lists them. Where an argument is text, its fields are on the desk.

use bowline_client::engine::{EngineConfig, OnSessionLost, Transport, Verdict};
use bowline_protocol::{Millis, ProtocolError, SendError, Time, Token};
use wasm_bindgen::prelude::*;

use super::desk::{self, packet};
use super::lines::{self, Known};
use super::outputs::{NOTHING, digit, put};
use super::values::Line;
use super::{Core, exchange};

/// Creates a client and returns its id. `transports` are digits to the base of 4, the first choice
/// is the highest: 1 WebSocket, 2 SSE, 3 polling. `believed` is the result of `VERDICT` for an
/// earlier page. `instance` is random.
#[wasm_bindgen]
#[allow(clippy::too_many_arguments, reason = "JavaScript passes numbers, and an object is larger")]
pub fn create(
    transports: u32,
    connect_timeout: f64,
    outbox_limit: f64,
    stop_when_lost: bool,
    trial_interval: f64,
    believed: f64,
    setup_timeout: f64,
    now: f64,
    instance: f64,
) -> usize {
    let mut config = EngineConfig::new(rungs(transports));
    config.connect_timeout = millis(connect_timeout);
    config.trial_interval = millis(trial_interval);
    config.outbox_limit = outbox_limit as usize;
    config.set_up = (setup_timeout > 0.0).then(|| millis(setup_timeout));
    if stop_when_lost {
        config.on_session_lost = OnSessionLost::Stop;
    }
    let believed = transport(believed as u32)
        .map(|transport| Verdict { transport, valid_for: millis(believed / 4.0).into() });
    Core::create(config, believed, instance as u64, time(now))
}

/// Removes a client.
#[wasm_bindgen]
pub fn release(id: usize) {
    drop(exchange(id, None));
}

/// Performs the act with this number. There is one function for all acts, because every export is a
/// function in JavaScript as well, in every page.
#[wasm_bindgen]
pub fn act(id: usize, what: u32, a: f64, b: f64, c: f64, d: f64) -> f64 {
    let mut core = exchange(id, None).expect("a released client is not used");
    let answer = core.act(what, a, b, c, d);
    exchange(id, Some(core));
    answer
}

impl Core {
    fn act(&mut self, what: u32, a: f64, b: f64, c: f64, d: f64) -> f64 {
        let engine = &mut self.engine;
        match what {
            EMIT => return self.emit(line(a, b), false, c, time(d)),
            EMIT_AHEAD => return self.emit(line(a, b), true, c, time(d)),
            EMIT_VOLATILE => return engine.emit_volatile(line(a, b)).into(),
            REPLY => {
                let packet = Line::new(a, b as usize, true);
                return engine.reply(c as u64, packet, time(d)).unwrap_or(0) as f64;
            }
            KEEP => self.kept.push(Line::new(a, b as usize, c > 0.0)),
            LINE => return self.line(b as usize, time(c)).into(),
            ENDED => engine.ended(lines::end(c, d), time(b)),
            INTRODUCE => self.introduce(lines::words(), b > 0.0, time(c)),
            TRIED => engine.tried(lines::outcome(c, d), time(b)),
            SET_UP => engine.set_up(outcome(lines::words()), time(b)),
            RESTORE => self.restore(b as u64, (c as u64, d as u64)),
            START => engine.start(time(a)),
            CLOSE => engine.close(time(a)),
            LIMIT => return engine.limits().map_or(0.0, |limits| limits.packet as f64),
            FORGET => return engine.forget_request(a as u64).into(),
            SENT => engine.sent(),
            POLLED => engine.polled(a > 0.0, time(b)),
            POSTED => engine.posted(time(a)),
            TIMEOUT => engine.handle_timeout(time(a)),
            SUSPEND => engine.suspend(time(a)),
            WAKE => engine.wake(time(a)),
            SWITCH_TO => {
                if let Some(transport) = transport(a as u32) {
                    engine.switch(transport, time(b));
                }
            }
            MEASURE => engine.measure(),
            EVENT => {
                let event = engine.poll_event(time(a));
                return event.map_or(NOTHING, |event| self.leave(event)).into();
            }
            OUTPUT => {
                let output = engine.poll_output(time(a));
                return self.leave(output).into();
            }
            EXPECT => engine.expect_answer(a as u64, time(b)),
            HOLD => engine.restore_set_up(a as u64 - 1),
            POSITION => {
                let (session, (_, counter)) = (engine.session(), engine.identity());
                put(session.received(), session.confirmed(), counter);
                put(session.held_after().map_or(0, |held| held + 1), session.transmitted(), 0);
            }
            KEPT => engine.session().kept().for_each(|line| packet(line.key())),
            VERDICT => {
                let verdict = engine.verdict(time(a));
                return verdict.map_or(0.0, |Verdict { transport, valid_for }| {
                    (digit(transport) + 4 * Millis::of(valid_for).get()) as f64
                });
            }
            STATS => self.stats(),
            CLAIM => engine.claim(a as u64, b as u64),
            _ => {}
        }
        0.0
    }

    fn emit(&mut self, packet: Line, ahead: bool, deadline: f64, now: Time) -> f64 {
        let deadline = (deadline > 0.0).then(|| time(deadline));
        let sent = self.engine.send(packet, deadline, ahead, now);
        match sent {
            Ok(number) => number as f64,
            Err(SendError::Full { .. }) => -f64::from(FULL),
            Err(SendError::Closed) => -f64::from(OVER),
        }
    }

    fn line(&mut self, size: usize, now: Time) -> bool {
        let packet = if size > self.engine.inbound_limits().batch {
            Err(ProtocolError::TooLarge)
        } else {
            lines::packet(size)
        };
        self.engine.packet(packet, now)
    }

    fn introduce(&mut self, auth: String, failed: bool, now: Time) {
        let auth = if failed { Err(auth) } else { Ok(auth.into()) };
        self.engine.introduce(key(), auth, now);
    }

    fn restore(&mut self, counter: u64, position: (u64, u64)) {
        let kept = std::mem::take(&mut self.kept);
        match lines::known() {
            Some(Known::Key(key)) => self.engine.restore_open(key, counter, kept),
            Some(Known::Session(session, secret)) => {
                self.engine.restore(session, secret, counter, position, kept);
            }
            None => {}
        }
    }

    fn stats(&self) {
        let stats = self.engine.stats();
        let in_flight = self.engine.session().unconfirmed();
        put(stats.reconnects, stats.resumes, stats.sessions_lost);
        put(stats.transport_switches, stats.dropped_volatile, in_flight as u64);
    }
}

/// An empty text means success.
fn outcome(words: String) -> Result<(), String> {
    if words.is_empty() { Ok(()) } else { Err(words) }
}

fn line(key: f64, size: f64) -> Line {
    Line::new(key, size as usize, false)
}

pub(super) fn millis(millis: f64) -> Millis {
    Millis::new(millis as u64)
}

fn time(millis: f64) -> Time {
    Time::from_millis(millis as u64)
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
        rungs.extend(transport(digits >> shift));
    }
    rungs
}

/// The transport of the last digit.
fn transport(digits: u32) -> Option<Transport> {
    match digits & 3 {
        1 => Some(Transport::WebSocket),
        2 => Some(Transport::Sse),
        3 => Some(Transport::Polling),
        _ => None,
    }
}

super::numbers::from_file! { "../../js/acts.js":
    EMIT EMIT_AHEAD EMIT_VOLATILE REPLY KEEP LINE ENDED INTRODUCE RESTORE START CLOSE LIMIT FORGET
    SENT POLLED POSTED TIMEOUT SUSPEND WAKE SWITCH_TO MEASURE EVENT OUTPUT EXPECT POSITION KEPT
    STATS FULL OVER TRIED VERDICT SET_UP HOLD CLAIM
}
