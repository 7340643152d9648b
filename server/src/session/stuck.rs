//! Notices a carrier whose peer takes nothing of what there is to write.
//!
//! actix polls a carrier only when it has room for what it writes. So a carrier that was woken and
//! does not come is one whose peer does not read, whatever it says: heartbeats do not notice a peer
//! that speaks.
//!
//! Spec: 02-carriers, "Heartbeats".

use std::time::Duration;

use bowline_protocol::Time;

use super::State;
use bowline_protocol::Transport;

/// There was something to write when the session was looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stuck {
    /// When the carrier has had long enough.
    until: Time,
    /// When something was written last, then.
    written: Time,
}

impl State {
    /// Looks for a stuck carrier, and gives up the one that has been for so long.
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

    /// True if the carrier has something to write, and has not come for it. Between two polls
    /// nobody is there to come.
    fn has_unwritten(&self, now: Time) -> bool {
        let stands = self.core.is_attached() && self.transport != Some(Transport::Polling);
        stands && !self.is_parked() && self.core.wants_transmit(now)
    }

    /// True if the carrier has been written to since.
    pub(super) fn was_written_since(&self, since: Time) -> bool {
        self.core.is_attached() && self.quiet.last_written() >= since
    }
}
