//! What a run came to.

use std::fmt::Write as _;

use serde::Serialize;

use super::books::Sum;
use super::peers::Peer;
use super::stage::Deploy;
use super::{Plan, picture};
use crate::jitter::percentile;

/// All libraries; the first row is Bowline's.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// What was run.
    #[serde(flatten)]
    pub plan: Plan,
    /// Bowline's figures.
    #[serde(flatten)]
    pub own: Row,
    /// The same for each kind of its clients, if there is more than one.
    pub kinds: Vec<Row>,
    /// Those of other libraries.
    pub peers: Vec<Row>,
    /// What was promised and not kept.
    pub broken: Vec<&'static str>,
}

/// A library. Times are in milliseconds.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    pub(super) peer: &'static str,
    sent: u64,
    delivered: u64,
    lost: u64,
    duplicated: u64,
    reordered: u64,
    /// Requests that never ended.
    unresolved: u64,
    sessions_lost: u64,
    /// Of them, those that an older server did not go on with.
    lost_by_rollback: u64,
    /// Losses that no client was told of.
    unreported: u64,
    /// Clients that ended on another transport than they began on.
    moved: u64,
    /// From the moment in which a new process listens to each client's first message, and none if
    /// that was not measured.
    p50: Option<u32>,
    p95: Option<u32>,
    p99: Option<u32>,
    max: Option<u32>,
    /// CPU time of a new process in its first two seconds, at most.
    newcomer_cpu_ms: Option<u64>,
    /// How long a process took to end, at most.
    ended_after_ms: Option<u64>,
    /// CPU time of the busiest program of its clients, in percent of the time that it ran.
    clients_cpu_percent: Option<u64>,
    /// Bytes that one more idle connection over WebSocket takes in the server.
    pub(super) idle_bytes: Option<u64>,
    /// Milliseconds that each client waited at each deploy, in order.
    #[serde(skip)]
    pub(super) waits: Vec<u32>,
}

impl Report {
    /// Each library has a row, and behind it one for each kind of its clients.
    pub(super) fn new(plan: &Plan, libraries: Vec<Vec<Row>>) -> Self {
        let mut libraries = libraries.into_iter();
        let mut kinds = libraries.next().expect("Bowline is always measured");
        let own = kinds.remove(0);
        let broken = own.broken(plan);
        let peers = libraries.flatten().collect();
        Self { plan: plan.clone(), own, kinds, peers, broken }
    }

    /// How soon clients are back, as a drawing.
    #[must_use]
    pub fn picture(&self) -> String {
        picture::draw(std::iter::once(&self.own).chain(&self.peers))
    }

    /// A table of Markdown.
    #[must_use]
    pub fn table(&self) -> String {
        let mut table = String::from(
            "| | Sent | Lost | Twice | Out of order | Unresolved | Sessions lost | Unreported | \
                p50 | p95 | p99 | max (ms) \
             | Newcomer's CPU (ms) | Bytes per idle connection |\n\
             |---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n",
        );
        for row in std::iter::once(&self.own).chain(&self.kinds).chain(&self.peers) {
            let Row { peer, sent, lost, duplicated, reordered, .. } = row;
            let Row { unresolved, sessions_lost, unreported, .. } = row;
            let [p50, p95, p99, max] = [row.p50, row.p95, row.p99, row.max].map(shown);
            let [cpu, bytes] = [row.newcomer_cpu_ms, row.idle_bytes]
                .map(|figure| figure.map_or_else(String::new, |figure| figure.to_string()));
            _ = writeln!(
                table,
                "| {peer} | {sent} | {lost} | {duplicated} | {reordered} | {unresolved} | \
                    {sessions_lost} | {unreported} \
                 | {p50} | {p95} | {p99} | {max} | {cpu} | {bytes} |"
            );
        }
        table
    }
}

impl Row {
    pub(super) fn new(plan: &Plan, peer: &Peer, sum: Sum, deploys: &[Deploy]) -> Self {
        let mut row = Self::of(peer.name, sum);
        row.newcomer_cpu_ms = deploys.iter().map(|deploy| deploy.cpu as u64).max();
        let ended = deploys.iter().map(|deploy| deploy.ended.as_millis() as u64);
        row.ended_after_ms = ended.max().filter(|_| !plan.kill);
        row
    }

    /// Of these clients.
    pub(super) fn of(peer: &'static str, mut sum: Sum) -> Self {
        sum.firsts.sort_unstable();
        let times = [50, 95, 99, 100]
            .map(|percent| (!sum.firsts.is_empty()).then(|| percentile(&sum.firsts, percent)));
        let [p50, p95, p99, max] = times;
        Self {
            peer,
            sent: sum.sent,
            delivered: sum.delivered,
            lost: sum.lost,
            duplicated: sum.duplicated,
            reordered: sum.reordered,
            unresolved: sum.unresolved,
            sessions_lost: sum.sessions_lost,
            lost_by_rollback: sum.lost_by_rollback,
            unreported: sum.unreported,
            moved: sum.moved,
            p50,
            p95,
            p99,
            max,
            newcomer_cpu_ms: None,
            ended_after_ms: None,
            clients_cpu_percent: None,
            idle_bytes: None,
            waits: sum.firsts,
        }
    }

