//! What a node counts of its sessions.

use crate::node::Node;

/// What a server keeps for its sessions now: see [`Bowline::stats`](crate::Bowline::stats).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Sessions on this node, those whose clients are away included.
    pub sessions: usize,
    /// Carriers that are open: WebSockets, streams, and polls that wait.
    pub carriers: usize,
    /// Bytes that the server keeps for all sessions: packets that clients have not confirmed, and
    /// messages that wait for handlers. A session counts from 1 KiB, and an event for a room
    /// counts for each member.
    pub kept_bytes: usize,
    /// The limit of these bytes: [`memory_limit`](crate::BowlineBuilder::memory_limit).
    pub memory_limit: usize,
    /// Bytes of the histories in the memory of this process, and of its copies of those that are
    /// followed here.
    pub history_bytes: usize,
    /// Sessions that the server has closed because all together kept more, since it was built.
    pub closed_for_memory: u64,
}

impl Stats {
    pub(crate) fn of(node: &Node) -> Self {
        Self {
            sessions: node.registry.len(),
            carriers: node.carriers(),
            kept_bytes: node.budget.kept(),
            memory_limit: node.budget.limit(),
            history_bytes: node.histories.bytes(),
            closed_for_memory: node.budget.closed(),
        }
    }
}
