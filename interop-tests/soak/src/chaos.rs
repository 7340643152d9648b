//! Breaks the network, spread evenly over the run.

use std::time::Duration;

use bowline_client::Client;
use fastrand::Rng;

use crate::hostile;
use crate::ledger::Ledger;
use crate::plan::{ALL, Plan, Transports};
use bowline_fault_proxy::{Cut, FaultProxy, Faults};

/// Cuts as often as the plan says, then leaves the network whole. False if the run got stuck
/// before.
pub(crate) async fn run(
    plan: &Plan,
    proxy: &FaultProxy,
    clients: &[Client],
    ledger: &Ledger,
) -> bool {
    let outcome = cut_all_over(plan, proxy, clients, ledger).await;
    proxy.set(Faults::default());
    outcome.inspect_err(|why| eprintln!("{why}")).is_ok()
}

/// The moments follow the run's own progress, so that a faster machine does not send everything
/// between two cuts.
async fn cut_all_over(
    plan: &Plan,
    proxy: &FaultProxy,
    clients: &[Client],
    ledger: &Ledger,
) -> Result<(), String> {
    let mut rng = Rng::with_seed(plan.seed);
    let mut progress = ledger.progress();
    let expected = ledger.planned();
    proxy.replay_posts(true);
    for cut in 0..plan.cuts {
        let reach = expected * cut / plan.cuts;
        while *progress.borrow_and_update() < reach {
            let changed = tokio::time::timeout(STALL, progress.changed()).await.is_ok();
            if !changed {
                let reached = *progress.borrow();
                return Err(format!("no message for {STALL:?}, at {reached} of {expected}"));
            }
        }
        let acted = tokio::time::timeout(STALL, act(plan, proxy, clients, &mut rng)).await;
        acted.map_err(|_| format!("no connection to cut for {STALL:?}, after {cut} cuts"))?;
        if cut % (plan.cuts / 10).max(1) == 0 {
            eprintln!("{:>6} of {expected} messages, {cut} cuts", *progress.borrow());
        }
    }
    Ok(())
}

/// One cut, with what may surround it.
async fn act(plan: &Plan, proxy: &FaultProxy, clients: &[Client], rng: &mut Rng) {
    if plan.transport == Transports::Mixed {
        let client = &clients[rng.u64(..clients.len() as u64) as usize];
        client.switch_transport(ALL[rng.u64(..3) as usize]);
        // Now and then a network that lets no WebSocket through.
        proxy.refuse_upgrade((rng.u64(..8) == 0).then_some(403));
    }
    if plan.hostile {
        hostile::change(proxy, rng).await;
    } else {
        proxy.delay(Duration::from_millis(rng.u64(..4)), Duration::from_millis(rng.u64(..4)));
    }
    let how = if rng.u64(..2) == 0 { Cut::Reset } else { Cut::Finish };
    match rng.u64(..16) {
        0 => proxy.cut_mid_body(rng.u64(..2_000) as usize),
        1 => drop(proxy.cut_all(how)),
        _ => {}
    }
    // Between two connections of a client there may be none to cut; the next one comes soon.
    while proxy.cut_one(rng.u64(..), how) == 0 {
        tokio::task::yield_now().await;
        let accepted = proxy.counters().accepted;
        proxy
            .wait_for(|counters| counters.accepted > accepted || proxy.open_connections() > 0)
            .await;
    }
}

/// Without a message for so long, the run is stuck.
const STALL: Duration = Duration::from_secs(60);
