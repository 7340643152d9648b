//! The client's log lines: changes of its session and of its carriers.
//!
//! Every line contains the mount point. No line contains a payload, the authentication, or the
//! reason with which a server ends a session. The client logs one line for each change; the
//! back-off limits their rate.

use std::fmt;
use std::time::Duration;

use bowline_protocol::CloseCode;
use log::Level;

use crate::endpoint::Endpoint;
use crate::engine::{End, Engine, Finding, Note};
use crate::status::Status;

/// A log line, created while the client is locked and logged afterwards: a logger runs code of
/// others.
pub(super) struct Line(Level, String);

impl Line {
    pub(super) fn write(self, endpoint: &Endpoint) {
        log::log!(self.0, "{endpoint}: {}", self.1);
    }

    /// The status has changed.
    pub(super) fn of_status(status: &Status, engine: &Engine) -> Self {
        match status {
            Status::Idle => Self(Level::Debug, "not connected yet".to_owned()),
            Status::Connecting { transport } => {
                Self(Level::Debug, format!("connecting over {transport}"))
            }
            Status::Connected { transport, resumed } => {
                let how = if *resumed { "resumed" } else { "opened" };
                Self(Level::Info, format!("{} {how} over {transport}", Named(engine)))
            }
            Status::Waiting { retry_in } => {
                let (retry_in, why) = (Span(*retry_in), Why(engine.last_failure()));
                let words = format!("not connected, the next attempt follows in {retry_in}{why}");
                Self(Level::Warn, words)
            }
            Status::SessionLost { code, confirmed, unknown } => {
                let words = format!(
                    "the session is lost ({code}): {confirmed} packets were confirmed, {unknown} \
                     may or may not have been handled"
                );
                Self(Level::Warn, words)
            }
            Status::Closed { code: CloseCode::NORMAL, .. } => {
                Self(Level::Info, "closed".to_owned())
            }
            Status::Closed { code: CloseCode::NO_CARRIER, .. } => {
                Self(Level::Warn, format!("closed for good{}", Why(engine.last_failure())))
            }
            Status::Closed { code, .. } => Self(Level::Warn, format!("closed for good ({code})")),
        }
    }

    /// The client has a new finding about a transport.
    pub(super) fn of_note(note: Note, engine: &Engine) -> Self {
        let Note { finding, transport, millis } = note;
        let (why, time) = (Why(engine.last_failure()), Span(Duration::from_millis(millis)));
        let level = match finding {
            Finding::Lost | Finding::LeftAlone | Finding::Proven => Level::Info,
            _ => Level::Debug,
        };
        let words = match finding {
            Finding::Tried => format!("{transport} is tried"),
            Finding::Slow => format!("{transport} has not opened after {time}"),
            Finding::Failed => format!("{transport} failed after {time}{why}"),
            Finding::Serves => format!("{transport} serves after {time}"),
            Finding::Lost => format!("{transport} was lost after {time}{why}"),
            Finding::LeftAlone => format!("{transport} is left alone for {time}"),
            Finding::Trial => format!("{transport} is tried beside the present transport"),
            Finding::TrialFailed => format!("{transport} failed again after {time}{why}"),
            Finding::Proven => format!("{transport} works and takes over"),
        };
        Self(level, words)
    }
}

/// The session by its public id.
struct Named<'a>(&'a Engine);

/// The reason, after the failure.
struct Why<'a>(Option<&'a End>);

/// A duration in a form for people.
struct Span(Duration);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.session_id() {
            Some(id) => write!(f, "session {id}"),
            None => f.write_str("the session"),
        }
    }
}

impl fmt::Display for Why<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            // Without the reason, which the server chose.
            Some(End::Close(close)) => write!(f, ": closed with {}", close.code),
            Some(end) => write!(f, ": {end}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        if millis < 10_000 { write!(f, "{millis} ms") } else { write!(f, "{} s", millis / 1000) }
    }
}
