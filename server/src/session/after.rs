//! Effects of a change of a session, which run once its lock is released.

use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard};
use std::task::Waker;

use bowline_protocol::{CloseCode, Time};
use bytestring::ByteString;

use super::timers::Deadline;
use super::{LiveSession, State, expiry};
use bowline_protocol::Transport;

/// The effects that run once the lock is released.
#[derive(Default)]
pub(super) struct After {
    pub(super) wake: Option<Waker>,
    pub(super) schedule: Option<Deadline>,
    /// Requests that the core refused because no handler could ever have handled them.
    pub(super) refused: Vec<ByteString>,
    /// The new authentication that the client has presented.
    pub(super) away: Option<bool>,
    /// The new authentication that the client has presented.
    pub(super) refresh: Option<Box<str>>,
    /// Topics whose grants have expired.
    pub(super) expired: Vec<Arc<str>>,
    pub(super) ended: Option<Ended>,
    pub(super) finished: bool,
    pub(super) runners: usize,
}

/// Describes the end of a session.
pub(super) struct Ended {
    pub(super) code: CloseCode,
    /// The rooms of which the session is a member.
    pub(super) rooms: Vec<Arc<str>>,
    /// The transport of its last carrier.
    pub(super) transport: Option<Transport>,
    /// The session was open and had a carrier.
    pub(super) has_parted: bool,
    /// The session was open and had a carrier.
    pub(super) has_begun: bool,
}

impl LiveSession {
    /// Releases the lock and runs the effects of a change.
    #[inline(never)]
    pub(super) fn settle(
        self: &Arc<Self>,
        mut state: MutexGuard<'_, State>,
        now: Time,
        start: fn(&Arc<Self>),
    ) {
        let after = state.settle(&self.common.config, now);
        if state.streams.is_some() {
            return self.settle_with_streams(state, after, now, start);
        }
        let is_too_much = state.settle_kept(&self.common.budget, now);
        self.waiting.store(state.waiting(), Ordering::Release);
        drop(state);
        self.follow_up(after, start);
        if is_too_much {
            self.common.timers.make_room(&self.common);
        }
    }

    /// The same for a session with streams: their items count, and their tasks are woken.
    #[cold]
    fn settle_with_streams(
        self: &Arc<Self>,
        mut state: MutexGuard<'_, State>,
        after: After,
        now: Time,
        start: fn(&Arc<Self>),
    ) {
        let woken = state.settle_streams();
        let is_too_much = state.count_kept(&self.common.budget, now);
        self.waiting.store(state.waiting(), Ordering::Release);
        drop(state);
        woken.into_iter().for_each(Waker::wake);
        self.follow_up(after, start);
        if is_too_much {
            self.common.timers.make_room(&self.common);
        }
    }

    /// Runs the effects, without the lock.
    pub(super) fn follow_up(self: &Arc<Self>, after: After, start: fn(&Arc<Self>)) {
        if let Some(deadline) = after.schedule {
            self.common.timers.file(deadline, self);
        }
        if let Some(waker) = after.wake {
            waker.wake();
        }
        self.complain_of_stuck(&after.refused);
        if let Some(away) = after.away {
            self.around.set_away(self.id, away);
        }
        if let Some(auth) = after.refresh {
            expiry::refresh(self, auth);
        }
        for topic in &after.expired {
            self.around.grant_expired(self, topic);
        }
        if let Some(ended) = after.ended {
            self.report_end(&ended);
            self.around.ended(self.id, &ended.rooms, ended.has_parted);
        }
        if after.finished {
            self.common.registry.remove(self, self.common.now());
        }
        for _ in 0..after.runners {
            start(self);
        }
    }
}
