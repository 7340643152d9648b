//! Breaks the network, spread evenly over the run.

use std::time::Duration;

use bowline_client::Client;

use super::{ALL, Ledger, Plan};
use crate::fault_proxy::{Cut, FaultProxy};

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
    proxy.refuse_upgrade(None);
}

/// One cut, with what may surround it.
async fn act(plan: &Plan, proxy: &FaultProxy, clients: &[Client], dice: &mut Dice) {
    if plan.transport.is_none() {
        let client = &clients[dice.below(clients.len() as u64) as usize];
        client.switch_transport(ALL[dice.below(3) as usize]);
        // Now and then a network that lets no WebSocket through.
        proxy.refuse_upgrade((dice.below(8) == 0).then_some(403));
    }
    proxy.delay(Duration::from_millis(dice.below(4)), Duration::from_millis(dice.below(4)));
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

/// Seeded chance (splitmix64, Steele et al. 2014).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}

/// Without a message for so long, the run is stuck.
const STALL: Duration = Duration::from_secs(60);
