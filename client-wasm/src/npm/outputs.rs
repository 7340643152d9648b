//! The outputs of the engine, as they are on the desk.

use bowline_client::Status;
use bowline_client::engine::{Cause, End, Note, Outgoing, Output, Route, Transport};
use bowline_protocol::{AnswerError, CloseCode, MessageKind, Millis, Time, Transmit};

use super::Core;
use super::desk::{numbers, packet, text};
use super::lines;
use super::values::Values;

impl Core {
    /// Leaves an output on the desk and returns its kind.
    pub(super) fn leave(&self, output: Output<Values>) -> u32 {
        match output {
            Output::Wait(deadline) => {
                put(deadline.map_or(0, Time::as_millis), 0, 0);
                NOTHING
            }
            Output::Open => OPEN,
            Output::Drop => DROP,
            Output::Introduce => INTRODUCE,
            Output::SetUp(begin) => {
                put(begin.into(), 0, 0);
                SET_UP
            }
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
                let (kind, what) = match outcome {
                    Ok(payload) => (REPLY, payload.at),
                    Err(AnswerError::Failed(failure)) => (FAILURE, failure.payload.at),
                    Err(AnswerError::TimedOut { sent }) => (TIMED_OUT, sent.into()),
                    Err(AnswerError::SessionLost { sent }) => (LOST, sent.into()),
                };
                put(what as u64, request, 0);
                kind
            }
            Output::Status(status) => self.status(status),
            Output::Over(_) => OVER,
            Output::Aside => ASIDE,
            Output::Adopt => ADOPT,
            Output::Trial(transport) => {
                put(transport.map_or(0, digit), 0, 0);
                TRIAL
            }
            Output::Noted(Note { finding, transport, millis }) => {
                let code = if finding.is_failure() { self.failure() } else { 0 };
                put(digit(transport) + 4 * finding as u64, millis, code);
                NOTED
            }
        }
    }

    fn batch(&self, outgoing: Outgoing<Values>) {
        if let Some(line) = &outgoing.line {
            lines::first(line);
        }
        for outgoing in outgoing.packets {
            match outgoing {
                Transmit::Tracked { packet: line, .. } | Transmit::Volatile(line) => {
                    packet(line.key());
                }
                Transmit::Control(control) => lines::control(&control),
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
                put(Millis::of(retry_in).get(), self.failure(), 0);
                WAITING
            }
            Status::SessionLost { code, confirmed, unknown } => {
                put(code.get().into(), confirmed, unknown);
                SESSION_LOST
            }
            Status::Closed { code, reason } => {
                text(&reason);
                let given_up = code == CloseCode::NO_CARRIER;
                put(code.get().into(), if given_up { self.failure() } else { 0 }, 0);
                CLOSED
            }
        }
    }

    /// Why the last carrier or attempt ended: a text on the desk, a close code, or the number of a
    /// cause.
    fn failure(&self) -> u64 {
        match self.engine.last_failure() {
            Some(End::Lost(words)) => text(words),
            Some(End::Close(close)) => return close.code.get().into(),
            Some(End::Protocol(_)) => return Cause::NotBowline as u64,
            Some(End::Refused(refused)) => {
                text(&refused.detail);
                return refused.cause as u64;
            }
            None => {}
        }
        0
    }
}

pub(super) fn put(a: u64, b: u64, c: u64) {
    numbers(a as f64, b as f64, c as f64);
}

pub(super) fn digit(transport: Transport) -> u64 {
    match transport {
        Transport::WebSocket => 1,
        Transport::Sse => 2,
        Transport::Polling => 3,
    }
}

super::numbers::from_file! { "../../js/kinds.js":
    NOTHING OPEN DROP INTRODUCE SOCKET STREAM POLL POST EVENT REQUEST REPLY FAILURE TIMED_OUT LOST
    MEASURED CONNECTING CONNECTED WAITING SESSION_LOST CLOSED OVER NOTED ASIDE ADOPT TRIAL SET_UP
}
