//! What a run came to.

use bowline_client::Client;
use serde::Serialize;
use serde_json::Value;

use super::{Books, Plan};

/// The figures of one run, printed as one line of JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Server processes.
    pub nodes: usize,
    /// Clients.
    pub clients: usize,
    /// Chose the victim and the moments.
    pub seed: u64,
    /// What was done to the processes.
    pub faults: String,
    /// Messages that clients sent, each for the others of its room.
    pub sent: u64,
    /// Of them, those whose sender has no answer and knows it.
    pub unanswered: u64,
    /// Messages that arrived, at each receiver once.
    pub delivered: u64,
    /// Messages that did not.
    pub lost: u64,
    /// Of them, those of which neither sender nor receiver was told.
    pub unreported: u64,
    /// Arrivals beyond the first.
    pub duplicated: u64,
    /// First arrivals behind a later message of the same sender.
    pub reordered: u64,
    /// Gaps that clients were told of.
    pub gaps_reported: u64,
    /// Sessions that clients were told are lost.
    pub sessions_lost: u64,
    /// Sessions that went from one node to another.
    pub handovers: u64,
    /// Requests and WebSockets that were passed on to the node of their session.
    pub relayed: u64,
    /// Times that clients were welcomed again.
    pub reconnects: u64,
    /// How long it took.
    pub seconds: u64,
}

impl Report {
    pub(super) fn new(plan: &Plan, books: &Books, clients: &[Client]) -> Self {
        let sum = books.sum();
        let faults = [
            ("rolling", plan.rolling),
            ("kill", plan.kill),
            ("redis-restart", plan.redis_restart.is_some()),
        ];
        let faults: Vec<_> = faults.iter().filter(|(_, is)| *is).map(|(name, _)| *name).collect();
        Self {
            nodes: plan.nodes,
            clients: plan.clients,
            seed: plan.seed,
            faults: faults.join(" "),
            sent: sum.sent,
            unanswered: sum.failed,
            delivered: sum.delivered,
            lost: sum.lost,
            unreported: sum.unreported,
            duplicated: sum.duplicated,
            reordered: sum.reordered,
            gaps_reported: sum.gaps,
            sessions_lost: sum.sessions_lost,
            handovers: 0,
            relayed: 0,
            reconnects: clients.iter().map(|client| client.stats().reconnects).sum(),
            seconds: 0,
        }
    }

    pub(super) fn add_nodes(&mut self, nodes: &[Value]) {
        let sum = |what: &str| nodes.iter().filter_map(|node| node[what].as_u64()).sum();
        self.handovers = sum("handed_over");
        self.relayed = sum("relayed");
    }

    /// True if every promise was kept: nothing is told twice or out of order, and without a node that
    /// is killed or a Redis that is gone, nothing is lost.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        let may_lose = self.faults.contains("kill") || self.faults.contains("redis");
        let nothing_lost = self.lost == 0 && self.sessions_lost == 0 && self.unanswered == 0;
        self.unreported == 0
            && self.duplicated == 0
            && self.reordered == 0
            && self.relayed > 0
            && (may_lose || nothing_lost)
    }
}
