//! The deadlines of all sessions: one queue, one thread.
//!
//! A session files its next deadline only when none that is earlier is filed already. What was filed
//! and is no longer true is found out when it comes up, which costs less than taking it back.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bowline_protocol::Time;

use super::LiveSession;
use crate::clock::Clock;

#[derive(Debug)]
pub(crate) struct Timers {
    clock: Clock,
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    filed: BinaryHeap<Reverse<Filed>>,
    stopped: bool,
}

#[derive(Debug)]
struct Filed {
    at: Time,
    session: Weak<LiveSession>,
}

impl Timers {
    /// Starts the thread. It ends with [`Self::stop`].
    pub(crate) fn start(clock: Clock) -> Arc<Self> {
        let timers = Arc::new(Self { clock, queue: Mutex::default(), changed: Condvar::new() });
        let own = Arc::clone(&timers);
        std::thread::Builder::new()
            .name("bowline-timers".into())
            .spawn(move || own.run())
            .expect("the operating system can start one more thread");
        timers
    }

    pub(crate) fn stop(&self) {
        self.lock().stopped = true;
        self.changed.notify_one();
    }

    pub(crate) fn file(&self, at: Time, session: &Arc<LiveSession>) {
        let mut queue = self.lock();
        let is_first = queue.filed.peek().is_none_or(|first| at < first.0.at);
        queue.filed.push(Reverse(Filed { at, session: Arc::downgrade(session) }));
        drop(queue);
        if is_first {
            self.changed.notify_one();
        }
    }

    fn run(&self) {
        while let Some(due) = self.wait_for_due() {
            for filed in due {
                // The last one to drop a session drops what the application keeps with it. A panic there
                // must not end the deadlines of all others.
                let serve = AssertUnwindSafe(|| {
                    if let Some(session) = filed.session.upgrade() {
                        session.tick(filed.at);
                    }
                });
                if catch_unwind(serve).is_err() {
                    log::error!("a session panicked at its deadline");
                }
            }
        }
    }

    /// Waits until something is due and takes out all that is. `None` when stopped.
    fn wait_for_due(&self) -> Option<Vec<Filed>> {
        let mut queue = self.lock();
        loop {
            if queue.stopped {
                return None;
            }
            let now = self.clock.now();
            let mut due = Vec::new();
            while queue.filed.peek().is_some_and(|first| first.0.at <= now) {
                due.extend(queue.filed.pop().map(|Reverse(filed)| filed));
            }
            if !due.is_empty() {
                return Some(due);
            }
            let wait = queue.filed.peek().map_or(FOREVER, |first| first.0.at - now);
            // Sessions that fall due within the same few milliseconds are served by one wake-up.
            let wait = wait.max(COARSENESS);
            queue = self
                .changed
                .wait_timeout(queue, wait)
                .map_or_else(|poisoned| poisoned.into_inner().0, |(queue, _)| queue);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PartialEq for Filed {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Filed {}

impl PartialOrd for Filed {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Filed {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at.cmp(&other.at)
    }
}

const COARSENESS: Duration = Duration::from_millis(5);
const FOREVER: Duration = Duration::from_secs(3600);
