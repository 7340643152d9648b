//! The messages between the runner and its programs: a line of JSON each.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What a program reports.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "kebab-case")]
pub(super) enum Notice {
    /// A server takes connections.
    Listening { port: u16 },
    /// All clients are connected.
    Connected,
    /// A server has broadcast all.
    Sent,
    /// Every client has everything.
    Complete,
    /// What the clients were told.
    Counted(Counted),
}

/// What the clients of a peer were told.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Counted {
    /// Milliseconds that each message was under way.
    pub(super) delays: Vec<u32>,
    pub(super) lost: u64,
    pub(super) duplicated: u64,
    pub(super) reordered: u64,
}

/// What a program is told to do.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Work {
    /// How many messages there are for each client.
    pub(super) messages: u64,
    /// Milliseconds between two of them.
    pub(super) every: u64,
    /// Where the clients connect to.
    #[serde(default)]
    pub(super) urls: Vec<String>,
}

impl Notice {
    pub(super) fn port(self) -> Option<u16> {
        if let Self::Listening { port } = self { Some(port) } else { None }
    }

    pub(super) fn counted(self) -> Option<Counted> {
        if let Self::Counted(counted) = self { Some(counted) } else { None }
    }
}

impl Work {
    pub(super) fn broadcasts(seconds: u64) -> String {
        Self::clients(Vec::new(), seconds)
    }

    pub(super) fn clients(urls: Vec<String>, seconds: u64) -> String {
        let every = EVERY.as_millis() as u64;
        let work = Self { messages: Self::messages(seconds), every, urls };
        serde_json::to_string(&work).expect("it is plain")
    }

    /// How many messages a round has.
    pub(super) const fn messages(seconds: u64) -> u64 {
        seconds * 1000 / EVERY.as_millis() as u64
    }
}

/// Between two broadcasts.
const EVERY: Duration = Duration::from_millis(500);
