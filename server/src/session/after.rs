//! What a change of a session calls for, once its lock is released.

use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard};
use std::task::Waker;

use bowline_protocol::{CloseCode, Time};
use bytestring::ByteString;

use super::timers::Deadline;
use super::{LiveSession, State, expiry};
use bowline_protocol::Transport;

/// What has to happen once the lock is released.
#[derive(Default)]
pub(super) struct After {
    pub(super) wake: Option<Waker>,
    pub(super) schedule: Option<Deadline>,
    /// Requests that were refused because they could never be handled.
    pub(super) refused: Vec<ByteString>,
    /// The client is away from now on, or back.
    pub(super) away: Option<bool>,
    /// The client has presented this anew.
    pub(super) refresh: Option<Box<str>>,
    /// Topics whose grants have expired.
    pub(super) expired: Vec<Arc<str>>,
    pub(super) ended: Option<Ended>,
    pub(super) finished: bool,
    pub(super) runners: usize,
}

/// The session is over.
pub(super) struct Ended {
    pub(super) code: CloseCode,
    /// Where it is a member.
    pub(super) rooms: Vec<Arc<str>>,
    /// What served it last.
    pub(super) transport: Option<Transport>,
    /// It goes on, on another node.
    pub(super) has_parted: bool,
    /// It was open and had a carrier.
    pub(super) has_begun: bool,
}

impl LiveSession {
    /// Does what a change calls for.
    #[inline(never)]
    pub(super) fn settle(
        self: &Arc<Self>,
        mut state: MutexGuard<'_, State>,
        now: Time,
        start: fn(&Arc<Self>),
    ) {
        let after = state.settle(&self.common.config, now);
        let is_too_much = state.settle_kept(&self.common.budget, now);
        self.waiting.store(state.waiting(), Ordering::Release);
        drop(state);
        self.follow_up(after, start);
        if is_too_much {
            self.common.timers.make_room(&self.common);
        }
    }

    /// Does it.
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
