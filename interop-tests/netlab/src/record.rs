//! What the programs of a row say, one line of JSON each: who sent what, and what arrived.

use serde::{Deserialize, Serialize};

pub(crate) use bowline_fixtures::flow::Flow;

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// Milliseconds of the wall clock, which all programs of a row share.
    pub(crate) at: f64,
    #[serde(flatten)]
    pub(crate) said: Event,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "kebab-case")]
pub(crate) enum Event {
    /// A server takes connections.
    Listening { port: u16 },
    /// A client was told to connect.
    Connecting,
    /// A client is connected, by this transport, or has changed to it.
    Transport { name: String },
    /// A client knows that it is not connected.
    Away,
    /// The application was given a message.
    Arrived { flow: Flow, number: u64 },
    /// The application has handed a message over.
    Sent { flow: Flow, number: u64 },
    /// It was not taken, with an error at once: whoever sent it knows.
    Refused { flow: Flow, number: u64 },
    /// A request has ended: with the right answer, or not.
    Ended { flow: Flow, number: u64, right: bool },
    /// Nothing new is sent from here on.
    Stopped,
    /// Something for a person.
    Note { text: String },
    /// The program itself does not work, so the row says nothing.
    Failed { why: String },
}

impl Record {
    pub(crate) fn now(said: Event) -> Self {
        Self { at: wall_clock(), said }
    }
}

/// Milliseconds.
pub(crate) fn wall_clock() -> f64 {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    since.as_secs_f64() * 1000.0
}
