//! Counts messages against a limit: the generic cell rate algorithm.
//!
//! The crate `governor` has the same algorithm. It is not used, because its tables of keys grow
//! without a bound, its delays are timers of their own instead of a deadline of the session, and
//! its clock would need an adapter that is longer than what is here, for seven more crates.

use std::time::Duration;

use bowline_protocol::Time;

use super::RateLimit;

/// The turn of the next message, in microseconds of the server's clock, if messages came evenly.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cell(u64);

impl Cell {
    /// Counts a message that may wait. Returns when its turn is.
    pub(crate) fn queue(&mut self, limit: RateLimit, now: Time) -> Time {
        let turn = self.0.max(micros(now));
        self.0 = turn.saturating_add(limit.interval());
        let begins = turn.saturating_sub(limit.tolerance()).div_ceil(1000);
        Time::from_millis(begins).max(now)
    }

    /// Counts a message, if it is within the limit.
    ///
    /// # Errors
    /// The time after which the next one would be, if it is not.
    pub(crate) fn admit(&mut self, limit: RateLimit, now: Time) -> Result<(), Duration> {
        let before = *self;
        let turn = self.queue(limit, now);
        if turn <= now {
            return Ok(());
        }
        *self = before;
        Err(turn - now)
    }

    /// True if nothing is left of earlier messages.
    pub(super) fn is_idle(self, now: Time) -> bool {
        self.0 <= micros(now)
    }
}

const fn micros(time: Time) -> u64 {
    time.as_millis().saturating_mul(1000)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bowline_protocol::Time;

    use super::{Cell, RateLimit};

    fn at(millis: u64) -> Time {
        Time::from_millis(millis)
    }

    #[test]
    fn a_burst_is_admitted_at_once_and_then_one_message_in_each_interval() {
        let (mut cell, limit) = (Cell::default(), RateLimit::per_second(10).burst(3));
        let admitted =
            |cell: &mut Cell, now| (0..10).filter(|_| cell.admit(limit, now).is_ok()).count();
        assert_eq!(admitted(&mut cell, at(5_000)), 3);
        assert_eq!(cell.admit(limit, at(5_040)), Err(Duration::from_millis(60)));
        assert_eq!(admitted(&mut cell, at(5_100)), 1);
        assert_eq!(admitted(&mut cell, at(5_250)), 1);
        assert_eq!(admitted(&mut cell, at(60_000)), 3, "silence saves one burst");
        assert!(!cell.is_idle(at(60_299)));
        assert!(cell.is_idle(at(60_300)));
    }

    #[test]
    fn messages_that_wait_have_their_turns_one_after_another() {
        let (mut cell, limit) = (Cell::default(), RateLimit::per_second(10).burst(2));
        let turns: Vec<_> = (0..4).map(|_| cell.queue(limit, at(1_000)).as_millis()).collect();
        assert_eq!(turns, [1_000, 1_000, 1_100, 1_200]);
        assert_eq!(cell.queue(limit, at(1_250)).as_millis(), 1_300);
    }

    #[test]
    fn any_number_is_a_limit() {
        let now = at(u64::MAX);
        for limit in [
            RateLimit::new(0, Duration::ZERO),
            RateLimit::new(u32::MAX, Duration::from_secs(1)),
            RateLimit::new(1, Duration::MAX).burst(u32::MAX),
            RateLimit::per_second(1).burst(0),
        ] {
            let mut cell = Cell::default();
            assert_eq!(cell.admit(limit, at(0)), Ok(()), "{limit:?}");
            cell.queue(limit, now);
            cell.queue(limit, now);
        }
        let mut quick = Cell::default();
        let limit = RateLimit::per_second(4_000);
        let in_a_second = (0..1_000).flat_map(|millis| [at(millis); 100]);
        let admitted = in_a_second.filter(|now| quick.admit(limit, *now).is_ok()).count();
        assert!((7_990..=8_000).contains(&admitted), "a burst and a second: {admitted}");
    }
}
