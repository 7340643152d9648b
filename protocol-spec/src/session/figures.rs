//! The state of a session, for its driver and for diagnostics.

use super::{AttachError, CarrierGone, CarrierId, Ownership, Session};
use crate::{Close, Form, Time};

impl<F: Form> Session<F> {
    /// The number of tracked packets received from the peer, for a driver that sends the number in
    /// a header: calling this method counts as a confirmation.
    pub fn state_received(&mut self) -> u64 {
        self.inbox.state_received()
    }

    /// The number of tracked packets received from the peer.
    #[must_use]
    pub const fn received(&self) -> u64 {
        self.inbox.received()
    }

    /// The number of the tracked packet that is transmitted next.
    #[must_use]
    pub const fn next_number(&self) -> u64 {
        self.outbox.next_number()
    }

    /// The number of tracked packets that the peer has confirmed.
    #[must_use]
    pub const fn confirmed(&self) -> u64 {
        self.outbox.confirmed()
    }

    /// The number of tracked packets that were sent on any carrier. They keep their numbers.
    #[must_use]
    pub const fn transmitted(&self) -> u64 {
        self.outbox.transmitted()
    }

    /// The number of unconfirmed tracked packets, sent or not.
    #[must_use]
    pub fn unconfirmed(&self) -> usize {
        self.outbox.len()
    }

    /// Bytes in the outbox.
    #[must_use]
    pub const fn outbox_bytes(&self) -> usize {
        self.outbox.bytes()
    }

    /// Bytes that the outbox may have.
    #[must_use]
    pub fn outbox_limit(&self) -> usize {
        self.config.outbox_limit
    }

    /// Bytes of all packets that wait to be sent or confirmed: the outbox and volatile events.
    #[must_use]
    pub fn kept_bytes(&self) -> usize {
        self.outbox.bytes() + self.outbox.volatile_bytes()
    }

    /// How long a server's session without a carrier still waits for its client. `None` while a
    /// carrier is attached.
    #[must_use]
    pub fn waits_for(&self, now: Time) -> Option<std::time::Duration> {
        self.expires.map(|at| at - now)
    }

    /// The number of dropped volatile events.
    #[must_use]
    pub const fn dropped_volatile(&self) -> u64 {
        self.outbox.dropped_volatile()
    }

    /// The unconfirmed tracked packets, oldest first.
    pub fn kept(&self) -> impl Iterator<Item = &F::Packet> {
        self.outbox.kept()
    }

    /// The newest unconfirmed packet, for tests that check which buffers are shared.
    #[must_use]
    pub fn last_kept(&self) -> Option<&F::Packet> {
        self.outbox.last()
    }

    /// True while a carrier is attached.
    #[must_use]
    pub const fn is_attached(&self) -> bool {
        self.attached
    }

    /// True while this carrier is the current one.
    #[must_use]
    pub const fn serves(&self, carrier: CarrierId) -> bool {
        self.attached && carrier.0 == self.accepted
    }

    /// Why this carrier is not the current one, `None` while it is.
    #[must_use]
    pub fn gone(&self, carrier: CarrierId) -> Option<CarrierGone> {
        if self.serves(carrier) {
            None
        } else if !self.hears(carrier) {
            Some(CarrierGone::Taken { last: self.ownership.last() })
        } else if carrier.0 < self.accepted {
            Some(CarrierGone::Replaced)
        } else {
            Some(self.gone)
        }
    }

    /// True while the session accepts packets from this carrier: also from a carrier that was
    /// replaced, but not after another instance of the client took over.
    #[must_use]
    pub const fn hears(&self, carrier: CarrierId) -> bool {
        carrier.0 > self.foreign
    }

    /// Checks that the session belongs to this instance of the client, for a body that does not
    /// attach.
    ///
    /// # Errors
    /// [`AttachError::Taken`] if the session belongs to another instance; [`AttachError::Stale`]
    /// before an attachment has proved that the session may continue from its checkpoint.
    pub fn check_owner(&self, instance: u64) -> Result<(), AttachError> {
        if self.is_stale && self.closing.is_none() {
            return Err(AttachError::Stale);
        }
        self.ownership.check(instance)
    }

    /// The instance of the client that owns the session.
    #[must_use]
    pub const fn ownership(&self) -> &Ownership {
        &self.ownership
    }

    /// True for a session that was restored from a checkpoint and not attached since.
    #[must_use]
    pub const fn is_stale(&self) -> bool {
        self.is_stale
    }

    /// The highest attach counter of the owning instance.
    #[must_use]
    pub const fn counter(&self) -> u64 {
        self.counter
    }

    /// Why the session has ended or is about to end; `None` while it continues.
    #[must_use]
    pub fn closed(&self) -> Option<&Close> {
        self.closing.as_ref().map(|closing| &closing.close)
    }

    /// True when the session is over and the peer has been notified, if it had to be.
    #[must_use]
    pub fn is_finished(&self, now: Time) -> bool {
        self.closing.is_some() && self.expires.is_some_and(|at| at <= now)
    }
}
