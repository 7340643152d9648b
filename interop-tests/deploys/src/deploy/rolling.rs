//! Two nodes or more that are replaced one after another: what `cargo xtask cluster --rolling`
//! does, as a row of this table. The times are how long each client received nothing around a
//! replacement.

use std::time::Duration;

use super::books::Sum;
use super::{Plan, Row};
use crate::fleet;

/// Replaces every node once.
pub(super) async fn run(plan: &Plan) -> Result<Row, String> {
    let seconds = 10;
    let fleet = fleet::Plan {
        nodes: plan.nodes,
        clients: plan.clients.div_ceil(4) * 4,
        // Two a second for each client.
        messages: 2 * seconds * plan.clients as u64,
        seed: plan.seed,
        kill: plan.kill,
        redis_restart: None,
        rolling: !plan.kill,
        lasts: Duration::from_secs(seconds),
    };
    let report = fleet::run(&fleet, &plan.programs.native).await?;
    for promise in report.broken_promises() {
        eprintln!("not kept: {promise}");
    }
    let sum = Sum {
        sent: report.delivered + report.lost,
        delivered: report.delivered,
        lost: report.lost,
        duplicated: report.duplicated,
        reordered: report.reordered,
        unresolved: report.unanswered,
        sessions_lost: report.sessions_lost,
        unreported: report.unreported,
        firsts: report.silences,
        ..Sum::default()
    };
    Ok(Row::of("bowline", sum))
}
