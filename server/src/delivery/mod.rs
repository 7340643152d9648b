//! Sends to the sessions of this node: who belongs to a target, and what each of them receives.

mod emitted;
mod membership;
mod request;
mod target;

use std::collections::HashSet;
use std::sync::Arc;
use std::task::Waker;

use bowline_protocol::{Close, Encoded, SessionId};

pub use emitted::Emitted;
pub(crate) use membership::Membership;
pub(crate) use request::{Answers, Forget, ask};
pub(crate) use target::{Target, To};

use crate::rooms::Rooms;
use crate::session::{Common, LiveSession};

/// The way to the sessions of this node.
#[derive(Debug)]
pub(crate) struct Delivery {
    common: Arc<Common>,
    rooms: Arc<Rooms>,
}

impl Delivery {
    pub(crate) const fn new(common: Arc<Common>, rooms: Arc<Rooms>) -> Self {
        Self { common, rooms }
    }

    /// Sends an event. Returns to how many sessions it goes; one whose outbox is full is closed as
    /// a slow consumer and does not count.
    pub(crate) fn emit(&self, target: &Target, packet: &Encoded) -> usize {
        self.emit_and(target, packet, Waker::wake)
    }

    /// As [`Self::emit`]; the carriers that have to be woken are given to `wake`.
    pub(crate) fn emit_and(
        &self,
        target: &Target,
        packet: &Encoded,
        mut wake: impl FnMut(Waker),
    ) -> usize {
        let now = self.common.now();
        let members = match target.whole_room() {
            Some(room) => self.rooms.list(room),
            None => self.members(target).into(),
        };
        let sent = members.iter().filter(|member| member.emit_at(now, packet, &mut wake).is_ok());
        sent.count()
    }

    /// Sends an event that clients that are away or slow may miss. Returns for how many it was
    /// queued.
    pub(crate) fn emit_volatile(&self, target: &Target, packet: &Encoded) -> usize {
        self.members(target).iter().filter(|session| session.emit_volatile(packet)).count()
    }

    /// As [`Self::emit_volatile`]; a waiting event of the same key is dropped.
    pub(crate) fn emit_latest(&self, target: &Target, packet: &Encoded, key: &Arc<str>) -> Emitted {
        let mut emitted = Emitted::default();
        for session in self.members(target) {
            emitted.count(session.emit_latest(packet, key));
        }
        emitted
    }

    /// Ends their sessions.
    pub(crate) fn close(&self, target: &Target, close: &Close) {
        for session in self.members(target) {
            session.close(close.clone());
        }
    }

    pub(crate) fn sessions(&self, target: &Target) -> Vec<SessionId> {
        self.members(target).iter().map(|session| session.id).collect()
    }

    pub(crate) fn members(&self, target: &Target) -> Vec<Arc<LiveSession>> {
        let mut members = Vec::new();
        match &target.to {
            To::All => members = self.common.registry.all(),
            To::Session(id) => members.extend(self.common.registry.get(id)),
            To::Rooms(rooms) => {
                for room in rooms {
                    self.rooms.members(room, &mut members);
                }
                if rooms.len() > 1 {
                    let mut seen = HashSet::new();
                    members.retain(|session| seen.insert(session.id));
                }
            }
        }
        if !target.except_sessions.is_empty() {
            members.retain(|session| !target.except_sessions.contains(&session.id));
        }
        for room in &target.except_rooms {
            members.retain(|session| !self.rooms.contains(room, &session.id));
        }
        members
    }
}
