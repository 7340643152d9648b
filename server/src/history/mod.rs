//! What is said to a room, kept for a while: whoever was away or joins late hears it.
//!
//! Each message has a place: an offset in an epoch. The broker's log gives the places and keeps the
//! messages; without a broker it is a log in memory, and in a file if there is one. A node on which
//! somebody follows a room has a replica of its log, which hands every message to the followers
//! once and in order, asks the log for what it has missed, and replays to a new follower what it
//! wants to hear before anything new.

mod histories;
mod replica;
#[cfg(test)]
mod tests;

use crate::broker::Unavailable;
use crate::error::HistoryError;
pub(crate) use histories::{Histories, ReportGap, is_channel};

impl From<Unavailable> for HistoryError {
    fn from(_: Unavailable) -> Self {
        Self::Unavailable
    }
}
