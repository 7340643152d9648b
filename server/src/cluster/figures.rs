//! What a node counts.

use std::sync::atomic::{AtomicU64, Ordering};

/// What this node has exchanged with the others since it started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClusterStats {
    /// Other nodes that live.
    pub nodes: usize,
    /// Those of them that serve requests and accept sessions.
    pub takers: usize,
    /// Messages for rooms, users, sessions or everyone that this node has published.
    pub published: u64,
    /// Such messages that this node has received.
    pub received: u64,
    /// Messages that no node has written, which this node has ignored.
    pub foreign: u64,
    /// Messages of another version, which this node has ignored or refused.
    pub other_version: u64,
    /// Gaps in the messages of other nodes; this node has reported each.
    pub gaps: u64,
    /// Events for a session that no node has any more.
    pub undelivered: u64,
    /// Requests and WebSockets that this node has relayed to the node of their session.
    pub relayed: u64,
    /// Sessions that this node has handed to another one.
    pub handed_over: u64,
    /// Sessions that this node has received from another one.
    pub taken_over: u64,
}

/// One figure of a part of the cluster.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub(super) fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
