//! The deadlines of all sessions: one queue, one thread.
//!
//! A session files its next deadline only when it has filed no earlier one. A deadline that moves
//! back stays in the queue, and is checked when it comes up, which costs less than moving it. A
//! session has one deadline in the queue: an earlier one replaces the later, and a session that is
//! dropped removes its deadline. So the size of the queue depends on how many sessions exist, not
//! on how many there were.

#![expect(
    clippy::disallowed_methods,
    reason = "the one thread that serves the deadlines of all sessions"
)]

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bowline_protocol::Time;

use super::{Common, LiveSession, relief};
use crate::clock::Clock;

#[derive(Debug)]
pub(crate) struct Timers {
    clock: Clock,
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    /// By time, then by the address of the session in memory, which no other session has while its
    /// deadline is filed.
    filed: BTreeMap<(Time, usize), Weak<LiveSession>>,
    /// The node whose sessions keep too much.
    full: Weak<Common>,
    stopped: bool,
}

/// What is due on the thread.
struct Due {
    deadlines: Vec<(Time, Weak<LiveSession>)>,
    full: Option<Arc<Common>>,
}

/// A deadline to file, which replaces the earlier one of the same session.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline {
    pub(super) at: Time,
    pub(super) instead_of: Option<Time>,
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

    pub(super) fn file(&self, deadline: Deadline, session: &Arc<LiveSession>) {
        let Deadline { at, instead_of } = deadline;
        let address = address(session);
        let mut queue = self.lock();
        if let Some(before) = instead_of {
            queue.filed.remove(&(before, address));
        }
        let is_first = queue.first().is_none_or(|first| at < first);
        queue.filed.insert((at, address), Arc::downgrade(session));
        drop(queue);
        if is_first {
            self.changed.notify_one();
        }
    }

    /// Removes the deadline of a session that is being dropped.
    pub(super) fn take_back(&self, at: Time, session: &LiveSession) {
        self.lock().filed.remove(&(at, address(session)));
    }

    /// Requests that the thread make room on a node whose sessions keep too much. This visits all
    /// sessions, which takes a while.
    pub(super) fn make_room(&self, common: &Arc<Common>) {
        self.lock().full = Arc::downgrade(common);
        self.changed.notify_one();
    }

    /// The number of filed deadlines.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.lock().filed.len()
    }

    fn run(&self) {
        while let Some(due) = self.wait_for_due() {
            serve(due);
        }
    }

    /// Advances the clock, and serves what is due then on this thread.
    #[cfg(feature = "test-util")]
    pub(crate) fn advance(&self, time: Duration) {
        self.clock.ahead.advance(time);
        let now = self.clock.now();
        let deadlines = self.lock().take_due(now);
        serve(Due { deadlines, full: None });
    }

    /// Waits until something is due, and removes everything that is due. `None` when stopped.
    fn wait_for_due(&self) -> Option<Due> {
        let mut queue = self.lock();
        loop {
            if queue.stopped {
                return None;
            }
            let now = self.clock.now();
            let due = Due {
                deadlines: queue.take_due(now),
                full: std::mem::take(&mut queue.full).upgrade(),
            };
            if !due.deadlines.is_empty() || due.full.is_some() {
                return Some(due);
            }
            let wait = queue.first().map_or(FOREVER, |first| first - now);
            // One wake-up serves the sessions that fall due within the same few milliseconds.
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

impl Queue {
    /// The time of the next deadline.
    fn first(&self) -> Option<Time> {
        self.filed.first_key_value().map(|((at, _), _)| *at)
    }

    fn take_due(&mut self, now: Time) -> Vec<(Time, Weak<LiveSession>)> {
        let mut due = Vec::new();
        while let Some(first) = self.filed.first_entry()
            && first.key().0 <= now
        {
            let ((at, _), session) = first.remove_entry();
            due.push((at, session));
        }
        due
    }
}

fn serve(due: Due) {
    if let Some(common) = due.full
        && catch_unwind(AssertUnwindSafe(|| relief::make_room(&common))).is_err()
    {
        log::error!("a session panicked when it was closed to free memory");
    }
    for (at, session) in due.deadlines {
        // The last one to drop a session drops what the application keeps with it. A panic
        // there must not end the deadlines of all others.
        let serve = AssertUnwindSafe(|| {
            if let Some(session) = session.upgrade() {
                session.tick(at);
            }
        });
        if catch_unwind(serve).is_err() {
            log::error!("a session panicked at its deadline");
        }
    }
}

fn address(session: &LiveSession) -> usize {
    std::ptr::from_ref(session).addr()
}

const COARSENESS: Duration = Duration::from_millis(5);
const FOREVER: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::task::Waker;
    use std::time::Duration;

    use bowline_protocol::{Encoded, Payload};

    use crate::config::Config;
    use crate::node::{Handlers, Hooks, Node};
    use crate::session::Waiting;
    use crate::session::tests::{attach, drain, open, receive};

    #[test]
    fn sessions_that_have_ended_leave_no_deadline() {
        let node = Node::new(Config::default(), Handlers::default(), Hooks::default());
        let gone: Vec<_> = (0..100)
            .map(|_| {
                let session = open(&node);
                let mut downlink = attach(&session, 1);
                receive(&session, 1, "x 1000");
                drain(&mut downlink, Waker::noop());
                Arc::downgrade(&session)
            })
            .collect();
        assert_eq!((node.registry.len(), node.timers.len()), (0, 0));
        assert!(gone.iter().all(|session| session.strong_count() == 0));
    }

    #[test]
    fn a_session_has_one_deadline_however_often_an_earlier_one_is_filed() {
        let node = Node::new(Config::default(), Handlers::default(), Hooks::default());
        let session = open(&node);
        for seconds in (10..60).rev() {
            let (answer, _) = tokio::sync::oneshot::channel();
            let request = Encoded::request("later", &Payload::default()).unwrap();
            let timeout = Duration::from_secs(seconds);
            session.request(request, timeout, Waiting::One(answer)).unwrap();
        }
        assert_eq!(node.timers.len(), 1);
    }
}
