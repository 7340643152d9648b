//! The requests of a client about one topic are handled one after another, also by a server that
//! handles several requests of a session at the same time: the last one decides.
//!
//! Spec: 11-topics, "Subscribing".

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{Mutex, MutexGuard};

use super::LiveSession;

/// A request about a topic, from the call of its handler to its answer.
pub(crate) struct TopicTurn {
    session: Arc<LiveSession>,
    topic: Arc<str>,
    queue: Option<Arc<Queue>>,
    /// The revocations before it.
    revocations: u64,
}

/// The requests about one topic.
#[derive(Debug, Default)]
pub(super) struct Queue {
    lock: Mutex<()>,
    /// How often the application has revoked the grant while there were requests.
    revocations: AtomicU64,
}

impl TopicTurn {
    pub(crate) fn new(session: &Arc<LiveSession>, topic: &str) -> Self {
        let topic = Arc::from(topic);
        let queue = session.with(|state, _| state.queue_for(&topic));
        let revocations = queue.revocations();
        Self { session: Arc::clone(session), topic, queue: Some(queue), revocations }
    }

    /// Waits for the requests before it.
    pub(crate) async fn begin(&self) -> MutexGuard<'_, ()> {
        self.queue().lock.lock().await
    }

    /// True if the application has revoked the grant of the topic since the request came: what it
    /// has decided about the request may be older.
    pub(crate) fn is_revoked(&self) -> bool {
        self.queue().revocations() != self.revocations
    }

    fn queue(&self) -> &Queue {
        self.queue.as_deref().expect("it is there until the turn is dropped")
    }
}

impl Drop for TopicTurn {
    fn drop(&mut self) {
        self.queue = None;
        self.session.with(|state, _| state.end_turn(&self.topic));
    }
}

impl Queue {
    pub(super) fn revoke(&self) {
        self.revocations.fetch_add(1, Ordering::Relaxed);
    }

    fn revocations(&self) -> u64 {
        self.revocations.load(Ordering::Relaxed)
    }
}