    /// With what the busiest program of the clients took of a core.
    pub(super) fn with_clients(self, percent: u64) -> Self {
        Self { clients_cpu_percent: Some(percent), ..self }
    }

    /// What was promised and not kept. A crash loses sessions, and says so; so may an older server
    /// that does not read what the present one has stored.
    fn broken(&self, plan: &Plan) -> Vec<&'static str> {
        let crash = plan.kill || self.lost_by_rollback > 0;
        let promises = [
            ("everything was sent", self.sent > 0 && self.delivered > 0),
            ("every loss is reported", self.unreported == 0),
            ("nothing is lost", crash || self.lost == 0),
            ("nothing comes twice", crash || self.duplicated == 0),
            ("everything is in order", crash || self.reordered == 0),
            ("every request ends", crash || self.unresolved == 0),
            ("every session goes on", plan.kill || self.sessions_lost == self.lost_by_rollback),
            ("everyone is back in time", crash || self.p99.is_none_or(|p99| p99 <= PROMISE)),
        ];
        promises.into_iter().filter(|(_, kept)| !kept).map(|(promise, _)| promise).collect()
    }
}

fn shown(time: Option<u32>) -> String {
    match time {
        None => String::new(),
        Some(u32::MAX) => "never".to_owned(),
        Some(time) => time.to_string(),
    }
}

/// Milliseconds that 99 of 100 clients wait at most for the first message of a process that
/// listens.
const PROMISE: u32 = 1500;

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::super::{Plan, Programs, Stored, Transports};
    use super::{Report, Row, Sum};
    use bowline_processes::NodeTools;

    fn plan(kill: bool) -> Plan {
        let [native, scripts, modules, package, peer_programs] = [(); 5].map(|()| PathBuf::new());
        Plan {
            clients: 1,
            deploys: 1,
            seed: 1,
            transport: Transports::Mixed,
            handlers: false,
            kill,
            nodes: 1,
            store: Stored::Files,
            npm: false,
            old: None,
            capacity: None,
            peers: false,
            old_program: PathBuf::new(),
            programs: Programs { native, node: NodeTools { scripts, modules, package } },
            peer_programs,
        }
    }

    #[test]
    fn every_promise_can_be_broken_and_a_crash_breaks_only_the_one_to_report_it() {
        let whole = Sum { sent: 9, delivered: 9, ..Sum::default() };
        let row = |sum: &Sum| Row::of("bowline", sum.clone());
        let broken = |sum: &Sum, kill| row(sum).broken(&plan(kill));
        assert!(broken(&whole, false).is_empty());
        assert_eq!(broken(&Sum::default(), true), ["everything was sent"]);
        let wrong = [
            Sum { lost: 1, ..whole.clone() },
            Sum { duplicated: 1, ..whole.clone() },
            Sum { reordered: 1, ..whole.clone() },
            Sum { unresolved: 1, ..whole.clone() },
            Sum { sessions_lost: 1, ..whole.clone() },
        ];
        for sum in wrong {
            assert_eq!((broken(&sum, false).len(), broken(&sum, true).len()), (1, 0), "{sum:?}");
        }
        let silent = Sum { unreported: 1, ..whole.clone() };
        assert_eq!(broken(&silent, true), ["every loss is reported"]);
        let late = Sum { firsts: vec![1501], ..whole.clone() };
        assert_eq!(broken(&late, false), ["everyone is back in time"]);
        let refused = Sum { lost: 4, sessions_lost: 2, lost_by_rollback: 2, ..whole.clone() };
        assert_eq!(broken(&refused, false), [""; 0], "an older server may refuse");
        let forward = Sum { sessions_lost: 3, ..refused };
        assert_eq!(broken(&forward, false), ["every session goes on"]);
    }

    #[test]
    fn a_plan_and_the_figures_are_one_object() {
        let rows = vec![vec![Row::of("bowline", Sum { sent: 3, ..Sum::default() })]];
        let report = serde_json::to_value(Report::new(&plan(true), rows)).unwrap();
        assert_eq!((&report["seed"], &report["kill"]), (&1.into(), &true.into()));
        assert_eq!((&report["sent"], &report["peers"]), (&3.into(), &Vec::<u64>::new().into()));
        assert!(report["programs"].is_null(), "paths are nobody's business");
    }
}
