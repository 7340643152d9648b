//! What a run came to.

use bowline_client::Client;
use serde::Serialize;

use crate::ledger::Ledger;
use crate::plan::{Plan, Transports};
use bowline_fault_proxy::FaultProxy;

/// The figures of one run, printed as one line of JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// What the clients used.
    pub transport: Transports,
    /// Chose the cuts.
    pub seed: u64,
    /// True if every cut was made and every flow came to its end.
    pub finished: bool,
    /// Messages of all flows.
    pub sent: u64,
    /// Messages that arrived at least once.
    pub delivered: u64,
    /// Messages that never arrived.
    pub lost: u64,
    /// Arrivals beyond the first.
    pub duplicated: u64,
    /// First arrivals behind a later message of the same flow.
    pub reordered: u64,
    /// Requests that never ended.
    pub unresolved_acks: u64,
    /// Requests that ended more than once.
    pub acks_resolved_twice: u64,
    /// Requests that ended without the right answer.
    pub wrong_answers: u64,
    /// Connections that the proxy cut.
    pub cuts: u64,
    /// Attachments that went on with a session.
    pub resumes: u64,
    /// Attachments on another transport than the one before.
    pub transport_switches: u64,
    /// Sessions that could not go on: none, unless the server was away for longer than its window.
    pub sessions_lost: u64,
}

impl Report {
    pub(crate) fn new(
        plan: &Plan,
        ledger: &Ledger,
        clients: &[Client],
        proxy: &FaultProxy,
        finished: bool,
    ) -> Self {
        let sum = ledger.sum();
        let stats = clients.iter().map(Client::stats);
        Self {
            transport: plan.transport,
            seed: plan.seed,
            finished,
            sent: ledger.planned(),
            delivered: sum.delivered,
            lost: sum.lost,
            duplicated: sum.duplicated,
            reordered: sum.reordered,
            unresolved_acks: sum.unresolved,
            acks_resolved_twice: sum.resolved_twice,
            wrong_answers: sum.wrong_answers,
            cuts: proxy.counters().cut as u64,
            resumes: stats.clone().map(|stats| stats.resumes).sum(),
            transport_switches: stats.clone().map(|stats| stats.transport_switches).sum(),
            sessions_lost: stats.map(|stats| stats.sessions_lost).sum(),
        }
    }

    /// True if every promise was kept.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.finished
            && self.sent > 0
            && self.lost == 0
            && self.duplicated == 0
            && self.reordered == 0
            && self.unresolved_acks == 0
            && self.acks_resolved_twice == 0
            && self.wrong_answers == 0
            && self.sessions_lost == 0
    }
}
