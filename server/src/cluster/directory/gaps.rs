//! Reports what was lost between nodes, to the application and to the clients.
//!
//! The bus finds a hole in the numbers of a sender. Whom it concerns depends on the channel.

#![expect(clippy::disallowed_methods, reason = "a task of the cluster, for no session that idles")]

use std::sync::Arc;

use bowline_protocol::{NodeId, SessionId};

use super::Directory;
use crate::cluster::bus::{ALL, room_channel};
use crate::delivery::{Target, To};
use crate::gap::{Gap, GapScope};
use crate::local::Local;
use crate::names::{split_room, user_of};
use crate::session::{Common, LiveSession};

impl Directory {
    /// A node states its last numbers.
    pub(crate) fn take_positions(
        &self,
        local: &Arc<Local>,
        from: NodeId,
        channels: Vec<(String, u64)>,
    ) {
        for (channel, last) in channels {
            let missed = self.bus.missed_up_to(&channel, from, last);
            if missed != Some(0) {
                self.report(local, &channel, missed);
            }
        }
    }

    /// A node is gone, and with it what it was about to send. For which sessions is not known: it
    /// may have sent to a room for the first time.
    pub(crate) fn report_loss_of(&self, local: &Arc<Local>, gone: NodeId) {
        self.bus.forget_numbers_of(gone);
        self.report(local, ALL, None);
    }

    /// Something that was sent to a room is lost.
    pub(crate) fn report_room(&self, local: &Arc<Local>, room: &str, missed: Option<u64>) {
        self.report(local, &room_channel(room), missed);
    }

    /// Notifies the application and the clients.
    pub(crate) fn report(&self, local: &Arc<Local>, channel: &str, missed: Option<u64>) {
        let everyone = || Target::new(To::All);
        let (scope, target) = match channel.strip_prefix("r:") {
            Some(room) => (scope_of(split_room(room).1), Target::room(room)),
            None if channel == ALL => (GapScope::Everyone, everyone()),
            None => (GapScope::Sessions, everyone()),
        };
        let room = channel.strip_prefix("r:").unwrap_or_default();
        let namespace = split_room(room).0.map(str::to_owned);
        let gap = Gap { namespace, scope, missed };
        local.delivery.emit(&target, &gap.packet());
        self.tell_application(&local.common, gap);
    }

    /// Messages to a session were given up, because nobody could be asked where it is.
    pub(crate) fn report_unreachable(&self, local: &Arc<Local>, session: SessionId, missed: u64) {
        let gap = Gap::new(GapScope::Session(session), Some(missed));
        self.tell_application(&local.common, gap);
    }

    /// A session that arrived here received nothing for a while, and it is not known what it has
    /// missed.
    pub(crate) fn report_newcomer(&self, session: &Arc<LiveSession>) {
        let gap = Gap::new(GapScope::Session(session.id), None);
        let _ = session.emit(&gap.packet());
        self.tell_application(&session.common, gap);
    }

    /// Later, because the hook may emit, and the gate is held here.
    fn tell_application(&self, common: &Arc<Common>, gap: Gap) {
        self.gaps.count();
        log::warn!("messages of other nodes were lost: {gap:?}");
        let common = Arc::clone(common);
        self.bus.handle.spawn(async move {
            if let Some(hook) = &common.config.on_gap {
                (hook.0)(&gap);
            }
        });
    }
}

/// The scope of a room, by the name that it has in its namespace.
fn scope_of(room: &str) -> GapScope {
    match user_of(room) {
        Some(user) => GapScope::User(user.to_owned()),
        None if room.is_empty() => GapScope::Everyone,
        None => GapScope::Room(room.to_owned()),
    }
}
