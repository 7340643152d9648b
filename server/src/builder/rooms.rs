//! What rooms keep, and how many there may be.

use std::time::Duration;

use super::BowlineBuilder;
use crate::broker::Keep;

impl BowlineBuilder {
    /// How long a session is without a carrier before its client counts as away: for
    /// [`on_away`](Self::on_away), and for the mark in [`presence`](crate::Presence). Defaults to 5
    /// s, so that a change of transport or a short cut is not noticed.
    pub const fn away_after(mut self, time: Duration) -> Self {
        self.config.away_after = time;
        self
    }

    /// Keeps what is said with [`Bowline::history`](crate::Bowline::history) to rooms whose names
    /// begin with this: so many messages at most, in [`history_limit`](Self::history_limit)
    /// bytes, and for so long. No room has a history unless set; the longest beginning counts.
    ///
    /// The history is in the memory of the process, also on its disk with `history_store`, or in
    /// the broker if there is one. Sessions that follow a room make their node keep a copy.
    pub fn history(mut self, rooms: &str, messages: usize, age: Duration) -> Self {
        self.config.histories.push((rooms.to_owned(), Keep { messages, bytes: usize::MAX, age }));
        self
    }

    /// Bytes of the history of one room, counting 64 for each message beside its own. Defaults to 2
    /// MiB, so that whoever wants all of it gets it in an [`outbox`](Self::outbox_limit).
    /// Beyond it the oldest messages are forgotten, but for the newest of all; followers who
    /// want them learn that they are gone.
    pub const fn history_limit(mut self, bytes: usize) -> Self {
        self.config.history_limit = bytes;
        self
    }

    /// Bytes of all histories in the memory of this process, and as many again for the copies of
    /// those that are followed here. Defaults to a quarter of
    /// [`memory_limit`](Self::memory_limit). Beyond it the messages of the rooms are
    /// forgotten that were not used for longest, and a copy forgets its older half. A broker that
    /// is another process has limits of its own: `maxmemory` of Redis.
    pub const fn history_memory_limit(mut self, bytes: usize) -> Self {
        self.config.history_memory_limit = Some(bytes);
        self
    }

    /// Rooms with a history in the memory of this process. Defaults to 100,000. A room counts from
    /// the moment that it is said to or followed until a day after its last message is too old.
    /// Beyond it rooms are forgotten: those without messages first, then those that were not
    /// used for longest. Their histories begin anew when they are used again.
    pub const fn max_histories(mut self, rooms: usize) -> Self {
        self.config.max_histories = if rooms == 0 { 1 } else { rooms };
        self
    }

    /// Keeps the histories of this node in a file as well, so that they outlive the process:
    /// positions go on, and a client that follows from the last it has seen gets what it has
    /// missed. They are in memory only unless set.
    ///
    /// A message is told to followers, and [`History::emit`](crate::History::emit) resolves, when
    /// it is on the disk. Memory and disk keep the same, within the same limits. Not for nodes
    /// with a [`broker`](Self::broker), which share their histories there:
    /// [`build`](Self::build) panics.
    #[cfg(feature = "history-file")]
    pub fn history_store(mut self, file: crate::broker::HistoryFile) -> Self {
        self.config.history_store = Some(std::sync::Arc::new(file));
        self
    }

    /// Rooms that one session can be in, and rooms that it can be present in. Defaults to 1,000.
    pub const fn max_rooms_per_session(mut self, rooms: usize) -> Self {
        self.config.max_rooms_per_session = rooms;
        self
    }

    /// Sessions that can be present in one room: see
    /// [`Bowline::presence`](crate::Bowline::presence). Defaults to 10,000, because
    /// whoever asks for the list gets all of it. Two nodes that each let the last one in may exceed
    /// it.
    pub const fn presence_limit(mut self, sessions: usize) -> Self {
        self.config.presence_limit = sessions;
        self
    }

    /// Bytes of JSON that a session that is present can say of itself. Defaults to 4 KiB: every
    /// node and every member gets them.
    pub const fn presence_info_limit(mut self, bytes: usize) -> Self {
        self.config.presence_info_limit = bytes;
        self
    }
}
