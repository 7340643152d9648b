//! What the server sent, for those who subscribed.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bowline_protocol::Payload;
use futures::Stream;
use futures::task::AtomicWaker;

use crate::shared::Shared;

/// The events of one name, as they came. Ends when the client is closed; dropping it unsubscribes.
pub struct RawEvents {
    name: String,
    inlet: Arc<Inlet>,
    shared: Arc<Shared>,
}

/// Where the driver puts the events of one subscription.
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

/// Bytes that were received and wait in subscriptions, all of them together.
#[derive(Debug, Default)]
pub(crate) struct Backlog(AtomicUsize);

impl RawEvents {
    pub(crate) fn subscribe(name: &str, shared: &Arc<Shared>) -> Self {
        let inlet = Arc::new(Inlet::default());
        shared.lock().subscribe(name, Arc::clone(&inlet));
        Self { name: name.to_owned(), inlet, shared: Arc::clone(shared) }
    }
}

impl Stream for RawEvents {
    type Item = Payload;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Payload>> {
        let payload = self.inlet.poll_next(cx);
        if let Poll::Ready(Some(payload)) = &payload {
            self.shared.taken(cost(payload));
        }
        payload
    }
}

impl Drop for RawEvents {
    fn drop(&mut self) {
        self.shared.lock().unsubscribe(&self.name, &self.inlet);
        let left = std::mem::take(&mut self.inlet.lock().payloads);
        self.shared.taken(left.iter().map(cost).sum());
    }
}

impl fmt::Debug for RawEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawEvents").field("name", &self.name).finish_non_exhaustive()
    }
}

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

    fn poll_next(&self, cx: &Context<'_>) -> Poll<Option<Payload>> {
        self.waker.register(cx.waker());
        let mut queue = self.lock();
        match queue.payloads.pop_front() {
            Some(payload) => Poll::Ready(Some(payload)),
            None if queue.ended => Poll::Ready(None),
            None => Poll::Pending,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Backlog {
    pub(crate) fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// True if this took the backlog from above the limit to below it.
    pub(crate) fn shrink(&self, bytes: usize, limit: usize) -> bool {
        let before = self.0.fetch_sub(bytes, Ordering::Relaxed);
        before > limit && before - bytes <= limit
    }
}

/// What a waiting payload counts: its bytes and its place in the queue.
fn cost(payload: &Payload) -> usize {
    payload.size() + size_of::<Payload>()
}
