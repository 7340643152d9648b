//! The payloads of a history: what the server and its clients send for rooms with a history.
//!
//! Spec: 06-rooms-and-requests, "History".

use serde::{Deserialize, Serialize};

/// A position in the history of a room.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Position {
    /// The name of the history. When a server loses a history, it begins a new one under another
    /// name.
    pub epoch: String,
    /// The message's sequence number, from 1; 0 is the position before the first message.
    pub offset: u64,
}

/// The payload of an event that the server stores in the history of its room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept<T> {
    /// The position of the event.
    pub at: Position,
    /// The payload that the application sent.
    pub payload: T,
}

/// The position from which a follower wants messages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Since {
    /// Only messages sent after the subscription.
    #[default]
    Now,
    /// This many messages before the end, or as many as the history holds.
    Last(usize),
    /// Every message after this position, the last one that the follower received.
    After(Position),
}

/// The server's answer to a follower.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recovered {
    /// The position of the follower. The next event has the next offset.
    pub at: Position,
    /// The number of stored events that the server sent to the follower.
    pub replayed: u64,
    /// The messages that the follower asked for and the server no longer has; `None` when it sent
    /// all.
    pub missing: Option<Missing>,
}

/// Messages that the server no longer has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Missing {
    /// The messages from one offset to another, both included.
    Range {
        /// The offset of the first missing message.
        from: u64,
        /// The offset of the last missing message.
        to: u64,
    },
    /// The history has begun anew since, and the server does not know which messages the old one
    /// had at its end.
    Unknown,
}
