//! Judges whether the peer is still there.
//!
//! Spec: 02-carriers, "Heartbeats". The server asks, because timers of hidden browser tabs are
//! throttled while their network events are not; the client only watches the clock.

use super::SessionConfig;
use crate::Time;
use crate::time::millis;

#[derive(Debug)]
pub(crate) struct Liveness {
    /// The last time anything was heard.
    received: Time,
    /// The last time anything was said.
    sent: Time,
    /// A heartbeat is unanswered since then.
    asked: Option<Time>,
    seed: u32,
}

/// What the clock says.
pub(crate) enum Pulse {
    Well,
    /// Time to ask.
    Quiet,
    /// Too long without an answer.
    Dead,
}

impl Liveness {
    pub(crate) const fn new(seed: u64, now: Time) -> Self {
        Self { received: now, sent: now, asked: None, seed: (seed % 1024) as u32 }
    }

    /// The first heartbeat of an attachment comes early by up to half an interval, so that the
    /// sessions of a server that was restarted do not all beat together.
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
