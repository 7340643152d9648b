//! Time as a number, because the core has no access to a clock.

use std::ops::{Add, Sub};
use std::time::Duration;

/// A moment: milliseconds since an origin that the driver chooses and keeps.
///
/// Drivers read it from a monotonic clock. Where a machine may sleep (a browser tab, a laptop),
/// they use one that continues during sleep, so that silence is measured correctly.
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

/// A length of time in whole milliseconds. In browsers, where each byte of code counts, arithmetic
/// with the nanoseconds of a [`Duration`] would need a division at each step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Millis(u64);

impl Millis {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// This many milliseconds.
    #[must_use]
    pub const fn new(millis: u64) -> Self {
        Self(millis)
    }

    /// This many seconds.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self(seconds * 1000)
    }

    /// The duration in whole milliseconds, saturating.
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

    /// Adds the duration, saturating: an endless timeout is never reached.
    #[cfg_attr(target_family = "wasm", inline(never))]
    fn add(self, duration: Duration) -> Self {
        self + Millis::from(duration)
    }
}

impl Add<Millis> for Time {
    type Output = Self;

    /// Adds the time, saturating.
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
    /// The earlier of two moments, each of which may never come.
    #[must_use]
    pub const fn earliest(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        match (one, other) {
            (Some(one), Some(other)) if other.0 < one.0 => Some(other),
            (None, other) => other,
            (one, _) => one,
        }
    }
}

/// The duration in whole milliseconds, saturating.
pub(crate) const fn millis(duration: Duration) -> u64 {
    // A saturating multiplication would use 128 bits, and code for them in browsers.
    if duration.as_secs() > LONGEST {
        return u64::MAX;
    }
    duration.as_secs() * 1000 + duration.subsec_millis() as u64
}

/// The most seconds whose milliseconds, and 999 more, fit into 64 bits.
const LONGEST: u64 = u64::MAX / 1000 - 1;
