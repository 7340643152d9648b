//! The clock of the server: milliseconds since it was built.

#[cfg(feature = "test-util")]
mod ahead;
#[cfg(not(feature = "test-util"))]
#[path = "not_ahead.rs"]
mod ahead;

use std::time::Instant;

use bowline_protocol::Time;

use ahead::Ahead;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    origin: Instant,
    pub(crate) ahead: Ahead,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { origin: Instant::now(), ahead: Ahead::new() }
    }

    pub(crate) fn now(&self) -> Time {
        let elapsed = self.origin.elapsed();
        let millis = elapsed.as_secs() * 1000 + u64::from(elapsed.subsec_millis());
        Time::from_millis(millis + self.ahead.millis())
    }
}
