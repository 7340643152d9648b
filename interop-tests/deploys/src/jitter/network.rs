//! The networks of a peer's clients.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fastrand::Rng;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use bowline_fault_proxy::{Cut, FaultProxy};

/// One network for each client. They are gone with this value.
#[derive(Debug)]
pub(super) struct Networks {
    proxies: Vec<Arc<FaultProxy>>,
    cuts: Arc<AtomicU64>,
    weather: JoinSet<()>,
}

impl Networks {
    pub(super) async fn before(port: u16, clients: usize) -> Result<Self, String> {
        let server = SocketAddr::from(([127, 0, 0, 1], port));
        let mut proxies = Vec::new();
        for _ in 0..clients {
            let proxy = FaultProxy::start(server).await;
            let proxy = proxy.map_err(|error| format!("there is no port for a proxy: {error}"))?;
            proxies.push(Arc::new(proxy));
        }
        Ok(Self { proxies, cuts: Arc::default(), weather: JoinSet::new() })
    }

    pub(super) fn urls(&self) -> Vec<String> {
        self.proxies.iter().map(|proxy| proxy.url("")).collect()
    }

    /// From now on, and up to this moment, connections are cut.
    pub(super) fn misbehave(&mut self, seed: u64, end: Instant) {
        for (number, proxy) in self.proxies.iter().enumerate() {
            let schedule = Schedule::new(seed, number, end);
            self.weather.spawn(schedule.run(Arc::clone(proxy), Arc::clone(&self.cuts)));
        }
    }

    /// How often something was cut.
    pub(super) fn cuts(&self) -> u64 {
        self.cuts.load(Ordering::Relaxed)
    }
}

/// When a client's connections are cut. It follows from the seed and the client's number alone.
struct Schedule {
    rng: Rng,
    at: Instant,
    end: Instant,
}

impl Schedule {
    fn new(seed: u64, number: usize, end: Instant) -> Self {
        let mut rng = Rng::with_seed(seed ^ (number as u64) << 32);
        // The clients are not cut together, not even the first time.
        let first = FIRST + rng.u64(..LONGEST - FIRST);
        let at = Instant::now() + Duration::from_millis(first);
        Self { rng, at, end }
    }

    async fn run(mut self, proxy: Arc<FaultProxy>, cuts: Arc<AtomicU64>) {
        while self.at < self.end {
            sleep_until(self.at).await;
            // What is not connected cannot be cut, and is not to be kept from it.
            if proxy.cut_all(Cut::Reset) > 0 {
                cuts.fetch_add(1, Ordering::Relaxed);
                proxy.refuse_connections(true);
                sleep(OUTAGE).await;
                proxy.refuse_connections(false);
            }
            let pause = SHORTEST + self.rng.u64(..LONGEST - SHORTEST);
            self.at += OUTAGE + Duration::from_millis(pause);
        }
    }
}

/// Milliseconds before the first cut at least.
const FIRST: u64 = 5_000;
/// Milliseconds between the end of an outage and the next cut.
const SHORTEST: u64 = 15_000;
const LONGEST: u64 = 20_000;
/// How long nothing can be opened after a cut.
const OUTAGE: Duration = Duration::from_secs(2);
