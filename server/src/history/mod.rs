//! The messages of a room, kept for a while: members who were away or join late receive them.
//!
//! Each message has a position: an offset in an epoch. The broker's log assigns the positions and
//! keeps the messages; without a broker it is a log in memory, and in a file if there is one. A
//! node with followers of a room has a replica of its log, which sends every message to the
//! followers once and in order, reads from the log what it has missed, and replays to a new
//! follower what it requests before anything new.

mod histories;
mod page;
mod replica;
#[cfg(test)]
mod tests;

pub(crate) use crate::broker::Appended;
use crate::broker::Unavailable;
use crate::error::HistoryError;
pub(crate) use histories::{Histories, ReportGap, is_channel};
pub use page::{HistoryPage, StoredMessage};

impl From<Unavailable> for HistoryError {
    fn from(_: Unavailable) -> Self {
        Self::Unavailable
    }
}
