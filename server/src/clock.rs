//! The clock of the server: milliseconds since it was built.

use std::time::Instant;

use bowline_protocol::Time;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    origin: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { origin: Instant::now() }
    }

    pub(crate) fn now(&self) -> Time {
        let elapsed = self.origin.elapsed();
        Time::from_millis(elapsed.as_secs() * 1000 + u64::from(elapsed.subsec_millis()))
    }
}
