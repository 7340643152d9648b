//! The state of an engine, for its host and for diagnostics.

use bowline_protocol::{Form, Limits, Session, SessionId};

use super::{End, Engine, Identity};
use crate::status::Stats;

impl<F: Form> Engine<F> {
    /// The sequence number of the client's present session, from 0.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// True while this many bytes more fill no more than half of the outbox, and while it is empty:
    /// streams leave the other half to everything else.
    #[must_use]
    pub fn has_room(&self, bytes: usize) -> bool {
        let kept = self.session.outbox_bytes();
        kept == 0 || kept.saturating_add(bytes) <= self.config.outbox_limit / 2
    }

    /// The public id of the session, once the server has sent it.
    #[must_use]
    pub const fn session_id(&self) -> Option<SessionId> {
        self.session_id
    }

    /// The server's limits, once it has sent them.
    #[must_use]
    pub const fn limits(&self) -> Option<Limits> {
        self.limits
    }

    /// The client's own limits: a server that accepts large packets may also send them.
    #[must_use]
    pub fn inbound_limits(&self) -> Limits {
        let (own, server) = (Limits::default(), self.limits.unwrap_or_default());
        Limits { packet: own.packet.max(server.packet), batch: own.batch.max(server.batch) }
    }

    /// The last round trip in milliseconds: of a packet and its answer.
    #[must_use]
    pub const fn rtt(&self) -> Option<u64> {
        self.rtt
    }

    /// Why the last carrier or attempt ended.
    #[must_use]
    pub const fn last_failure(&self) -> Option<&End> {
        self.last_failure.as_ref()
    }

    /// The client's counters.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let dropped_volatile = self.stats.dropped_volatile + self.session.dropped_volatile();
        Stats { dropped_volatile, ..self.stats }
    }

    /// The client's identity, with the attach counter that it has reached: the input of
    /// [`Self::restore`], secrets included.
    #[must_use]
    pub const fn identity(&self) -> (&Identity, u64) {
        (&self.identity, self.counter)
    }

    /// The session itself, for reading.
    #[must_use]
    pub const fn session(&self) -> &Session<F> {
        &self.session
    }
}
