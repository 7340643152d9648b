//! The queue in which the driver stores the events of a subscription until they are read.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bowline_protocol::Payload;
use futures::task::AtomicWaker;

use crate::error::TryRecvError;

/// The queue of one subscription.
#[derive(Debug)]
pub(crate) struct Inlet<T = Payload> {
    queue: Mutex<Queue<T>>,
    waker: AtomicWaker,
}

#[derive(Debug)]
struct Queue<T> {
    waiting: VecDeque<T>,
    ended: bool,
    /// The application has dropped the subscription.
    abandoned: bool,
}

/// What waits in a queue, and its cost: its bytes and its place.
pub(crate) trait Cost {
    fn cost(&self) -> usize;
}

/// The bytes of received events that wait in all subscriptions together.
#[derive(Debug, Default)]
pub(crate) struct Backlog(AtomicUsize);

impl<T: Cost> Inlet<T> {
    pub(crate) fn push(&self, one: T, backlog: &Backlog) {
        let mut queue = self.lock();
        // Nobody would read it, and so nobody would take its bytes off the backlog.
        if queue.abandoned {
            return;
        }
        backlog.0.fetch_add(one.cost(), Ordering::Relaxed);
        queue.waiting.push_back(one);
        drop(queue);
        self.waker.wake();
    }

    pub(crate) fn end(&self) {
        self.lock().ended = true;
        self.waker.wake();
    }

    pub(crate) fn poll_next(&self, cx: &Context<'_>) -> Poll<Option<T>> {
        self.waker.register(cx.waker());
        let mut queue = self.lock();
        match queue.waiting.pop_front() {
            Some(one) => Poll::Ready(Some(one)),
            None if queue.ended => Poll::Ready(None),
            None => Poll::Pending,
        }
    }

    /// The next event, without waiting for one.
    pub(crate) fn try_next(&self) -> Result<T, TryRecvError> {
        let mut queue = self.lock();
        let ended = if queue.ended { TryRecvError::Closed } else { TryRecvError::Empty };
        queue.waiting.pop_front().ok_or(ended)
    }

    /// Removes the remaining events, and drops those that come later. Returns how many bytes of the
    /// backlog they were.
    pub(crate) fn abandon(&self) -> usize {
        let mut queue = self.lock();
        queue.abandoned = true;
        let left = std::mem::take(&mut queue.waiting);
        drop(queue);
        left.iter().map(Cost::cost).sum()
    }

    fn lock(&self) -> MutexGuard<'_, Queue<T>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Default for Inlet<T> {
    fn default() -> Self {
        let queue = Queue { waiting: VecDeque::new(), ended: false, abandoned: false };
        Self { queue: Mutex::new(queue), waker: AtomicWaker::new() }
    }
}

impl Backlog {
    #[cfg(feature = "json")]
    pub(crate) fn grow(&self, bytes: usize) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// True if this moved the backlog from above the limit to below it.
    pub(crate) fn shrink(&self, bytes: usize, limit: usize) -> bool {
        let before = self.0.fetch_sub(bytes, Ordering::Relaxed);
        before > limit && before - bytes <= limit
    }
}

impl Cost for Payload {
    fn cost(&self) -> usize {
        self.size() + size_of::<Self>()
    }
}

#[cfg(test)]
mod tests {
    use super::{Backlog, Cost as _, Inlet, Payload};

    #[test]
    fn what_comes_for_a_dropped_subscription_does_not_count() {
        let (inlet, backlog) = (Inlet::default(), Backlog::default());
        let payload = Payload::json("1");
        inlet.push(payload.clone(), &backlog);
        assert_eq!(backlog.bytes(), payload.cost());
        assert!(!backlog.shrink(inlet.abandon(), usize::MAX));
        inlet.push(payload, &backlog);
        assert_eq!(backlog.bytes(), 0);
    }
}
