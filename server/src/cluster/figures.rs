//! What a node counts.

use std::sync::atomic::{AtomicU64, Ordering};

/// What has happened between this node and the others since it began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClusterStats {
    /// Other nodes that live.
    pub nodes: usize,
    /// Those of them that serve requests and would take sessions over.
    pub takers: usize,
    /// Messages for rooms, users, sessions or everyone that were published.
    pub published: u64,
    /// Such messages of other nodes that came.
    pub received: u64,
    /// Messages that no node of ours has written, which were ignored.
    pub foreign: u64,
    /// Messages of another version, which were ignored or refused.
    pub other_version: u64,
    /// Holes in what was heard from other nodes; each was reported.
    pub gaps: u64,
    /// Emits to a session that no node has any more.
    pub undelivered: u64,
    /// Requests and WebSockets that were passed on to the node that holds their session.
    pub relayed: u64,
    /// Sessions that were handed to another node.
    pub handed_over: u64,
    /// Sessions that were taken over from another node.
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
