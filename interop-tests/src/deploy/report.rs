//! What a run came to.

use std::fmt::Write as _;

use serde::Serialize;

use super::books::Sum;
use super::peers::Peer;
use super::stage::Deploy;
use super::{Plan, Transports};
use crate::jitter::percentile;

/// All libraries; the first row is Bowline's.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Of each library.
    pub clients: usize,
    /// How often the process was replaced.
    pub deploys: usize,
    /// Chose the moments.
    pub seed: u64,
    /// What the clients used.
    pub transport: Transports,
    /// Handlers that take three seconds were under way.
    pub handlers: bool,
    /// The process was killed.
    pub kill: bool,
    /// Server processes.
    pub nodes: usize,
    /// Bowline's figures.
    #[serde(flatten)]
    pub own: Row,
    /// Those of other libraries.
    pub peers: Vec<Row>,
    /// What was promised and not kept.
    pub broken: Vec<&'static str>,
}

/// A library. Times are in milliseconds.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    peer: &'static str,
    sent: u64,
    delivered: u64,
    lost: u64,
    duplicated: u64,
    reordered: u64,
    /// Requests that never ended.
    unresolved: u64,
    sessions_lost: u64,
    /// Losses that no client was told of.
    unreported: u64,
    /// Clients that ended on another transport than they began on.
    moved: u64,
    /// From the moment in which a new process listens to each client's first message, and none if that was not measured.
    p50: Option<u32>,
    p95: Option<u32>,
    p99: Option<u32>,
    max: Option<u32>,
    /// CPU time of a new process in its first two seconds, at most.
    newcomer_cpu_ms: Option<u64>,
    /// How long a process took to end, at most.
    ended_after_ms: Option<u64>,
}

impl Report {
    pub(super) fn new(plan: &Plan, mut rows: Vec<Row>) -> Self {
        let own = rows.remove(0);
        let broken = own.broken(plan);
        let Plan { clients, deploys, seed, transport, handlers, kill, nodes, .. } = *plan;
        Self { clients, deploys, seed, transport, handlers, kill, nodes, own, peers: rows, broken }
    }

    /// A table of Markdown.
    #[must_use]
    pub fn table(&self) -> String {
        let mut table = String::from(
            "| | Sent | Lost | Twice | Out of order | Unresolved | Sessions lost | Unreported | p50 | p95 | p99 | max (ms) \
             | Newcomer's CPU (ms) |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n",
        );
        for row in std::iter::once(&self.own).chain(&self.peers) {
            let Row { peer, sent, lost, duplicated, reordered, .. } = row;
            let Row { unresolved, sessions_lost, unreported, .. } = row;
            let [p50, p95, p99, max] = [row.p50, row.p95, row.p99, row.max].map(shown);
            let cpu = row.newcomer_cpu_ms.map_or_else(String::new, |cpu| cpu.to_string());
            _ = writeln!(
                table,
                "| {peer} | {sent} | {lost} | {duplicated} | {reordered} | {unresolved} | {sessions_lost} | {unreported} \
                 | {p50} | {p95} | {p99} | {max} | {cpu} |"
            );
        }
        table
    }
}

impl Row {
    pub(super) fn new(plan: &Plan, peer: &Peer, mut sum: Sum, deploys: &[Deploy]) -> Self {
        let mut row = Self::of(peer.name, &sum);
        sum.firsts.sort_unstable();
        if !sum.firsts.is_empty() {
            let [p50, p95, p99, max] =
                [50, 95, 99, 100].map(|percent| Some(percentile(&sum.firsts, percent)));
            row = Self { p50, p95, p99, max, ..row };
        }
        row.newcomer_cpu_ms = deploys.iter().map(|deploy| deploy.cpu as u64).max();
        let ended = deploys.iter().map(|deploy| deploy.ended.as_millis() as u64);
        row.ended_after_ms = ended.max().filter(|_| !plan.kill);
        row
    }

    /// Of nodes that were replaced one after another.
    pub(super) fn rolling(sum: &Sum) -> Self {
        Self::of("bowline", sum)
    }

    fn of(peer: &'static str, sum: &Sum) -> Self {
        Self {
            peer,
            sent: sum.sent,
            delivered: sum.delivered,
            lost: sum.lost,
            duplicated: sum.duplicated,
            reordered: sum.reordered,
            unresolved: sum.unresolved,
            sessions_lost: sum.sessions_lost,
            unreported: sum.unreported,
            moved: sum.moved,
            p50: None,
            p95: None,
            p99: None,
            max: None,
            newcomer_cpu_ms: None,
            ended_after_ms: None,
        }
    }

    /// What was promised and not kept. A crash loses sessions, and says so.
    fn broken(&self, plan: &Plan) -> Vec<&'static str> {
        let crash = plan.kill;
        let promises = [
            ("everything was sent", self.sent > 0 && self.delivered > 0),
            ("every loss is reported", self.unreported == 0),
            ("nothing is lost", crash || self.lost == 0),
            ("nothing comes twice", crash || self.duplicated == 0),
            ("everything is in order", crash || self.reordered == 0),
            ("every request ends", crash || self.unresolved == 0),
            ("every session goes on", crash || self.sessions_lost == 0),
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

/// Milliseconds that 99 of 100 clients wait at most for the first message of a process that listens.
const PROMISE: u32 = 1500;

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::super::{Plan, Programs, Transports};
    use super::{Row, Sum};
    use crate::networks::NodeTools;

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
            npm: false,
            peers: false,
            programs: Programs { native, node: NodeTools { scripts, modules, package } },
            peer_programs,
        }
    }

    #[test]
    fn every_promise_can_be_broken_and_a_crash_breaks_only_the_one_to_report_it() {
        let whole = Sum { sent: 9, delivered: 9, ..Sum::default() };
        let broken = |sum: &Sum, kill| Row::rolling(sum).broken(&plan(kill));
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
        let late = Row { p99: Some(1501), ..Row::rolling(&whole) };
        assert_eq!(late.broken(&plan(false)), ["everyone is back in time"]);
    }
}
