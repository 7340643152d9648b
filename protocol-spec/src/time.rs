//! Time as a number, because the core must run where no clock can be asked.

use std::ops::{Add, Sub};
use std::time::Duration;

/// A moment: milliseconds since an origin that the driver chooses and keeps.
///
/// Drivers read it from a monotonic clock where silence has to be judged across a sleeping machine
/// (a browser tab, a laptop lid) from one that goes on while the machine sleeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(u64);

impl Time {
    /// The origin.
    pub const ZERO: Self = Self(0);

    /// The moment `millis` milliseconds after the origin.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the origin.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }
}

impl Add<Duration> for Time {
    type Output = Self;

    /// Saturates, so that an endless timeout is simply never reached.
    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis(duration)))
    }
}

impl Sub for Time {
    type Output = Duration;

    /// The time from `earlier` to `self`; zero when `earlier` is later.
    fn sub(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl Time {
    /// The earlier of two moments of which each may never come.
    #[must_use]
    pub const fn earliest(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        match (one, other) {
            (Some(one), Some(other)) if other.0 < one.0 => Some(other),
            (None, other) => other,
            (one, _) => one,
        }
    }
}

/// Whole milliseconds. Saturates.
pub(crate) const fn millis(duration: Duration) -> u64 {
    // Without a saturating multiplication, which takes 128 bits and, in browsers, code for them.
    if duration.as_secs() > LONGEST {
        return u64::MAX;
    }
    duration.as_secs() * 1000 + duration.subsec_millis() as u64
}

/// Seconds whose milliseconds, and 999 more, fit into 64 bits.
const LONGEST: u64 = u64::MAX / 1000 - 1;
