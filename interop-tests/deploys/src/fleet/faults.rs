//! What happens to the processes while the clients talk.

use std::time::{Duration, Instant};

use fastrand::Rng;
use tokio::time::sleep;

use super::Plan;
use super::processes::Fleet;

/// When something happened.
#[derive(Debug, Default)]
pub(super) struct Happened {
    /// A node was killed.
    pub(super) killed: Option<Instant>,
    /// A node was told to end, and the fleet was whole again.
    pub(super) replaced: Vec<(Instant, Instant)>,
}

/// Does what the plan says, one thing after another, and waits after each until the fleet is whole.
pub(super) async fn all(plan: &Plan, fleet: &mut Fleet) -> Result<Happened, String> {
    let mut rng = Rng::with_seed(plan.seed);
    let mut happened = Happened::default();
    sleep(plan.lasts / 10).await;
    if plan.rolling {
        for node in 0..fleet.len() {
            sleep(Duration::from_millis(rng.u64(..300))).await;
            eprintln!("node {node} is drained");
            let begun = Instant::now();
            fleet.drain(node).await?;
            fleet.start_again(node)?;
            fleet.wait_until_whole().await?;
            happened.replaced.push((begun, Instant::now()));
        }
    }
    if plan.kill {
        let victim = usize::try_from(rng.u64(..fleet.len() as u64)).unwrap_or(0);
        eprintln!("node {victim} is killed");
        happened.killed = Some(Instant::now());
        fleet.kill(victim).await;
        sleep(Duration::from_millis(500 + rng.u64(..1_500))).await;
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
    Ok(happened)
}
