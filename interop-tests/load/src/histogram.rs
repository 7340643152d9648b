//! Latencies, kept to within two percent.

/// Nanoseconds in 64 steps for each power of two.
#[derive(Debug)]
pub(crate) struct Histogram {
    steps: Vec<u32>,
    count: u64,
}

impl Histogram {
    pub(crate) fn new() -> Self {
        Self { steps: vec![0; 64 << BITS], count: 0 }
    }

    pub(crate) fn add(&mut self, nanoseconds: u64) {
        self.steps[step(nanoseconds)] += 1;
        self.count += 1;
    }

    /// The value that this share of all stays below, in microseconds.
    pub(crate) fn quantile(&self, share: f64) -> f64 {
        let wanted = (self.count as f64 * share).ceil() as u64;
        let mut seen = 0;
        let found = self.steps.iter().position(|count| {
            seen += u64::from(*count);
            seen >= wanted.max(1)
        });
        found.map_or(0.0, |step| value(step) as f64 / 1e3)
    }
}

fn step(value: u64) -> usize {
    let value = value.max(1);
    let power = value.ilog2();
    if power <= BITS {
        return value as usize;
    }
    let fraction = (value >> (power - BITS)) as usize & ((1 << BITS) - 1);
    (((power - BITS + 1) as usize) << BITS) + fraction
}

fn value(step: usize) -> u64 {
    let power = (step >> BITS) as u32;
    let fraction = (step & ((1 << BITS) - 1)) as u64;
    if power == 0 { fraction } else { ((1 << BITS) + fraction) << (power - 1) }
}

/// Bits of a value that are kept.
const BITS: u32 = 6;

#[cfg(test)]
mod tests {
    use super::{Histogram, step, value};

    #[test]
    fn a_value_is_kept_to_within_two_percent() {
        for exact in [1, 63, 64, 65, 100, 1000, 123_456, 12_345_678_901_u64] {
            let kept = value(step(exact));
            assert!(kept <= exact && (exact - kept) * 50 <= exact, "{exact} became {kept}");
        }
    }

    #[test]
    fn quantiles_are_those_of_the_values() {
        let mut histogram = Histogram::new();
        (1..=1000).for_each(|value| histogram.add(value * 1000));
        assert!((histogram.quantile(0.5) / 500.0 - 1.0).abs() < 0.03);
        assert!((histogram.quantile(0.99) / 990.0 - 1.0).abs() < 0.03);
    }
}
