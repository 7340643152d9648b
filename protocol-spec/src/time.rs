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

    /// Later than any other moment.
    pub const NEVER: Self = Self(u64::MAX);

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

/// A length of time in whole milliseconds: what a [`Duration`] is for a clock of milliseconds. Where code is counted in
/// bytes, as in browsers, the nanoseconds of a `Duration` cost a division at each step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Millis(u64);

impl Millis {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// So many milliseconds.
    #[must_use]
    pub const fn new(millis: u64) -> Self {
        Self(millis)
    }

    /// So many seconds.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self(seconds * 1000)
    }

    /// Whole milliseconds of a duration. Saturates.
    #[must_use]
    pub const fn of(duration: Duration) -> Self {
        Self(millis(duration))
    }

    /// The number of milliseconds.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl From<Duration> for Millis {
    fn from(duration: Duration) -> Self {
        Self::of(duration)
    }
}

impl From<Millis> for Duration {
    fn from(millis: Millis) -> Self {
        Self::from_millis(millis.0)
    }
}

impl Add<Duration> for Time {
    type Output = Self;

    /// Saturates, so that an endless timeout is simply never reached.
    #[cfg_attr(target_family = "wasm", inline(never))]
    fn add(self, duration: Duration) -> Self {
        self + Millis::from(duration)
    }
}

impl Add<Millis> for Time {
    type Output = Self;

    /// Saturates as well.
    fn add(self, millis: Millis) -> Self {
        Self(self.0.saturating_add(millis.0))
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
