//! A clock that continues while the machine sleeps.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use bowline_protocol::Time;

/// Follows the monotonic clock, and adds the time that passed on the wall clock while the machine
/// slept: on Linux and macOS the monotonic clock stops then, and a carrier that was silent for a
/// night must not look fresh in the morning.
#[derive(Debug)]
pub(crate) struct Clock(Mutex<Reading>);

#[derive(Debug)]
struct Reading {
    elapsed: Duration,
    monotonic: Instant,
    wall: SystemTime,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Reading {
            elapsed: Duration::ZERO,
            monotonic: Instant::now(),
            wall: SystemTime::now(),
        }))
    }

    pub(crate) fn now(&self) -> Time {
        let mut reading = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Time::ZERO + reading.advance(Instant::now(), SystemTime::now())
    }
}

impl Reading {
    fn advance(&mut self, monotonic: Instant, wall: SystemTime) -> Duration {
        let awake = monotonic.saturating_duration_since(self.monotonic);
        // A wall clock that was set back shows nothing, and the monotonic clock counts alone.
        let passed = wall.duration_since(self.wall).unwrap_or_default();
        self.elapsed += if passed > awake + SLEPT { passed } else { awake };
        self.monotonic = monotonic;
        self.wall = wall;
        self.elapsed
    }
}

/// A difference between the clocks that means sleep and not a correction.
const SLEPT: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::{Duration, Instant, Reading, SystemTime};

    #[test]
    fn sleep_counts_and_a_clock_set_back_does_not() {
        let (start, wall) = (Instant::now(), SystemTime::now());
        let mut reading = Reading { elapsed: Duration::ZERO, monotonic: start, wall };
        let second = Duration::from_secs(1);
        assert_eq!(reading.advance(start + second, wall + second), second);
        assert_eq!(reading.advance(start + second, wall + 100 * second), 100 * second);
        assert_eq!(reading.advance(start + 2 * second, wall), 101 * second);
    }
}
