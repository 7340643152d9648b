//! What a session says of itself.

use super::{CarrierGone, CarrierId, Session};
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
        self.attached && carrier.0 == self.counter
    }

    /// Why this carrier is not the current one, `None` while it is.
    #[must_use]
    pub const fn gone(&self, carrier: CarrierId) -> Option<CarrierGone> {
        if self.serves(carrier) {
            None
        } else if carrier.0 < self.counter {
            Some(CarrierGone::Replaced)
        } else {
            Some(self.gone)
        }
    }

    /// The highest attach counter seen.
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
