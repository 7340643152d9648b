//! How long a connection may live.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::faults::{Cut, Direction};
use crate::lock::lock;
use crate::shared::Shared;

/// What is known of one connection, for its two directions.
#[derive(Debug)]
pub(crate) struct Life {
    shared: Arc<Shared>,
    /// When a byte last passed.
    active: Mutex<Instant>,
    /// When and how it has to end.
    end: Mutex<Option<(Instant, Cut)>>,
    end_is_set: Notify,
    /// What is swallowed on this connection alone.
    mute: Mutex<Option<Direction>>,
    /// After how many bytes the body of the next answer is cut.
    cut_body: Mutex<Option<usize>>,
    /// Of each request whose answer has not begun, whether the answer is to have a body.
    asked: Mutex<VecDeque<bool>>,
    client_ended: Mutex<bool>,
}

impl Life {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            active: Mutex::new(Instant::now()),
            end: Mutex::default(),
            end_is_set: Notify::new(),
            mute: Mutex::default(),
            cut_body: Mutex::default(),
            asked: Mutex::default(),
            client_ended: Mutex::default(),
        }
    }

    /// A request is on its way to the server: one for a body, or a HEAD.
    pub(crate) fn ask(&self, for_a_body: bool) {
        lock(&self.asked).push_back(for_a_body);
    }

    /// The final answer to the oldest request begins: true if it has the body that its head tells
    /// of.
    pub(crate) fn answers_with_a_body(&self) -> bool {
        lock(&self.asked).pop_front().unwrap_or(true)
    }

    pub(crate) fn touch(&self) {
        *lock(&self.active) = Instant::now();
    }

    pub(crate) fn end_at(&self, at: Instant, how: Cut) {
        *lock(&self.end) = Some((at, how));
        self.end_is_set.notify_one();
    }

    /// Waits until the connection was idle for too long, or its time is up.
    pub(crate) async fn over(&self) -> Cut {
        let mut changes = self.shared.watch();
        loop {
            let idle = changes.borrow_and_update().idle;
            let idle = idle.map(|(after, how)| (*lock(&self.active) + after, how));
            let first = [idle, *lock(&self.end)].into_iter().flatten().min_by_key(|end| end.0);
            if let Some((_, how)) = first.filter(|(at, _)| *at <= Instant::now()) {
                return how;
            }
            let wait = async {
                match first {
                    Some((at, _)) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = wait => {}
                () = self.end_is_set.notified() => {}
                _ = changes.changed() => {}
            }
        }
    }

    /// Nothing more comes from the client.
    pub(crate) fn client_ends(&self) {
        *lock(&self.client_ended) = true;
    }

    pub(crate) fn client_has_ended(&self) -> bool {
        *lock(&self.client_ended)
    }

    pub(crate) fn set_mute(&self, direction: Direction) {
        *lock(&self.mute) = Some(direction);
    }

    pub(crate) fn is_mute(&self, direction: Direction) -> bool {
        lock(&self.mute).is_some_and(|mute| mute.includes(direction))
    }

    /// A request begins: if the next body is to be cut, it is that of this one's answer.
    pub(crate) fn arm_cut(&self) {
        let mut armed = lock(&self.cut_body);
        if armed.is_none() && self.shared.faults().cut_mid_body.is_some() {
            *armed = self.shared.change(|faults| faults.cut_mid_body.take());
        }
    }

    pub(crate) fn cut_body_after(&self) -> Option<usize> {
        *lock(&self.cut_body)
    }
}
