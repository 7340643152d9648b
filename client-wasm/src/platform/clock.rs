//! A monotonic clock that continues while the machine sleeps.

use std::cell::Cell;

use bowline_protocol::Time;

/// Follows the wall clock, because `performance.now()` stops in some browsers while the machine
/// sleeps, and a carrier that was silent for a night must not look fresh in the morning.
#[derive(Debug, Default)]
pub(super) struct Clock {
    latest: Cell<f64>,
    /// How far the wall clock was set back in total.
    skew: Cell<f64>,
}

impl Clock {
    pub(super) fn now(&self) -> Time {
        let latest = self.latest.get();
        let time = js_sys::Date::now() + self.skew.get();
        if time < latest {
            self.skew.set(self.skew.get() + latest - time);
        }
        self.latest.set(time.max(latest));
        Time::from_millis(self.latest.get() as u64)
    }
}
