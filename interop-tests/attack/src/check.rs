//! What has a bound.

use serde::Serialize;

/// One thing that has a bound.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Check {
    pub(crate) what: String,
    pub(crate) measured: f64,
    pub(crate) bound: f64,
    pub(crate) passes: bool,
}

impl Check {
    pub(crate) fn below(what: &str, measured: f64, bound: f64) -> Self {
        Self { what: what.to_owned(), measured, bound, passes: measured <= bound }
    }

    pub(crate) fn equal(what: &str, measured: usize, expected: usize) -> Self {
        let passes = measured == expected;
        Self { what: what.to_owned(), measured: measured as f64, bound: expected as f64, passes }
    }
}
