//! Detects a carrier whose peer does not read what the server writes.
//!
//! actix polls a carrier only when the connection has room for more bytes. So a carrier that was
//! woken and is not polled has a peer that does not read. Heartbeats do not detect such a peer,
//! because it may still send.
//!
//! Spec: 02-carriers, "Heartbeats".

use std::time::Duration;

use bowline_protocol::Time;

use super::State;
use bowline_protocol::Transport;

/// The session had something to write when it was checked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stuck {
    /// When the session gives the carrier up.
    until: Time,
    /// When something had last been written at that check.
    written: Time,
}

impl State {
    /// Looks for a stuck carrier, and gives it up once its time is over.
    pub(super) fn handle_stuck_carrier(&mut self, patience: Duration, now: Time) {
        if !self.has_unwritten(now) {
            self.stuck = None;
            return;
        }
        let written = self.quiet.last_written();
        let known = self.stuck.filter(|stuck| stuck.written == written);
        let Stuck { until, .. } =
            *self.stuck.insert(known.unwrap_or(Stuck { until: now + patience, written }));
        if until <= now {
            self.stuck = None;
            self.core.give_up_carrier(now);
        }
    }

    pub(super) const fn stuck_deadline(&self) -> Option<Time> {
        match self.stuck {
            Some(Stuck { until, .. }) => Some(until),
            None => None,
        }
    }

    /// True if the carrier has something to write and does not write it. Between two polls no
    /// carrier can.
    fn has_unwritten(&self, now: Time) -> bool {
        let stands = self.core.is_attached() && self.transport != Some(Transport::Polling);
        stands && !self.is_parked() && self.core.wants_transmit(now)
    }

    /// True if something was written to the carrier since.
    pub(super) fn was_written_since(&self, since: Time) -> bool {
        self.core.is_attached() && self.quiet.last_written() >= since
    }
}
