//! What happens to the processes while the clients talk.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::Plan;
use super::processes::Fleet;
use crate::soak::Dice;

/// Does what the plan says, one thing after another, and waits after each until the fleet is whole.
/// Returns when a node was killed, if one was.
pub(super) async fn all(plan: &Plan, fleet: &mut Fleet) -> Result<Option<Instant>, String> {
    let mut dice = Dice(plan.seed);
    let mut when = None;
    sleep(plan.lasts / 10).await;
    if plan.rolling {
        for node in 0..fleet.len() {
            sleep(Duration::from_millis(dice.below(300))).await;
            eprintln!("node {node} is drained");
            fleet.drain(node).await?;
            fleet.start_again(node)?;
            fleet.wait_until_whole().await?;
        }
    }
    if plan.kill {
        let victim = usize::try_from(dice.below(fleet.len() as u64)).unwrap_or(0);
        eprintln!("node {victim} is killed");
        when = Some(Instant::now());
        fleet.kill(victim).await;
        sleep(Duration::from_millis(500 + dice.below(1_500))).await;
        fleet.start_again(victim)?;
        sleep(Duration::from_secs(6)).await;
        fleet.wait_until_whole().await?;
    }
    if let Some(outage) = plan.redis_restart {
        eprintln!("Redis is gone for {outage:?}");
        fleet.kill_redis();
        sleep(outage).await;
        fleet.redis.start_again();
        fleet.wait_until_whole().await?;
    }
    Ok(when)
}
