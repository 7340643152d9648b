//! Breaks the network, spread evenly over the run.

use std::time::Duration;

use bowline_client::Client;

use super::dice::Dice;
use super::{ALL, Ledger, Plan, hostile};
use crate::fault_proxy::{Cut, FaultProxy, Faults};

/// Cuts as often as the plan says. The moments follow the run's own progress, so that a faster machine
/// does not send everything between two cuts.
pub(super) async fn run(plan: &Plan, proxy: &FaultProxy, clients: &[Client], ledger: &Ledger) {
    let mut dice = Dice(plan.seed);
    let mut progress = ledger.progress();
    let expected = ledger.per_flow() * 4 * plan.clients;
    proxy.replay_posts(true);
    for cut in 0..plan.cuts {
        let reach = expected * cut / plan.cuts;
        while *progress.borrow_and_update() < reach {
            if tokio::time::timeout(STALL, progress.changed()).await.is_err() {
                eprintln!(
                    "no message has arrived for {STALL:?}, at {} of {expected}",
                    *progress.borrow()
                );
                return;
            }
        }
        act(plan, proxy, clients, &mut dice).await;
        if cut % (plan.cuts / 10).max(1) == 0 {
            eprintln!("{:>6} of {expected} messages, {cut} cuts", *progress.borrow());
        }
    }
    proxy.set(Faults::default());
}

/// One cut, with what may surround it.
async fn act(plan: &Plan, proxy: &FaultProxy, clients: &[Client], dice: &mut Dice) {
    if plan.transport.is_none() {
        let client = &clients[dice.below(clients.len() as u64) as usize];
        client.switch_transport(ALL[dice.below(3) as usize]);
        // Now and then a network that lets no WebSocket through.
        proxy.refuse_upgrade((dice.below(8) == 0).then_some(403));
    }
    if plan.hostile {
        hostile::change(proxy, dice).await;
    } else {
        proxy.delay(Duration::from_millis(dice.below(4)), Duration::from_millis(dice.below(4)));
    }
    let how = if dice.below(2) == 0 { Cut::Reset } else { Cut::Finish };
    match dice.below(16) {
        0 => proxy.cut_mid_body(dice.below(2_000) as usize),
        1 => drop(proxy.cut_all(how)),
        _ => {}
    }
    // Between two connections of a client there may be none to cut; the next one comes soon.
    while proxy.cut_one(dice.next(), how) == 0 {
        tokio::task::yield_now().await;
        let accepted = proxy.counters().accepted;
        proxy
            .wait_for(|counters| counters.accepted > accepted || proxy.open_connections() > 0)
            .await;
    }
}

/// Without a message for so long, the run is stuck.
const STALL: Duration = Duration::from_secs(60);
