//! The networks of a hostile run: each is in force until the next cut.

use std::time::Duration;

use crate::dice::Dice;
use crate::fault_proxy::{Answers, Cut, Direction, FaultProxy, Faults, Refusal, Upgrade};

/// Puts another network in place of the present one, and breaks what is open in a way that only hostile
/// networks know.
pub(super) async fn change(proxy: &FaultProxy, dice: &mut Dice) {
    let mut faults = Faults {
        delay: millis(dice.below(4)),
        jitter: millis(dice.below(4)),
        replay_posts: Some(millis(dice.below(30))),
        ..Faults::default()
    };
    spoil(&mut faults, dice);
    proxy.set(faults.clone());
    match dice.below(8) {
        0 => drop(proxy.cut_one(dice.next(), Cut::Vanish)),
        // Long enough for a hole in every connection, which stays mute for ever.
        1 => {
            let direction = [Direction::Up, Direction::Down, Direction::Both];
            proxy.mute(Some(direction[dice.below(3) as usize]));
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
fn spoil(faults: &mut Faults, dice: &mut Dice) {
    let soon = millis(20 + dice.below(300));
    let how = [Cut::Reset, Cut::Finish, Cut::Vanish][dice.below(3) as usize];
    match dice.below(14) {
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
