//! What a run came to.

use bowline_client::Client;
use serde::Serialize;

use super::processes::Counted;
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
    /// Milliseconds from the first message that came behind a loss until its receiver was told of
    /// it, at most; 0 when it was told before.
    pub told_late_ms: u64,
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
    /// Messages of nodes for rooms and everyone, each of which is one that Redis publishes.
    pub published: u64,
    /// Messages that Redis has published, by its own count.
    pub redis_publishes: u64,
    /// Messages for a session that no node had any more.
    pub undelivered: u64,
    /// Milliseconds from the end of a node that was killed to the moment in which the last client
    /// knew that its session is lost.
    pub declared_after_ms: Option<u64>,
    /// For each client and each node that was replaced, the longest time without a message around
    /// that: milliseconds.
    #[serde(skip)]
    pub silences: Vec<u32>,
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
            told_late_ms: u64::try_from(sum.latest.as_millis()).unwrap_or(u64::MAX),
            duplicated: sum.duplicated,
            reordered: sum.reordered,
            gaps_reported: sum.gaps,
            sessions_lost: sum.sessions_lost,
            handovers: 0,
            relayed: 0,
            published: 0,
            redis_publishes: 0,
            undelivered: 0,
            declared_after_ms: None,
            silences: Vec::new(),
            reconnects: clients.iter().map(|client| client.stats().reconnects).sum(),
            seconds: 0,
        }
    }

    pub(super) fn add(&mut self, counted: &Counted) {
        let nodes = counted.nodes.iter();
        let sum = |what: &str| nodes.clone().filter_map(|node| node[what].as_u64()).sum();
        self.published = sum("published");
        self.undelivered = sum("undelivered");
        self.redis_publishes = counted.publishes;
        self.handovers = sum("handed_over");
        self.relayed = sum("relayed");
    }

    /// What was promised and not kept.
    ///
    /// Nothing is told twice or out of order, and every loss is reported. Without a node that is
    /// killed no session is lost, and with one its sessions are declared lost in time. Without
    /// that and with Redis all the while, nothing is lost at all. A fault that left no trace
    /// was none, and shows nothing.
    #[must_use]
    pub fn broken_promises(&self) -> Vec<&'static str> {
        let [rolling, kill, redis] =
            ["rolling", "kill", "redis-restart"].map(|fault| self.faults.contains(fault));
        let promises = [
            ("everything was sent", self.sent > 0 && self.delivered > 0),
            ("every loss is reported", self.unreported == 0),
            ("nothing is told twice", self.duplicated == 0),
            ("everything is in order", self.reordered == 0),
            ("carriers are relayed", self.relayed > 0),
            (
                "nothing is lost",
                kill || redis || self.lost + self.unanswered + self.gaps_reported == 0,
            ),
            ("no session is lost without its node", kill || self.sessions_lost == 0),
            ("what is for a session finds it", kill || self.undelivered == 0),
            ("sessions are handed over", !rolling || self.handovers > 0),
            ("a fault makes gaps", !(kill || redis) || self.gaps_reported > 0),
            (
                "lost sessions are declared in time",
                !kill || self.declared_after_ms.is_some_and(|after| after <= DECLARED),
            ),
            ("a message is published once", redis || self.is_published_once()),
        ];
        promises.into_iter().filter(|(_, kept)| !kept).map(|(promise, _)| promise).collect()
    }

    /// What nodes have counted when they were killed is not known to the last message.
    fn is_published_once(&self) -> bool {
        self.faults.contains("kill") || self.redis_publishes >= self.published && self.published > 0
    }
}

/// Milliseconds after which clients know that the session of a killed node is lost: five seconds of
/// silence, the next look at it, and the next attempt of the client.
const DECLARED: u64 = 10_000;

#[cfg(test)]
mod tests {
    use super::Report;

    fn report(faults: &str) -> Report {
        Report {
            nodes: 3,
            clients: 60,
            seed: 1,
            faults: faults.to_owned(),
            sent: 100,
            unanswered: 0,
            delivered: 300,
            lost: 0,
            unreported: 0,
            told_late_ms: 0,
            duplicated: 0,
            reordered: 0,
            gaps_reported: 0,
            sessions_lost: 0,
            handovers: 0,
            relayed: 9,
            published: 100,
            redis_publishes: 130,
            undelivered: 0,
            declared_after_ms: None,
            silences: Vec::new(),
            reconnects: 0,
            seconds: 1,
        }
    }

    #[test]
    fn a_run_without_faults_is_clean_only_if_nothing_is_lost() {
        assert!(report("").broken_promises().is_empty());
        let lossy = Report { lost: 1, gaps_reported: 1, ..report("") };
        assert_eq!(lossy.broken_promises(), ["nothing is lost"]);
    }

    #[test]
    fn a_fault_that_left_no_trace_shows_nothing() {
        assert_eq!(report("rolling").broken_promises(), ["sessions are handed over"]);
        assert_eq!(report("redis-restart").broken_promises(), ["a fault makes gaps"]);
        let promises = ["a fault makes gaps", "lost sessions are declared in time"];
        assert_eq!(report("kill").broken_promises(), promises);
    }

    #[test]
    fn a_session_that_is_lost_with_redis_and_one_that_is_declared_lost_late_break_promises() {
        let redis =
            Report { sessions_lost: 1, lost: 3, gaps_reported: 3, ..report("redis-restart") };
        assert_eq!(redis.broken_promises(), ["no session is lost without its node"]);
        let killed = Report { sessions_lost: 20, lost: 3, gaps_reported: 3, ..report("kill") };
        let soon = Report { declared_after_ms: Some(6_000), ..killed.clone() };
        assert!(soon.broken_promises().is_empty());
        let late = Report { declared_after_ms: Some(10_001), ..killed };
        assert_eq!(late.broken_promises(), ["lost sessions are declared in time"]);
    }
}
