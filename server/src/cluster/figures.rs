//! What a node counts.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{Cluster, lock};

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

#[derive(Default)]
pub(super) struct Counters {
    pub(super) published: AtomicU64,
    pub(super) received: AtomicU64,
    pub(super) foreign: AtomicU64,
    pub(super) other_version: AtomicU64,
    pub(super) gaps: AtomicU64,
    pub(super) undelivered: AtomicU64,
    pub(super) relayed: AtomicU64,
    pub(super) handed_over: AtomicU64,
    pub(super) taken_over: AtomicU64,
}

impl Cluster {
    pub(crate) fn stats(&self) -> ClusterStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let peers = lock(&self.peers);
        let (nodes, takers) = (peers.len(), peers.takers().len());
        drop(peers);
        let Counters { published, received, foreign, other_version, gaps, .. } = &self.counters;
        let Counters { undelivered, relayed, handed_over, taken_over, .. } = &self.counters;
        ClusterStats {
            nodes,
            takers,
            published: read(published),
            received: read(received),
            foreign: read(foreign),
            other_version: read(other_version),
            gaps: read(gaps),
            undelivered: read(undelivered),
            relayed: read(relayed),
            handed_over: read(handed_over),
            taken_over: read(taken_over),
        }
    }
}

/// One more.
pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
