//! What became of an event.

use bowline_protocol::LatestOutcome;

/// What became of an event of [`Audience::emit_latest`](crate::Audience::emit_latest), in sessions
/// of this node.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Emitted {
    /// The number of sessions that it is sent to.
    pub queued: usize,
    /// Among these, the number of sessions in which an older event of the key waited, which is not
    /// sent any more: their clients are slow.
    pub replaced: usize,
    /// The number of sessions that do not receive it, because no carrier is attached.
    pub dropped: usize,
}

impl Emitted {
    pub(super) const fn count(&mut self, outcome: LatestOutcome) {
        match outcome {
            LatestOutcome::Queued => self.queued += 1,
            LatestOutcome::Replaced => {
                self.queued += 1;
                self.replaced += 1;
            }
            LatestOutcome::Dropped => self.dropped += 1,
        }
    }
}
