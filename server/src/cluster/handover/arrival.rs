//! Sessions come from another node: the receiving half of a handover.

#![expect(clippy::disallowed_methods, reason = "a task of the cluster, for no session that idles")]

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bowline_protocol::{Close, Encoded, NodeId, SessionId, Since};
use bytes::Bytes;
use tokio::time::sleep;

use super::Handover;
use crate::cluster::bus::wire::{Id, Luggage, Message, Target, To, Told};
use crate::cluster::bus::{Asker, room_channel};
use crate::local::Local;
use crate::locks::lock;
use crate::session::{self, LiveSession, OpenPhase};
use crate::snapshot::{Follows, Unpacked};

impl Handover {
    /// Sessions are about to come: listens to their rooms and writes down what is said.
    pub(crate) fn take_prepare(self: &Arc<Self>, asker: Asker, rooms: &[String]) {
        // The asker receives what was sent before, here or elsewhere, before it lets a session go.
        let mark = self.bus.expect(EXPECTED);
        let effective: Vec<_> =
            rooms.iter().map(|room| self.bus.subscribe_effectively(&room_channel(room))).collect();
        let (handover, rooms) = (Arc::clone(self), rooms.to_vec());
        self.bus.handle.spawn(async move {
            for effective in effective {
                let _ = effective.await;
            }
            handover.presence.prepare(&rooms).await;
            handover.bus.reply(asker, &Message::Prepared { mark });
            sleep(EXPECTED).await;
            handover.leave_empty(&rooms);
        });
    }

    /// Listens no longer to rooms whose members have not come.
    fn leave_empty(&self, rooms: &[String]) {
        let Some(local) = self.host.local() else { return };
        if self.bus.is_expecting() {
            // More are about to come, and will look again.
            return;
        }
        local.presence.expect_nobody();
        for room in rooms {
            local.rooms.if_empty(room, || self.presence.leave(room));
        }
    }

    /// A session comes. The answer waits until the directory knows where it is.
    pub(crate) fn take_hand(
        self: &Arc<Self>,
        local: &Arc<Local>,
        asker: Asker,
        luggage: Luggage,
        bytes: Bytes,
    ) {
        let Id(session) = luggage.snapshot.session;
        let key = luggage.snapshot.key.0.parse().ok();
        // It may have come, and be over since: what is sent again is no new session.
        let is_known = lock(&self.arrived).contains(&asker) || self.host.is_here(session);
        let taken = is_known || self.unpack(local, luggage, bytes).is_some();
        if taken {
            lock(&self.arrived).insert(asker);
        }
        let handover = Arc::clone(self);
        self.bus.handle.spawn(async move {
            if taken {
                let _ = handover.directory.place_here(session).await;
                if let Some(key) = &key {
                    handover.directory.reclaim(key).await;
                }
            }
            handover.bus.reply(asker, &Message::Handed { taken });
        });
    }

    fn unpack(self: &Arc<Self>, local: &Arc<Local>, luggage: Luggage, bytes: Bytes) -> Option<()> {
        let Luggage { snapshot, mark, told } = luggage;
        let Unpacked { id, secrets, address, parted, follows, moving } = snapshot.unpack(bytes)?;
        let values = session::unpack(&local.config, id, &parted.values);
        let alone = self.bus.alone();
        let session = LiveSession::arrive(
            &local.common,
            local.surroundings()?,
            id,
            secrets,
            address,
            &parted,
            values,
        )?;
        for room in &parted.rooms {
            // The limits were those of the other node.
            let _ = local.rooms.join(room, &session);
        }
        local.expire_arrived(&session, &parted.grants);
        if !self.tell_newcomer(local, &session, (&parted.rooms, mark, &told)) {
            self.directory.report_newcomer(&session);
        }
        self.bus.go_on_from(&told);
        self.newcomers.arrived(id, &told, Instant::now());
        self.directory.taken(id);
        self.taken_over.count();
        drop(alone);
        local.presence.arrive(&session, moving);
        session.drive(|state, _| state.set_phase(OpenPhase::Open));
        self.follow_on(local, &session, follows);
        Some(())
    }

    /// A session goes on here that an earlier process has stored. What others have said meanwhile
    /// nobody has kept for it.
    pub(crate) fn take_stored(self: &Arc<Self>, session: &Arc<LiveSession>) {
        self.directory.taken(session.id);
        self.directory.report_newcomer(session);
        let (directory, id, key) = (Arc::clone(&self.directory), session.id, session.key);
        self.bus.handle.spawn(async move {
            let _ = directory.place_here(id).await;
            directory.reclaim(&key).await;
        });
    }

    /// A session goes on to follow histories from where it was.
    pub(crate) fn follow_on(
        &self,
        local: &Arc<Local>,
        session: &Arc<LiveSession>,
        follows: Follows,
    ) {
        for (room, at) in follows {
            let (local, session) = (Arc::clone(local), Arc::clone(session));
            self.bus.handle.spawn(async move {
                let is_topic = session.look(|state| state.is_granted(&room));
                if !local.rooms.contains(&room, &session.id) {
                    return;
                }
                let followed = local.histories.follow(&room, &session, &Since::After(at)).await;
                // The grant may have ended while the log was read: it is followed no longer then.
                if is_topic && local.leave_ungranted(&session, &room) {
                    return;
                }
                let has_all = followed.is_ok_and(|recovered| recovered.missing.is_none());
                if !has_all && session.look(|state| state.core.closed().is_none()) {
                    local.histories.report(&room, None);
                }
            });
        }
    }

    /// Adds what was sent since the session last received something on its old node. False if some
    /// of that is not known any more.
    fn tell_newcomer(
        &self,
        local: &Local,
        session: &Arc<LiveSession>,
        (rooms, mark, told): (&[Arc<str>], u64, &Told),
    ) -> bool {
        let told: HashMap<(&str, NodeId), u64> = told
            .iter()
            .flat_map(|(channel, nodes)| {
                nodes.iter().map(|(Id(node), last)| ((&**channel, *node), *last))
            })
            .collect();
        self.bus.notes_since(mark, |said| {
            let last = told.get(&(&*said.channel, said.node)).copied().unwrap_or(0);
            if said.ordinal <= last {
                return;
            }
            match &said.message {
                Message::Emit { to, volatile: false, .. } if concerns(to, session.id, rooms) => {
                    if let Ok(packet) = Encoded::from_bytes(said.bytes.clone()) {
                        let _ = session.emit(&packet);
                    }
                }
                Message::Disconnect { to, close } if concerns(to, session.id, rooms) => {
                    session.close(Close::from(close.clone()));
                }
                Message::Membership { to, change, room } if concerns(to, session.id, rooms) => {
                    local.change_of(session, *change, room);
                }
                _ => {}
            }
        })
    }
}

/// True if a session that is in these rooms belongs to the target.
fn concerns(target: &Target, session: SessionId, rooms: &[Arc<str>]) -> bool {
    let is_in = |room: &String| rooms.iter().any(|known| **known == **room);
    let meant = match &target.to {
        To::All => true,
        To::Rooms(to) => to.iter().any(is_in),
        // These go to the node that held it, which sends them on.
        To::Session(_) => false,
    };
    meant
        && !target.except_rooms.iter().any(is_in)
        && !target.except_sessions.contains(&Id(session))
}

/// How long announced sessions may take to come.
const EXPECTED: Duration = Duration::from_secs(20);
