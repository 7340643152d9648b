//! Sessions come from another node: the receiving half of `handover`.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bowline_protocol::{Close, Encoded, NodeId, SessionId};
use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::sleep;

use super::figures::count;
use super::handover::Luggage;
use super::wire::{Id, Message, Target, To};
use super::{Cluster, lock, room_channel};
use crate::node::Node;
use crate::session::{LiveSession, OpenPhase, Parted};

impl Cluster {
    /// Sessions are about to come: listens to their rooms and writes down what is said.
    pub(super) fn take_prepare(self: &Arc<Self>, asker: (NodeId, u64), rooms: &[String]) {
        // What was heard before this question, its sender has heard before the answer.
        let mark = self.notes.expect(EXPECTED);
        let effective: Vec<_> = rooms
            .iter()
            .map(|room| {
                let (told, effective) = oneshot::channel();
                self.broker.subscribe(&room_channel(room), Some(told));
                effective
            })
            .collect();
        let (cluster, rooms) = (Arc::clone(self), rooms.to_vec());
        self.handle.spawn(async move {
            for effective in effective {
                let _ = effective.await;
            }
            cluster.prepare_presence(&rooms).await;
            cluster.reply(asker, &Message::Prepared { mark }, &Bytes::new());
            sleep(EXPECTED).await;
            cluster.leave_empty(&rooms);
        });
    }

    /// Listens no longer to rooms whose members have not come.
    fn leave_empty(&self, rooms: &[String]) {
        let Some(node) = self.node.upgrade() else { return };
        if self.notes.are_taken() {
            // More are about to come, and will look again.
            return;
        }
        node.presence.expect_nobody(&node);
        for room in rooms {
            node.rooms.if_empty(room, || self.leave(room));
        }
    }

    /// A session comes. The answer waits until the directory knows where it is.
    pub(super) fn take_hand(
        self: &Arc<Self>,
        node: &Arc<Node>,
        asker: (NodeId, u64),
        luggage: Luggage,
        bytes: Bytes,
    ) {
        let Id(session) = luggage.session;
        let key = luggage.key.parse().ok();
        let is_here = node.registry.get(&session).is_some();
        let taken = is_here || self.unpack(node, luggage, bytes).is_some();
        let cluster = Arc::clone(self);
        self.handle.spawn(async move {
            if taken {
                let _ = cluster.place_here(session).await;
                if let Some(key) = &key {
                    cluster.reclaim(key).await;
                }
            }
            cluster.reply(asker, &Message::Handed { taken }, &Bytes::new());
        });
    }

    fn unpack(
        self: &Arc<Self>,
        node: &Arc<Node>,
        mut luggage: Luggage,
        mut bytes: Bytes,
    ) -> Option<()> {
        let Id(id) = luggage.session;
        let secrets = (luggage.secret.parse().ok()?, luggage.key.parse().ok()?);
        let mut kept = Vec::with_capacity(luggage.packets.len());
        for &size in &luggage.packets {
            let packet = (size <= bytes.len()).then(|| bytes.split_to(size))?;
            kept.push(Encoded::from_bytes(packet).ok()?);
        }
        let parted = Parted {
            counter: luggage.counter,
            received: luggage.received,
            confirmed: luggage.confirmed,
            kept,
            rooms: luggage.rooms.iter().map(|room| Arc::from(&**room)).collect(),
            values: std::mem::take(&mut luggage.values),
        };
        let alone = self.alone();
        let session = LiveSession::arrive(node, id, secrets, luggage.address, &parted)?;
        for room in &luggage.rooms {
            // The limits were those of the other node.
            let _ = node.rooms.join(room, &session);
        }
        self.tell_newcomer(&session, &luggage);
        lock(&self.numbers).go_on_from(&luggage.told, self.id);
        lock(&self.places).taken(id);
        count(&self.counters.taken_over);
        drop(alone);
        node.presence.arrive(node, &session, luggage.presence.into());
        session.drive(|state, _| state.set_phase(OpenPhase::Open));
        Some(())
    }

    /// Adds what was said since the old owner told it something for the last time.
    fn tell_newcomer(&self, session: &Arc<LiveSession>, luggage: &Luggage) {
        let rooms = &luggage.rooms;
        let told: HashMap<(&str, NodeId), u64> = luggage
            .told
            .iter()
            .flat_map(|(channel, nodes)| {
                nodes.iter().map(|(Id(node), last)| ((&**channel, *node), *last))
            })
            .collect();
        self.notes.since(luggage.mark, |said| {
            let last = told.get(&(&*said.channel, said.node)).copied().unwrap_or(0);
            if said.ordinal <= last {
                return;
            }
            match &said.message {
                Message::Emit { to, volatile: false } if concerns(to, session.id, rooms) => {
                    if let Ok(packet) = Encoded::from_bytes(said.bytes.clone()) {
                        let _ = session.emit(packet);
                    }
                }
                Message::Disconnect { to, close } if concerns(to, session.id, rooms) => {
                    session.close(Close::from(close.clone()));
                }
                _ => {}
            }
        });
    }
}

/// True if a session that is in these rooms belongs to the target.
fn concerns(target: &Target, session: SessionId, rooms: &[String]) -> bool {
    let is_in = |room: &String| rooms.contains(room);
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
