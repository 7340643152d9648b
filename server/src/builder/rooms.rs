//! What rooms keep, and how many there may be.

use std::time::Duration;

use super::BowlineBuilder;
use crate::broker::Keep;

impl BowlineBuilder {
    /// How long a session is without a carrier before its client counts as away: for
    /// [`on_away`](Self::on_away), and for the mark in [`presence`](crate::Presence). Defaults to 5
    /// s, so that a change of transport or a short cut goes unnoticed.
    pub const fn away_after(mut self, time: Duration) -> Self {
        self.config.away_after = time;
        self
    }

    /// Stores the messages that the application sends with
    /// [`Bowline::history`](crate::Bowline::history) to rooms whose names begin with this prefix:
    /// at most so many messages, in [`history_limit`](Self::history_limit) bytes, for this long. No
    /// room has a history unless set; the longest matching prefix counts.
    ///
    /// The history is in the memory of the process, also on its disk with `history_store`, or in
    /// the broker if there is one. A node copies the history of each room that its sessions follow.
    pub fn history(mut self, rooms: &str, messages: usize, age: Duration) -> Self {
        self.config.histories.push((rooms.to_owned(), Keep { messages, bytes: usize::MAX, age }));
        self
    }

    /// Bytes of the history of one room; each message counts 64 bytes more than its own. Defaults
    /// to 2 MiB, so that a whole history fits into an [`outbox`](Self::outbox_limit). Beyond it the
    /// server drops the oldest messages, but never the newest one; followers that ask for dropped
    /// messages learn that they are gone.
    pub const fn history_limit(mut self, bytes: usize) -> Self {
        self.config.history_limit = bytes;
        self
    }

    /// Bytes of all histories in the memory of this process, and as many again for the copies of
    /// histories that sessions follow. Defaults to a quarter of
    /// [`memory_limit`](Self::memory_limit). Beyond it the server drops the histories that were not
    /// used for longest, and the older half of a copy. A broker that is another process has limits
    /// of its own: `maxmemory` of Redis.
    pub const fn history_memory_limit(mut self, bytes: usize) -> Self {
        self.config.history_memory_limit = Some(bytes);
        self
    }

    /// Rooms with a history in the memory of this process. Defaults to 100,000. A room counts from
    /// its first message or follower until a day after its last message has expired. Beyond it the
    /// server drops the histories of rooms: those without messages first, then those that were not
    /// used for longest. A dropped history begins anew when it is used again.
    pub const fn max_histories(mut self, rooms: usize) -> Self {
        self.config.max_histories = if rooms == 0 { 1 } else { rooms };
        self
    }

    /// The ids of messages that the server recognizes when they are repeated: see
    /// [`History::once`](crate::History::once). Defaults to the last 100,000 ids of all rooms in
    /// the memory of this process, each for 10 minutes; an id uses about 200 bytes, and as much
    /// again in a `history_store`. A message that is repeated with an older id is stored again.
    /// Redis keeps all ids for that time, within its `maxmemory`.
    pub const fn once_ids(mut self, ids: usize, age: Duration) -> Self {
        (self.config.once_ids, self.config.once_age) = (ids, age);
        self
    }

    /// Stores the histories of this node in a file as well, so that they outlive the process:
    /// positions continue, and a client that follows from the last position it has seen receives
    /// what it has missed. They are in memory only unless set.
    ///
    /// Followers receive a message, and [`History::emit`](crate::History::emit) resolves, when it
    /// is on the disk. Memory and disk have the same messages, within the same limits. Nodes with a
    /// [`broker`](Self::broker) share their histories there, so for them [`build`](Self::build)
    /// panics.
    #[cfg(feature = "history-file")]
    pub fn history_store(mut self, file: crate::broker::HistoryFile) -> Self {
        self.config.history_store = Some(std::sync::Arc::new(file));
        self
    }

    /// Rooms that one session can join, and rooms in which it can be present. Defaults to 1,000.
    pub const fn max_rooms_per_session(mut self, rooms: usize) -> Self {
        self.config.max_rooms_per_session = rooms;
        self
    }

    /// Sessions that can be present in one room: see
    /// [`Bowline::presence`](crate::Bowline::presence). Defaults to 10,000, because a list contains
    /// all of them. Two nodes that each accept the last one may exceed it.
    pub const fn presence_limit(mut self, sessions: usize) -> Self {
        self.config.presence_limit = sessions;
        self
    }

    /// Bytes of JSON in the info of a present session. Defaults to 4 KiB: every node and every
    /// member receives it.
    pub const fn presence_info_limit(mut self, bytes: usize) -> Self {
        self.config.presence_info_limit = bytes;
        self
    }
}
