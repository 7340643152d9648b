//! Logs in memory that are a copy of a file, which decides where they begin and end.

use std::time::Instant;

use bowline_protocol::Position;
use bytes::Bytes;
use uuid::Uuid;

use super::{Bounds, Filed, Keep, Log, Logs, Slice, Trimmed};

/// A log as it was written to the file.
#[derive(Debug)]
pub(crate) struct Restored {
    pub(crate) end: Position,
    pub(crate) keep: Keep,
    pub(crate) used: Instant,
    /// Offsets, times and messages: the last that there are, without holes.
    pub(crate) messages: Vec<(u64, Instant, Bytes)>,
}

impl Logs {
    /// Appends the message of this place, which is the next one of its log.
    pub(crate) fn append_at(&mut self, name: &str, at: &Position, message: Bytes, keep: Keep) {
        let before = || Position { epoch: at.epoch.clone(), offset: at.offset.saturating_sub(1) };
        self.append_to(name, message, keep, before);
    }

    /// What is kept of a log, if there is one.
    pub(crate) fn peek(&mut self, name: &str, keep: Keep) -> Option<Slice> {
        let end = self.by_name.get(name)?.log.end.clone();
        Some(self.read_at(name, &end, keep))
    }

    /// What is kept of a log. One that there is not begins behind this place.
    pub(crate) fn read_at(&mut self, name: &str, end: &Position, keep: Keep) -> Slice {
        self.read_from(name, keep, || end.clone())
    }

    /// Deletes the messages up to a place, or all. A log that there is not begins behind `end`.
    pub(crate) fn trim_at(
        &mut self,
        name: &str,
        end: &Position,
        to: Option<&Position>,
        keep: Keep,
    ) -> Option<Trimmed> {
        self.trim_from(name, to, keep, || end.clone())
    }

    /// Where a log that there is begins and ends: the offset before the oldest message, the place
    /// of the newest.
    pub(crate) fn span(&self, name: &str) -> Option<(u64, &Position)> {
        self.by_name.get(name).map(|Filed { log, .. }| (log.begin(), &log.end))
    }

    /// Changes when messages of other logs than the one that grows may have been forgotten.
    pub(crate) const fn reached(&self) -> u64 {
        self.reached
    }

    /// Adds a log that was read from the file, without checking the bounds of all.
    pub(crate) fn restore(&mut self, name: &str, restored: Restored) {
        let Restored { end, keep, used, messages } = restored;
        let before = messages.first().map_or(end.offset, |(offset, ..)| offset.saturating_sub(1));
        let mut log = Log::at(Position { epoch: end.epoch, offset: before });
        for (_, at, message) in messages {
            let size = message.len();
            log.push(message, size, at, keep);
        }
        self.bytes += log.bytes;
        self.by_name.insert(name.to_owned(), Filed { log, keep, used });
    }

    /// Adds an id that was read from the file.
    pub(crate) fn restore_id(&mut self, name: &str, id: Uuid, at: Position, until: Instant) {
        self.ids.insert(name, id, at, until);
    }

    /// How many ids there may be.
    pub(crate) const fn id_limit(&self) -> usize {
        self.bounds.ids
    }

    /// Sets the bounds of all logs together.
    pub(crate) fn bound(&mut self, bounds: Bounds) {
        self.bounds = bounds;
        self.ids.bound(bounds.ids);
        let now = Instant::now();
        if self.by_name.len() > bounds.logs {
            self.forget_logs(now);
        }
        if self.bytes > bounds.bytes {
            self.make_room(None, now);
        }
    }
}
