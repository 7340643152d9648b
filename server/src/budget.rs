//! One memory budget for all sessions of a server.
//!
//! A session counts the bytes in its outbox and the messages that wait for a handler, once for each
//! change, and only if the sum differs by [`STEP`] from what it has counted: a session that sends
//! little costs nothing here. The outboxes of the members of a room share its messages, but the
//! budget counts them for each member.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use bowline_protocol::Time;

/// The bytes that the sessions of a node keep.
#[derive(Debug)]
pub(crate) struct Budget {
    limit: usize,
    kept: AtomicUsize,
    /// Until when no thread has to make room again, in milliseconds: one has just done so.
    rests_until: AtomicU64,
    /// The number of sessions that were closed for room.
    closed: AtomicU64,
}

impl Budget {
    pub(crate) const fn new(limit: usize) -> Self {
        Self {
            limit,
            kept: AtomicUsize::new(0),
            rests_until: AtomicU64::new(0),
            closed: AtomicU64::new(0),
        }
    }

    /// Replaces the bytes that a session has counted. True if the caller has to make room.
    pub(crate) fn settle(&self, before: u32, now: u32, at: Time) -> bool {
        let Some(more) = now.checked_sub(before) else {
            self.kept.fetch_sub((before - now) as usize, Ordering::Relaxed);
            return false;
        };
        let more = more as usize;
        let kept = self.kept.fetch_add(more, Ordering::Relaxed).saturating_add(more);
        kept > self.limit && self.is_to_be_relieved(at)
    }

    /// True for one caller in each period.
    #[cold]
    fn is_to_be_relieved(&self, now: Time) -> bool {
        let (now, until) = (now.as_millis(), (now + REST).as_millis());
        let rests_until = self.rests_until.load(Ordering::Relaxed);
        let taken = Ordering::Relaxed;
        now >= rests_until
            && self.rests_until.compare_exchange(rests_until, until, taken, taken).is_ok()
    }

    /// True if no more may be kept.
    pub(crate) fn is_exceeded(&self) -> bool {
        self.kept() > self.limit
    }

    /// True if enough is free for a while.
    pub(crate) fn has_room(&self) -> bool {
        self.kept() <= self.limit - self.limit / 8
    }

    pub(crate) fn kept(&self) -> usize {
        self.kept.load(Ordering::Relaxed)
    }

    pub(crate) const fn limit(&self) -> usize {
        self.limit
    }

    /// Counts sessions that were closed for room.
    pub(crate) fn count_closed(&self, sessions: u64) {
        self.closed.fetch_add(sessions, Ordering::Relaxed);
    }

    pub(crate) fn closed(&self) -> u64 {
        self.closed.load(Ordering::Relaxed)
    }
}

/// The difference in bytes from which on a session counts again.
pub(crate) const STEP: u32 = 1024;
/// The pause after room was made: visiting all sessions costs time.
const REST: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::{Budget, REST, Time};

    #[test]
    fn one_of_those_who_exceed_it_is_to_make_room_and_after_a_while_another() {
        let (budget, now) = (Budget::new(1000), Time::from_millis(5000));
        assert!(!budget.settle(0, 1000, now), "there is room");
        assert!(budget.settle(1000, 1001, now));
        assert!(!budget.settle(0, 500, now), "somebody does it");
        assert!(budget.settle(500, 501, now + REST));
        assert_eq!((budget.kept(), budget.is_exceeded()), (1502, true));
        assert!(!budget.settle(1001, 400, now + REST * 2), "it is less");
        assert!(!budget.is_exceeded() && !budget.has_room());
        budget.settle(501, 475, now);
        assert!(budget.has_room());
    }
}
