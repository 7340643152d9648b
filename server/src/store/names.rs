//! The names of values: sorted by when they were written, and never used twice.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use bowline_protocol::NodeId;

use super::format::unix_millis;

/// Generates the names of the values of a process.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// The time in the last name, in milliseconds since 1970.
    last: AtomicU64,
}

impl Names {
    /// A name that sorts after all earlier ones, even when the clock stands still or is set back.
    pub(super) fn next(&self, node: NodeId) -> String {
        let now = unix_millis(SystemTime::now());
        let after = |last: u64| now.max(last + 1);
        let last =
            self.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(after(last)));
        let at = after(last.unwrap_or_else(|last| last));
        format!("{at:013}-{node}")
    }
}

#[cfg(test)]
mod tests {
    use bowline_protocol::NodeId;

    use super::Names;

    #[test]
    fn names_of_one_millisecond_differ_and_are_in_order() {
        let (names, node) = (Names::default(), NodeId::from_bytes([7; 6]));
        let made: Vec<_> = (0..1_000).map(|_| names.next(node)).collect();
        assert!(made.is_sorted_by(|before, after| before < after));
    }
}
