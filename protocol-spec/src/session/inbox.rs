//! Counts what the peer sent, drops what came twice, and decides when to confirm.
//!
//! Spec: 05-delivery-and-resume, "Duplicates" and "Confirmations".

use std::time::Duration;

use crate::{ProtocolError, Time};

/// What was received, and how much of it the peer knows.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    received: u64,
    /// The last number that we stated as received.
    stated: u64,
    unconfirmed_bytes: usize,
    /// When the oldest unconfirmed packet has waited long enough.
    confirm_at: Option<Time>,
    /// It has: the confirmation goes out as soon as a carrier takes it.
    overdue: bool,
    /// The last statement stood in a header or an answer, which can be lost while the carrier lives.
    doubtful: bool,
}

impl Inbox {
    /// Everything up to this number was received.
    pub(crate) fn after(received: u64) -> Self {
        Self { received, stated: received, ..Self::default() }
    }

    /// True if the packet, whose payload has this size, is new. False if it came before.
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

    /// Time has passed. A carrier may not take the confirmation for a while, so it waits without a
    /// clock: a moment in the past would make every driver spin.
    pub(crate) fn handle_timeout(&mut self, now: Time) {
        self.overdue |= self.confirm_at.take_if(|at| *at <= now).is_some();
    }

    pub(crate) fn owes_confirmation(&self, now: Time) -> bool {
        self.received - self.stated >= CONFIRM_COUNT
            || self.unconfirmed_bytes >= CONFIRM_BYTES
            || self.overdue
            || self.confirm_at.is_some_and(|at| at <= now)
    }

    /// True if so much is unconfirmed that a confirmation should go out with whatever goes out anyway: it costs a
    /// line there, and the peer keeps all that is unconfirmed.
    pub(crate) const fn confirms_beside(&self) -> bool {
        self.unconfirmed_bytes >= BESIDE_BYTES
    }

    pub(crate) const fn has_unconfirmed(&self) -> bool {
        self.received > self.stated
    }

    pub(crate) const fn confirm_at(&self) -> Option<Time> {
        self.confirm_at
    }

    /// The number to state outside the carrier. Stating it is a confirmation, but a doubtful one.
    pub(crate) fn state_received(&mut self) -> u64 {
        let received = self.confirm();
        self.doubtful = received > 0;
        received
    }

    /// Says once more on the carrier what may have been lost beside it: a peer that waits for room
    /// in its outbox sends nothing that would bring another confirmation.
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
