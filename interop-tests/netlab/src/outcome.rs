//! What a run came to.

use crate::row::Row;

/// What a run came to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outcome {
    /// In the order of the table.
    pub rows: Vec<Row>,
    /// What this machine has not, and why: a scenario and a client each.
    pub left_out: Vec<(String, String)>,
    /// What should have run and did not, and why.
    pub failed: Vec<(String, String)>,
}

impl Outcome {
    /// True if something ran, and everything that could, and every promise was kept.
    #[must_use]
    pub fn is_good(&self) -> bool {
        !self.rows.is_empty() && self.failed.is_empty() && self.rows.iter().all(Row::is_good)
    }
}
