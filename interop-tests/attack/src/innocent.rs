//! A client that does nothing wrong, and how long it waits for its answers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::wire;
use bowline_raw_client::RawClient;

/// It asks every few milliseconds, from a thread of its own.
pub(crate) struct Innocent {
    over: Arc<AtomicBool>,
    warm: std::sync::Mutex<Option<oneshot::Receiver<()>>>,
    thread: JoinHandle<Result<Waits, String>>,
}

/// How long it waited each time, shortest first.
pub(crate) struct Waits(Vec<Duration>);

impl Waits {
    pub(crate) fn quantile(&self, share: f64) -> Duration {
        let at = (self.0.len() as f64 * share) as usize;
        self.0.get(at.min(self.0.len().saturating_sub(1))).copied().unwrap_or_default()
    }
}

impl Innocent {
    pub(crate) fn start(address: SocketAddr) -> Result<Self, String> {
        let over = Arc::new(AtomicBool::new(false));
        let (told, warm) = oneshot::channel();
        let ends = Arc::clone(&over);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        let thread = std::thread::spawn(move || {
            runtime
                .block_on(ask(address, &ends, told))
                .map_err(|error| format!("the innocent client: {error}"))
        });
        Ok(Self { over, warm: std::sync::Mutex::new(Some(warm)), thread })
    }

    /// Waits until it has asked a few times.
    pub(crate) async fn warm_up(&self) -> Result<(), String> {
        let warm = self.warm.lock().ok().and_then(|mut warm| warm.take());
        let Some(warm) = warm else { return Ok(()) };
        warm.await.map_err(|_| "the innocent client did not get in".to_owned())
    }

    pub(crate) fn end(self) -> Result<Waits, String> {
        self.over.store(true, Ordering::Relaxed);
        let mut waits = self.thread.join().map_err(|_| "the innocent client panicked")??;
        waits.0.sort_unstable();
        Ok(waits)
    }
}

async fn ask(
    address: SocketAddr,
    over: &AtomicBool,
    warm: oneshot::Sender<()>,
) -> std::io::Result<Waits> {
    let mut client = RawClient::connect(address).await?;
    client.upgrade("/bowline/ws", &[]).await?;
    client.send_text(&wire::open("")).await?;
    let (mut waits, mut warm, mut asked) = (Vec::new(), Some(warm), 0);
    let mut beat = tokio::time::interval(Duration::from_millis(5));
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while !over.load(Ordering::Relaxed) {
        beat.tick().await;
        let begun = Instant::now();
        client.send_text(&format!("c {asked}\nq echo {asked}")).await?;
        while !answered(&mut client).await? {}
        asked += 1;
        if asked == WARM {
            let _ = warm.take().map(|warm| warm.send(()));
        } else if asked > WARM {
            waits.push(begun.elapsed());
        }
    }
    Ok(Waits(waits))
}

/// Reads a message. True if the answer is in it.
async fn answered(client: &mut RawClient) -> std::io::Result<bool> {
    let frame = client.frame().await?.ok_or(std::io::ErrorKind::UnexpectedEof)?;
    let text = frame.text().unwrap_or_default();
    if text.lines().any(|line| line == "h") {
        client.send_text("a").await?;
    }
    if let Some(close) = text.lines().find(|line| line.starts_with("x ")) {
        return Err(std::io::Error::other(close.to_owned()));
    }
    Ok(text.lines().any(|line| line.starts_with("r ")))
}

/// Answers before the first that counts.
const WARM: u64 = 50;
