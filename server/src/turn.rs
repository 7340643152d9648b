//! How much a worker does for one client before others have their turn.
//!
//! A worker serves all its connections on one thread, so all others wait while it serves one. It
//! therefore receives what a client sends in turns: after [`UNITS`] packets, frames or messages, or
//! after [`TIME`] in handlers, the rest stays where it is and the worker serves the others first.

#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures::task::AtomicWaker;

/// The rest of a turn.
#[derive(Debug)]
pub(crate) struct Turn {
    left: Cell<usize>,
}

impl Turn {
    pub(crate) const fn new() -> Self {
        Self { left: Cell::new(UNITS) }
    }

    /// Counts a packet, a frame or a message.
    pub(crate) fn spend(&self) {
        self.left.set(self.left.get().saturating_sub(1));
    }

    /// True when the turn is over.
    pub(crate) fn is_over(&self) -> bool {
        self.left.get() == 0
    }
}

/// Lets other tasks run first, once the turn of a task is over.
#[derive(Debug, Default)]
pub(crate) enum Pause {
    #[default]
    Over,
    /// It begins with the next [`Self::poll`].
    Due,
    Lasts(Arc<Round>),
}

/// The worker serves every task that is ready, and reads from every connection that has bytes.
#[derive(Debug, Default)]
pub(crate) struct Round {
    is_over: AtomicBool,
    task: AtomicWaker,
}

impl Pause {
    /// The turn is over.
    pub(crate) fn set(&mut self) {
        *self = Self::Due;
    }

    /// Pending while the others are served, however often it is polled; then wakes the task.
    #[inline]
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if matches!(self, Self::Over) { Poll::Ready(()) } else { self.wait(cx) }
    }

    #[cold]
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Self::Lasts(round) = self {
            round.task.register(cx.waker());
            if !round.is_over.load(Ordering::Acquire) {
                return Poll::Pending;
            }
            *self = Self::Over;
            return Poll::Ready(());
        }
        let round = Arc::<Round>::default();
        round.task.register(cx.waker());
        *self = Self::Lasts(Arc::clone(&round));
        // A task that is woken at once may be polled again before anything is read. This wakes it
        // after that.
        let waker = Waker::from(round);
        let _ = pin!(tokio::task::yield_now()).poll(&mut Context::from_waker(&waker));
        Poll::Pending
    }
}

impl Wake for Round {
    fn wake(self: Arc<Self>) {
        self.is_over.store(true, Ordering::Release);
        self.task.wake();
    }
}

/// Lets the other tasks run first.
pub(crate) async fn pause() {
    let mut pause = Pause::Due;
    poll_fn(|cx| pause.poll(cx)).await;
}

/// Counts a request. A connection may bring many at the same time, and the worker answers all of
/// them before it serves the next connection: one in [`REQUESTS`] waits for the others.
pub(crate) async fn begin_request() {
    let begun = BEGUN.get() + 1;
    BEGUN.set(begun % REQUESTS);
    if begun == REQUESTS {
        pause().await;
    }
}

thread_local! {
    /// The requests of this worker since one of them has waited.
    static BEGUN: Cell<usize> = const { Cell::new(0) };
}

/// The most packets, frames and messages of one turn. They take about a quarter of a millisecond,
/// much more than the switch to the other tasks and back.
pub(crate) const UNITS: usize = 256;

/// The longest time of one turn in handlers: the clock is read after each [`UNITS_PER_LOOK`] of
/// them.
pub(crate) const TIME: Duration = Duration::from_millis(1);

/// Handlers between two readings of the clock.
pub(crate) const UNITS_PER_LOOK: usize = 32;

/// The most requests of one turn. Each takes some ten microseconds.
pub(crate) const REQUESTS: usize = 64;
