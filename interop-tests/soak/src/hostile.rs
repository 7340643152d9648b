//! The networks of a hostile run: each is in force until the next cut.

use std::time::Duration;

use bowline_fault_proxy::{Answers, Cut, Direction, FaultProxy, Faults, Refusal, Upgrade};
use fastrand::Rng;

/// Puts another network in place of the present one, and breaks what is open in a way that only
/// hostile networks know.
pub(crate) async fn change(proxy: &FaultProxy, rng: &mut Rng) {
    let mut faults = Faults {
        delay: millis(rng.u64(..4)),
        jitter: millis(rng.u64(..4)),
        replay_posts: Some(millis(rng.u64(..30))),
        ..Faults::default()
    };
    spoil(&mut faults, rng);
    proxy.set(faults.clone());
    match rng.u64(..8) {
        0 => drop(proxy.cut_one(rng.u64(..), Cut::Vanish)),
        // Long enough for a hole in every connection, which stays mute for ever.
        1 => {
            let direction = [Direction::Up, Direction::Down, Direction::Both];
            proxy.mute(Some(direction[rng.u64(..3) as usize]));
            tokio::time::sleep(millis(50)).await;
            proxy.mute(None);
        }
        2 => {
            proxy.refuse_connections(true);
            tokio::time::sleep(millis(50)).await;
            proxy.refuse_connections(false);
        }
        _ => {}
    }
}

/// One thing that a proxy in between does.
fn spoil(faults: &mut Faults, rng: &mut Rng) {
    let soon = millis(20 + rng.u64(..300));
    let how = [Cut::Reset, Cut::Finish, Cut::Vanish][rng.u64(..3) as usize];
    match rng.u64(..14) {
        0 => faults.upgrade = Upgrade::Refuse(Refusal::Status(403)),
        1 => faults.upgrade = Upgrade::Refuse(Refusal::Status(200)),
        2 => faults.upgrade = Upgrade::Refuse(Refusal::Silence),
        3 => faults.upgrade = Upgrade::Kill(soon, how),
        4 => faults.upgrade = Upgrade::Mute(Direction::Both),
        5 => faults.upgrade = Upgrade::Mute(Direction::Down),
        6 => faults.answers = Answers::HoldLast,
        7 => faults.answers = Answers::Whole,
        8 => faults.answers = Answers::Buffer(8192),
        9 => faults.reorder_posts = Some(soon),
        10 => faults.idle = Some((soon, how)),
        11 => faults.rate = Some(500_000),
        12 => faults.http_1_0 = true,
        _ => faults.only_posts = Some(Refusal::Status(403)),
    }
}

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
