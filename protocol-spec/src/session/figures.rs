//! What a session says of itself.

use super::{AttachError, CarrierGone, CarrierId, Ownership, Session};
use crate::{Close, Form, Time};

impl<F: Form> Session<F> {
    /// How many tracked packets of the peer were received. Whoever writes the number into a header
    /// calls this, because saying it is a confirmation.
    pub fn state_received(&mut self) -> u64 {
        self.inbox.state_received()
    }

    /// How many tracked packets of the peer were received.
    #[must_use]
    pub const fn received(&self) -> u64 {
        self.inbox.received()
    }

    /// The number of the tracked packet that is transmitted next.
    #[must_use]
    pub const fn next_number(&self) -> u64 {
        self.outbox.next_number()
    }

    /// How many of our tracked packets the peer has confirmed.
    #[must_use]
    pub const fn confirmed(&self) -> u64 {
        self.outbox.confirmed()
    }

    /// How many of our tracked packets were sent on any carrier. They keep their numbers.
    #[must_use]
    pub const fn transmitted(&self) -> u64 {
        self.outbox.transmitted()
    }

    /// How many of our tracked packets wait for a confirmation, sent or not.
    #[must_use]
    pub fn unconfirmed(&self) -> usize {
        self.outbox.len()
    }

    /// Bytes in the outbox.
    #[must_use]
    pub const fn outbox_bytes(&self) -> usize {
        self.outbox.bytes()
    }

    /// Bytes of all that waits to be sent or confirmed: those in the outbox, and volatile events.
    #[must_use]
    pub fn kept_bytes(&self) -> usize {
        self.outbox.bytes() + self.outbox.volatile_bytes()
    }

    /// For how long a server's session without a carrier waits for its client still. `None` while it has a carrier.
    #[must_use]
    pub fn waits_for(&self, now: Time) -> Option<std::time::Duration> {
        self.expires.map(|at| at - now)
    }

    /// How many volatile events were dropped.
    #[must_use]
    pub const fn dropped_volatile(&self) -> u64 {
        self.outbox.dropped_volatile()
    }

    /// The tracked packets that wait for a confirmation, oldest first.
    pub fn kept(&self) -> impl Iterator<Item = &F::Packet> {
        self.outbox.kept()
    }

    /// The packet that was kept last, for tests of what is shared.
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

    /// True while what comes on this carrier is to be taken: also on one that was replaced, but not by another
    /// instance of the client.
    #[must_use]
    pub const fn hears(&self, carrier: CarrierId) -> bool {
        carrier.0 > self.foreign
    }

    /// Looks whether the session belongs to this instance of the client, for a body that attaches nothing.
    ///
    /// # Errors
    /// [`AttachError::Taken`] if it is another one's; [`AttachError::Stale`] before an attachment has shown that the
    /// session may go on from its checkpoint.
    pub fn check_owner(&self, instance: u64) -> Result<(), AttachError> {
        if self.is_stale && self.closing.is_none() {
            return Err(AttachError::Stale);
        }
        self.ownership.check(instance)
    }

    /// To which instance of the client the session belongs.
    #[must_use]
    pub const fn ownership(&self) -> &Ownership {
        &self.ownership
    }

    /// True for a session that goes on from a checkpoint and was not attached since.
    #[must_use]
    pub const fn is_stale(&self) -> bool {
        self.is_stale
    }

    /// The highest attach counter seen of the instance that has the session.
    #[must_use]
    pub const fn counter(&self) -> u64 {
        self.counter
    }

    /// Why the session ended or is about to, if so.
    #[must_use]
    pub fn closed(&self) -> Option<&Close> {
        self.closing.as_ref().map(|closing| &closing.close)
    }

    /// True when the session is over and nobody needs to be told any more.
    #[must_use]
    pub fn is_finished(&self, now: Time) -> bool {
        self.closing.is_some() && self.expires.is_some_and(|at| at <= now)
    }
}
