//! What a server of rooms with a history and its clients say to each other, as payloads.
//!
//! Spec: 06-rooms-and-requests, "History".

use serde::{Deserialize, Serialize};

/// A place in the history of a room.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Position {
    /// Which history it is. A history that was lost begins anew, under another name.
    pub epoch: String,
    /// The message's sequence number in it, from 1; 0 before the first.
    pub offset: u64,
}

/// The payload of an event that is kept in the history of its room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept<T> {
    /// Where it stands.
    pub at: Position,
    /// What was said.
    pub payload: T,
}

/// From where on a follower wants what was said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Since {
    /// From now on.
    #[default]
    Now,
    /// From so many messages ago, or as far back as the history goes.
    Last(usize),
    /// Everything after this place: where the follower was before.
    After(Position),
}

/// What a follower got.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recovered {
    /// Where the follower is now. The next event stands one further.
    pub at: Position,
    /// How many events it was sent for that.
    pub replayed: u64,
    /// What it was not sent though it had asked for it; `None` when it has everything.
    pub missing: Option<Missing>,
}

/// Messages that are no longer kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Missing {
    /// Those from one offset to another, both included.
    Range {
        /// The first that is missing.
        from: u64,
        /// The last.
        to: u64,
    },
    /// The history has begun anew since, and what was said at its end is not known.
    Unknown,
}
