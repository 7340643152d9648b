//! The thread that owns the connection, and how others wait for it.

#![expect(clippy::disallowed_methods, reason = "one thread has the store's connection to Redis")]

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use super::signs::Signs;

/// The thread. It ends some time after this is dropped.
pub(super) struct Thread {
    hand: Hand,
    _alive: oneshot::Sender<()>,
}

/// Passes work to the thread.
#[derive(Debug, Clone)]
pub(super) struct Hand(Handle);

/// Work that was passed to the thread.
#[derive(Debug)]
pub(super) struct Pending<T>(Receiver<io::Result<T>>);

impl Thread {
    pub(super) fn start(signs: Arc<Signs>) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let hand = Hand(runtime.handle().clone());
        let (alive, dropped) = oneshot::channel::<()>();
        std::thread::Builder::new()
            .name("bowline-store".to_owned())
            .spawn(move || runtime.block_on(signs.keep(dropped)))?;
        Ok(Self { hand, _alive: alive })
    }

    pub(super) fn hand(&self) -> Hand {
        self.hand.clone()
    }

    pub(super) fn ask<T: Send + 'static>(
        &self,
        work: impl Future<Output = io::Result<T>> + Send + 'static,
    ) -> io::Result<T> {
        self.hand.begin(work).wait()
    }
}

impl Hand {
    pub(super) fn begin<T: Send + 'static>(
        &self,
        work: impl Future<Output = io::Result<T>> + Send + 'static,
    ) -> Pending<T> {
        let (done, outcome) = sync_channel(1);
        self.0.spawn(async move {
            let _ = done.send(work.await);
        });
        Pending(outcome)
    }
}

impl<T> Pending<T> {
    /// Blocks until it is done, for a bounded time.
    pub(super) fn wait(self) -> io::Result<T> {
        self.0.recv_timeout(LONGEST).unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }
}

/// Longer than any command takes: see `Reach::ask`.
const LONGEST: Duration = Duration::from_secs(20);
