//! How a server recovers.

use std::time::{Duration, Instant};

use crate::target::{Gauge, MIB, Target};

/// How the server was after the attack.
pub(crate) struct Recovery {
    /// How long descriptors were held; `None` if they still were.
    pub(crate) descriptors: Option<Duration>,
    pub(crate) memory: Option<Duration>,
    pub(crate) last: Gauge,
}

/// Watches the server until it is as before, or for too long.
pub(crate) async fn recover(target: &Target, before: Gauge) -> Result<Recovery, String> {
    let begun = Instant::now();
    let mut recovery = Recovery { descriptors: None, memory: None, last: before };
    let mut same = 0;
    while begun.elapsed() < MEMORY_BACK && same < SAMPLES {
        recovery.last = target.gauge()?;
        let since = |known: Option<Duration>, is_back: bool| {
            is_back.then(|| known.unwrap_or_else(|| begun.elapsed()))
        };
        let Gauge { resident, descriptors } = recovery.last;
        recovery.descriptors = since(recovery.descriptors, descriptors <= before.descriptors);
        recovery.memory = since(recovery.memory, resident <= before.resident + 20.0 * MIB);
        let is_back = recovery.descriptors.is_some() && recovery.memory.is_some();
        same = if is_back { same + 1 } else { 0 };
        if recovery.descriptors.is_none() && begun.elapsed() > DESCRIPTORS_BACK {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(recovery)
}

/// How often in a row everything has to be back.
const SAMPLES: usize = 5;

const DESCRIPTORS_BACK: Duration = Duration::from_secs(30);
const MEMORY_BACK: Duration = Duration::from_secs(60);
