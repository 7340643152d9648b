//! Notices that a client is away: its session has had no carrier for a while.
//!
//! A change of transport or a short cut leaves a session without a carrier for a moment, which
//! nobody need learn. Only a session that somebody watches has a deadline for it: one that is
//! present in a room, or any if the application has a hook.

use std::time::Duration;

use bowline_protocol::Time;

use super::{Delivery, OpenPhase, State};
use crate::config::Config;

/// Whether the client of a session is away.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Away {
    is_watched: bool,
    is_away: bool,
    /// The session is about to be stored: no hook is told any more.
    is_settled: bool,
    /// When a session without a carrier counts as away.
    due: Option<Time>,
}

impl Away {
    /// For a session that comes from another node.
    pub(crate) const fn arrived(is_away: bool) -> Self {
        Self { is_watched: is_away, is_away, is_settled: false, due: None }
    }

    /// From now on somebody wants to know.
    pub(crate) const fn watch(&mut self) {
        self.is_watched = true;
    }

    pub(crate) const fn is_away(self) -> bool {
        self.is_away
    }

    /// From now on it stays as it is: the next process goes on from there.
    pub(super) const fn stop(&mut self) {
        self.is_settled = true;
        self.due = None;
    }

    /// Takes notice of the carrier. Returns true when the client is away from now on, false when it
    /// is back, and nothing while neither has changed.
    pub(super) fn settle(&mut self, attached: bool, after: Duration, now: Time) -> Option<bool> {
        if self.is_settled {
            return None;
        }
        if attached {
            self.due = None;
            return std::mem::take(&mut self.is_away).then_some(false);
        }
        if !self.is_watched || self.is_away {
            return None;
        }
        let due = *self.due.get_or_insert(now + after);
        self.is_away = due <= now;
        self.due = self.due.filter(|_| !self.is_away);
        self.is_away.then_some(true)
    }

    pub(super) const fn deadline(&self) -> Option<Time> {
        self.due
    }
}

impl State {
    /// Whether the client has gone away, or come back. The hooks are told in the order of its
    /// messages.
    pub(super) fn settle_away(&mut self, config: &Config, now: Time) -> Option<bool> {
        if self.phase() != OpenPhase::Open || self.core.closed().is_some() {
            return None;
        }
        if config.watches_away {
            self.away.watch();
        }
        let changed = self.away.settle(self.core.is_attached(), config.away_after, now)?;
        if config.watches_away {
            self.inbox.push_back(Delivery::Away(changed));
        }
        Some(changed)
    }
}

#[cfg(test)]
mod tests {
    use super::{Away, Duration, Time};

    const AFTER: Duration = Duration::from_secs(5);

    fn at(seconds: u64) -> Time {
        Time::ZERO + Duration::from_secs(seconds)
    }

    #[test]
    fn a_client_is_away_after_a_while_without_a_carrier_and_back_with_the_next() {
        let mut away = Away::default();
        away.watch();
        assert_eq!(away.settle(false, AFTER, at(10)), None);
        assert_eq!(away.deadline(), Some(at(15)));
        assert_eq!(away.settle(false, AFTER, at(14)), None);
        assert_eq!(away.settle(false, AFTER, at(15)), Some(true));
        assert_eq!((away.is_away(), away.deadline()), (true, None));
        assert_eq!(away.settle(false, AFTER, at(60)), None, "it is noticed once");
        assert_eq!(away.settle(true, AFTER, at(61)), Some(false));
        assert_eq!(away.settle(true, AFTER, at(62)), None);
    }

    #[test]
    fn a_short_cut_is_nothing_and_the_next_one_is_counted_anew() {
        let mut away = Away::default();
        away.watch();
        away.settle(false, AFTER, at(0));
        assert_eq!(away.settle(true, AFTER, at(4)), None);
        assert_eq!(away.settle(false, AFTER, at(6)), None);
        assert_eq!(away.deadline(), Some(at(11)));
    }

    #[test]
    fn who_is_away_when_the_session_is_about_to_be_stored_is_left_to_the_next_process() {
        let mut away = Away::default();
        away.watch();
        away.settle(false, AFTER, at(0));
        away.stop();
        assert_eq!((away.settle(false, AFTER, at(60)), away.deadline()), (None, None));
        assert!(!away.is_away());
    }

    #[test]
    fn a_session_that_nobody_watches_has_no_deadline() {
        let mut away = Away::default();
        assert_eq!(away.settle(false, AFTER, at(0)), None);
        assert_eq!(away.deadline(), None);
    }
}
