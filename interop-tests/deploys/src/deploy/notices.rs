//! The messages between the runner and its programs: a line of JSON each.

use serde::{Deserialize, Serialize};

use super::Transports;

/// What a program reports.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "kebab-case")]
pub(super) enum Notice {
    /// A server takes connections, from this moment on.
    Listening { at: f64 },
    /// All clients are connected.
    Connected,
    /// Nothing new is sent, and every request has ended, or never will.
    Settled,
    /// What one client knows.
    Book(Book),
    /// There are no more books.
    Counted,
}

/// What clients are told to do.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Work {
    /// Where they connect to, without a path.
    pub(super) url: String,
    /// The numbers of the clients.
    pub(super) clients: std::ops::Range<usize>,
    pub(super) transport: Transports,
    /// They have requests under way that take three seconds.
    pub(super) handlers: bool,
}

/// What a client knows. Times are milliseconds of the wall clock. The order of what it wrote down
/// does not depend on them: each thing that it sends, and each lost session, has a place of its
/// own. What it received has a turn: a client that finds a lost session and messages at the same
/// time cannot say which of them came first, so these share their turn.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Book {
    pub(super) client: usize,
    /// How many places and turns there are so far.
    pub(super) noted: u64,
    /// The places of its events, the first of which has the number 1.
    pub(super) events: Vec<u64>,
    pub(super) requests: Asked,
    /// Requests whose handlers take three seconds.
    pub(super) waits: Asked,
    /// The numbers of the broadcasts that it received, when, and the turn.
    pub(super) ticks: Vec<(u64, f64, u64)>,
    /// The sessions of which it was told that they are lost.
    pub(super) lost: Vec<Lost>,
    /// At the end it had another transport than at the beginning.
    pub(super) moved: bool,
}

/// A client was told that its session is lost.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Lost {
    pub(super) at: f64,
    /// Before what it sends later, and behind what it sent before.
    pub(super) place: u64,
    /// Among what it received.
    pub(super) turn: u64,
}

/// Requests of a client.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Asked {
    /// The place of each, the first of which has the number 1.
    pub(super) sent: Vec<u64>,
    /// The numbers of those that ended, when, and whether that was with the right answer.
    pub(super) ended: Vec<(u64, f64, bool)>,
}

impl Book {
    /// The next place, or turn.
    pub(super) const fn note(&mut self) -> u64 {
        self.noted += 1;
        self.noted
    }
}

impl Notice {
    pub(super) fn listening(self) -> Option<f64> {
        if let Self::Listening { at } = self { Some(at) } else { None }
    }
}
