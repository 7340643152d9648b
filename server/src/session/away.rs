//! Detects that a client is away: its session has had no carrier for a while.
//!
//! A change of transport or a short cut leaves a session without a carrier for a moment, of which
//! the server notifies nobody. Only a session that is present in a room, or any session if the
//! application has a hook, has a deadline for it.

use std::time::Duration;

use bowline_protocol::Time;

use super::{Delivery, OpenPhase, State};
use crate::config::Config;

/// Whether the client of a session is away.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Away {
    is_watched: bool,
    is_away: bool,
    /// The session is about to be stored: the server calls no hook any more.
    is_settled: bool,
    /// When a session without a carrier counts as away.
    due: Option<Time>,
}

impl Away {
    /// For a session that arrives from another node.
    pub(crate) const fn arrived(is_away: bool) -> Self {
        Self { is_watched: is_away, is_away, is_settled: false, due: None }
    }

    /// From now on a room or a hook has to be notified.
    pub(crate) const fn watch(&mut self) {
        self.is_watched = true;
    }

    pub(crate) const fn is_away(self) -> bool {
        self.is_away
    }

    /// From now on the state stays as it is: the next process continues from it.
    pub(super) const fn stop(&mut self) {
        self.is_settled = true;
        self.due = None;
    }

    /// Compares with whether a carrier is attached. Returns true when the client is away from now
    /// on, false when it is back, and `None` while neither has changed.
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
    /// Returns whether the client has gone away or come back. The hooks run in the order of its
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
    fn a_short_cut_does_not_count_and_the_next_one_is_measured_from_its_start() {
        let mut away = Away::default();
        away.watch();
        away.settle(false, AFTER, at(0));
        assert_eq!(away.settle(true, AFTER, at(4)), None);
        assert_eq!(away.settle(false, AFTER, at(6)), None);
        assert_eq!(away.deadline(), Some(at(11)));
    }

    #[test]
    fn the_next_process_decides_whether_the_client_of_a_stored_session_is_away() {
        let mut away = Away::default();
        away.watch();
        away.settle(false, AFTER, at(0));
        away.stop();
        assert_eq!((away.settle(false, AFTER, at(60)), away.deadline()), (None, None));
        assert!(!away.is_away());
    }

    #[test]
    fn a_session_without_watchers_has_no_deadline() {
        let mut away = Away::default();
        assert_eq!(away.settle(false, AFTER, at(0)), None);
        assert_eq!(away.deadline(), None);
    }
}
