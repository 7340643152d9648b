//! What a fleet counts.

use crate::latencies::Latencies;

/// What a fleet has counted.
#[derive(Debug)]
pub struct Tally {
    /// Answers and deliveries.
    pub messages: u64,
    pub(crate) reads: u64,
    pub(crate) latencies: Latencies,
    /// When the last events were seen.
    pub(crate) now: u64,
}

impl Tally {
    pub(crate) fn new() -> Self {
        Self { messages: 0, reads: 0, latencies: Latencies::new(), now: 0 }
    }

    /// Begins to count anew.
    pub fn reset(&mut self) {
        *self = Self::new();
    }

    pub(crate) fn count(&mut self, since: Option<u64>) {
        self.messages += 1;
        if let Some(since) = since {
            self.latencies.add(self.now.saturating_sub(since));
        }
    }
}
