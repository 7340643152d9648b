//! The words between the runner and its programs: a line of JSON each.

use serde::{Deserialize, Serialize};

use super::Transports;

/// What a program says.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "kebab-case")]
pub(super) enum Said {
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

/// What a client knows. Times are milliseconds of the wall clock.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Book {
    pub(super) client: usize,
    /// When it sent each event, the first of which has the number 1.
    pub(super) events: Vec<f64>,
    pub(super) requests: Asked,
    /// Requests whose handlers take three seconds.
    pub(super) waits: Asked,
    /// The numbers of the broadcasts that it received, and when.
    pub(super) ticks: Vec<(u64, f64)>,
    /// When it was told that its session is lost.
    pub(super) lost: Vec<f64>,
    /// At the end it had another transport than at the beginning.
    pub(super) moved: bool,
}

/// Requests of a client.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Asked {
    /// When each was sent, the first of which has the number 1.
    pub(super) sent: Vec<f64>,
    /// The numbers of those that ended, when, and whether that was with the right answer.
    pub(super) ended: Vec<(u64, f64, bool)>,
}

impl Said {
    pub(super) fn listening(self) -> Option<f64> {
        if let Self::Listening { at } = self { Some(at) } else { None }
    }
}
