//! A host that is about to sleep, and one that has woken.

use std::time::Duration;

use bowline_protocol::{Form, Millis, Time};

use super::{Engine, Phase, SetUp};
use crate::status::Status;

impl<F: Form> Engine<F> {
    /// Drops the carrier and opens no other until [`Self::wake`]: the host is about to sleep.
    pub fn suspend(&mut self, now: Time) {
        self.suspended = true;
        self.abandon();
        if self.detach(now).is_some() {
            self.set_status(Status::Waiting { retry_in: Duration::ZERO });
        }
    }

    /// The host was asleep, or its network has changed. The server has to respond on an open
    /// carrier within 1.75 seconds; a wait for the next attempt ends.
    pub fn wake(&mut self, now: Time) {
        self.suspended = false;
        self.ladder.reconsider();
        if let SetUp::Failed(at) = &mut self.set_up {
            *at = now;
        }
        match &mut self.phase {
            Phase::Waiting(until) => {
                // The network may need a moment to return.
                self.waits.reset(now);
                *until = now;
            }
            Phase::Serving(service) if service.welcomed.is_some() => {
                service.want_probe();
                service.prove_by = service.prove_by.min(now + PROOF);
            }
            _ => {}
        }
    }
}

/// How long the server has to respond after a sleep: a dead carrier is known within 2 s.
const PROOF: Millis = Millis::new(1750);
