//! Decides whether the peer is alive.
//!
//! Spec: 02-carriers, "Heartbeats". The server sends the heartbeats, because browsers throttle the
//! timers of hidden tabs but not their network events; the client only measures silence.

use super::SessionConfig;
use crate::Time;
use crate::time::millis;

#[derive(Debug)]
pub(crate) struct Liveness {
    /// When this end last received anything.
    received: Time,
    /// When this end last sent anything.
    sent: Time,
    /// When the unanswered heartbeat was sent.
    asked: Option<Time>,
    seed: u32,
}

/// The result of a check.
pub(crate) enum Pulse {
    Well,
    /// A heartbeat is due.
    Quiet,
    /// The heartbeat was not answered in time.
    Dead,
}

impl Liveness {
    pub(crate) const fn new(seed: u64, now: Time) -> Self {
        Self { received: now, sent: now, asked: None, seed: (seed % 1024) as u32 }
    }

    /// Starts an attachment. The first heartbeat is earlier by up to half an interval, so that a
    /// restarted server does not send the heartbeats of all its sessions at once.
    pub(crate) fn attached(&mut self, config: &SessionConfig, serves: bool, now: Time) {
        self.received = now;
        self.sent = now;
        self.asked = None;
        if serves {
            let early = millis(config.heartbeat) * u64::from(self.seed) / 2048;
            self.sent = Time::from_millis(now.as_millis().saturating_sub(early));
        }
    }

    pub(crate) const fn received(&mut self, now: Time) {
        self.received = now;
        self.asked = None;
    }

    pub(crate) const fn sent(&mut self, now: Time) {
        self.sent = now;
    }

    pub(crate) fn next_check(&self, config: &SessionConfig, serves: bool) -> Time {
        match self.asked {
            _ if !serves => self.received + config.heartbeat + config.grace,
            Some(asked) => asked + config.grace,
            None => self.received.min(self.sent) + config.heartbeat,
        }
    }

    pub(crate) fn check(&mut self, config: &SessionConfig, serves: bool, now: Time) -> Pulse {
        if now < self.next_check(config, serves) {
            return Pulse::Well;
        }
        if self.asked.is_some() || !serves {
            return Pulse::Dead;
        }
        self.asked = Some(now);
        Pulse::Quiet
    }
}
