//! Latencies, kept to within a thousandth.

use hdrhistogram::Histogram;

/// Durations of up to a minute.
#[derive(Debug)]
pub(crate) struct Latencies(Histogram<u64>);

impl Latencies {
    pub(crate) fn new() -> Self {
        Self(Histogram::new_with_max(MINUTE, 3).expect("the bounds are those of a histogram"))
    }

    pub(crate) fn add(&mut self, nanoseconds: u64) {
        self.0.saturating_record(nanoseconds);
    }

    /// The value that this share of all does not exceed, in microseconds.
    pub(crate) fn quantile(&self, share: f64) -> f64 {
        self.0.value_at_quantile(share) as f64 / 1e3
    }
}

/// In nanoseconds.
const MINUTE: u64 = 60_000_000_000;
