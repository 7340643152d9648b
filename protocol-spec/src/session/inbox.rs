//! Counts the packets of the peer, drops duplicates, and decides when to confirm.
//!
//! Spec: 05-delivery-and-resume, "Duplicates" and "Confirmations".

use std::time::Duration;

use crate::{ProtocolError, Time};

/// The number of packets received, and the last number confirmed.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    received: u64,
    /// The last number that this end has confirmed.
    stated: u64,
    unconfirmed_bytes: usize,
    /// The time by which the oldest unconfirmed packet must be confirmed.
    confirm_at: Option<Time>,
    /// That time has passed: the next carrier that is ready sends the confirmation.
    overdue: bool,
    /// The last confirmation was in a header or a response, which can be lost while the carrier
    /// lives.
    doubtful: bool,
}

impl Inbox {
    /// An inbox that has received everything up to this number.
    pub(crate) fn after(received: u64) -> Self {
        Self { received, stated: received, ..Self::default() }
    }

    /// True if the packet, whose payload has this size, is new; false if it is a duplicate.
    pub(crate) fn accept(
        &mut self,
        number: u64,
        size: usize,
        now: Time,
    ) -> Result<bool, ProtocolError> {
        if number <= self.received {
            return Ok(false);
        }
        if number > self.received + 1 {
            return Err(ProtocolError::Violation("a number was left out"));
        }
        self.received = number;
        self.unconfirmed_bytes += size;
        if !self.overdue {
            self.confirm_at.get_or_insert(now + CONFIRM_DELAY);
        }
        Ok(true)
    }

    /// Marks a confirmation whose time has passed as overdue. A carrier may not be ready for some
    /// time; a deadline in the past would make every driver spin.
    pub(crate) fn handle_timeout(&mut self, now: Time) {
        self.overdue |= self.confirm_at.take_if(|at| *at <= now).is_some();
    }

    pub(crate) fn owes_confirmation(&self, now: Time) -> bool {
        self.received - self.stated >= CONFIRM_COUNT
            || self.unconfirmed_bytes >= CONFIRM_BYTES
            || self.overdue
            || self.confirm_at.is_some_and(|at| at <= now)
    }

    /// True if a confirmation should be sent together with other packets: it costs only a line
    /// there, and the peer stores everything unconfirmed.
    pub(crate) const fn confirms_beside(&self) -> bool {
        self.unconfirmed_bytes >= BESIDE_BYTES
    }

    pub(crate) const fn has_unconfirmed(&self) -> bool {
        self.received > self.stated
    }

    pub(crate) const fn confirm_at(&self) -> Option<Time> {
        self.confirm_at
    }

    /// The number to confirm outside the carrier. This counts as a confirmation, but a doubtful
    /// one.
    pub(crate) fn state_received(&mut self) -> u64 {
        let received = self.confirm();
        self.doubtful = received > 0;
        received
    }

    /// Confirms again, on the carrier, what a lost header or response may have confirmed: a peer
    /// that waits for room in its outbox sends nothing that would cause another confirmation.
    pub(crate) fn repeat_doubtful(&mut self) {
        self.overdue |= std::mem::take(&mut self.doubtful);
    }

    /// The number to confirm on the carrier itself.
    pub(crate) fn confirm(&mut self) -> u64 {
        self.doubtful = false;
        self.stated = self.received;
        self.unconfirmed_bytes = 0;
        self.confirm_at = None;
        self.overdue = false;
        self.received
    }

    pub(crate) const fn received(&self) -> u64 {
        self.received
    }
}

/// A confirmation is due after this many packets,
const CONFIRM_COUNT: u64 = 32;
/// or this many bytes of payload,
const CONFIRM_BYTES: usize = 64 * 1024;
/// or this long after the first of them.
const CONFIRM_DELAY: Duration = Duration::from_secs(1);

/// Beside other packets a confirmation is due after this many bytes of payload.
const BESIDE_BYTES: usize = 2 * 1024;
