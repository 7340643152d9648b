//! The queue in which the driver stores the events of a subscription until they are read.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bowline_protocol::Payload;
use futures::task::AtomicWaker;

use crate::error::TryRecvError;

/// The queue of one subscription.
#[derive(Debug, Default)]
pub(crate) struct Inlet {
    queue: Mutex<Queue>,
    waker: AtomicWaker,
}

#[derive(Debug, Default)]
struct Queue {
    payloads: VecDeque<Payload>,
    ended: bool,
}

/// The bytes of received events that wait in all subscriptions together.
#[derive(Debug, Default)]
pub(crate) struct Backlog(AtomicUsize);

impl Inlet {
    pub(crate) fn push(&self, payload: Payload, backlog: &Backlog) {
        backlog.0.fetch_add(cost(&payload), Ordering::Relaxed);
        self.lock().payloads.push_back(payload);
        self.waker.wake();
    }

    pub(crate) fn end(&self) {
        self.lock().ended = true;
        self.waker.wake();
    }

    pub(crate) fn poll_next(&self, cx: &Context<'_>) -> Poll<Option<Payload>> {
        self.waker.register(cx.waker());
        let mut queue = self.lock();
        match queue.payloads.pop_front() {
            Some(payload) => Poll::Ready(Some(payload)),
            None if queue.ended => Poll::Ready(None),
            None => Poll::Pending,
        }
    }

    /// The next event, without waiting for one.
    pub(crate) fn try_next(&self) -> Result<Payload, TryRecvError> {
        let mut queue = self.lock();
        let ended = if queue.ended { TryRecvError::Closed } else { TryRecvError::Empty };
        queue.payloads.pop_front().ok_or(ended)
    }

    /// Removes the remaining events, and returns how many bytes of the backlog they were.
    pub(crate) fn clear(&self) -> usize {
        let left = std::mem::take(&mut self.lock().payloads);
        left.iter().map(cost).sum()
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Backlog {
    pub(crate) fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// True if this moved the backlog from above the limit to below it.
    pub(crate) fn shrink(&self, bytes: usize, limit: usize) -> bool {
        let before = self.0.fetch_sub(bytes, Ordering::Relaxed);
        before > limit && before - bytes <= limit
    }
}

/// The cost of a waiting payload: its bytes and its place in the queue.
pub(crate) fn cost(payload: &Payload) -> usize {
    payload.size() + size_of::<Payload>()
}
