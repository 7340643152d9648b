//! What a run came to.

use std::fmt::Write as _;

use serde::Serialize;

use super::notices::Counted;
use super::peers::Peer;

/// All rounds.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Of each peer.
    pub clients: usize,
    /// Of each round.
    pub seconds: u64,
    /// Of the schedule.
    pub seed: u64,
    /// A row for each peer and round.
    pub rows: Vec<Row>,
}

/// A peer in a round. Times are in milliseconds.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    round: usize,
    peer: &'static str,
    #[serde(skip)]
    is_ours: bool,
    cuts: u64,
    expected: u64,
    lost: u64,
    duplicated: u64,
    reordered: u64,
    p50: u32,
    p95: u32,
    p99: u32,
    max: u32,
}

impl Report {
    /// True if there were cuts, and Bowline has kept its promise in each round.
    #[must_use]
    pub fn is_good(&self) -> bool {
        !self.rows.is_empty() && self.rows.iter().all(Row::is_good)
    }

    /// A table for people.
    #[must_use]
    pub fn table(&self) -> String {
        let mut table = format!(
            "{:<25}{:>5}{:>6}{:>8}{:>6}{:>7}{:>9}{:>7}{:>7}{:>7}{:>7}\n",
            "peer", "round", "cuts", "sent", "lost", "dupl.", "reord.", "p50", "p95", "p99", "max"
        );
        for row in &self.rows {
            let Row { round, cuts, expected, lost, duplicated, reordered, .. } = row;
            let Row { p50, p95, p99, max, .. } = row;
            let peer = row.peer;
            let remark = if row.is_good() { "" } else { "  BROKEN" };
            _ = writeln!(
                table,
                "{peer:<25}{round:>5}{cuts:>6}{expected:>8}{lost:>6}{duplicated:>7}{reordered:>9}\
                 {p50:>7}{p95:>7}{p99:>7}{max:>7}{remark}"
            );
        }
        table
    }
}

impl Row {
    pub(super) fn new(
        peer: &Peer,
        round: usize,
        expected: u64,
        cuts: u64,
        counted: Counted,
    ) -> Self {
        let Counted { mut delays, lost, duplicated, reordered } = counted;
        delays.sort_unstable();
        let [p50, p95, p99, max] = [50, 95, 99, 100].map(|percent| percentile(&delays, percent));
        let Peer { name, is_ours, .. } = *peer;
        Self {
            round,
            peer: name,
            is_ours,
            cuts,
            expected,
            lost,
            duplicated,
            reordered,
            p50,
            p95,
            p99,
            max,
        }
    }

    /// What was promised for Bowline; and nothing is shown about anybody whom nothing has cut.
    fn is_good(&self) -> bool {
        let is_whole = self.lost + self.duplicated + self.reordered == 0;
        self.cuts > 0 && (!self.is_ours || (is_whole && self.p99 <= PROMISE))
    }
}

/// The value that this percentage of all does not exceed; 0 if there are none.
pub(crate) fn percentile(sorted: &[u32], percent: usize) -> u32 {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

/// Milliseconds: the outage and a little more than a second.
const PROMISE: u32 = 3200;

#[cfg(test)]
mod tests {
    use super::{Counted, Report, Row, percentile};
    use crate::jitter::peers::PEERS;

    #[test]
    fn a_percentile_is_a_value_that_occurred() {
        let values: Vec<u32> = (1..=200).collect();
        let found = [50, 95, 99, 100].map(|percent| percentile(&values, percent));
        assert_eq!(found, [100, 190, 198, 200]);
        assert_eq!((percentile(&[7], 1), percentile(&[], 99)), (7, 0));
    }

    #[test]
    fn a_run_is_good_if_something_was_cut_and_ours_has_lost_nothing_and_was_not_late() {
        let good = Counted { delays: vec![3200], ..Counted::default() };
        let is_good = |peer: usize, cuts, counted: &Counted| {
            let rows = vec![Row::new(&PEERS[peer], 1, 1, cuts, counted.clone())];
            Report { clients: 1, seconds: 1, seed: 1, rows }.is_good()
        };
        assert!(is_good(0, 1, &good));
        assert!(!is_good(0, 0, &good) && !is_good(3, 0, &good), "nothing was cut");
        for bad in [
            Counted { delays: vec![3201], ..Counted::default() },
            Counted { lost: 1, ..good.clone() },
            Counted { duplicated: 1, ..good.clone() },
            Counted { reordered: 1, ..good.clone() },
        ] {
            assert!(!is_good(0, 1, &bad) && !is_good(1, 1, &bad), "{bad:?}");
            assert!(is_good(2, 1, &bad), "of others nothing is promised");
        }
    }
}
