//! What a node does with its sessions before it stops: the sending half of a handover.

#![expect(clippy::disallowed_methods, reason = "a task of the cluster, for no session that idles")]

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bowline_protocol::{NodeId, SessionId};
use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use super::{Handover, ROUND};
use crate::cluster::PATIENCE;
use crate::cluster::bus::wire::{Luggage, Message, Told};
use crate::cluster::bus::{ALL, Call, Reply, room_channel};
use crate::local::Local;
use crate::session::{LiveSession, Packed, Parted};
use crate::snapshot::Snapshot;

impl Handover {
    /// Hands all sessions to other nodes, as far as these take them and handlers come to an end
    /// before the deadline. Returns how many could not be handed over.
    pub(crate) async fn hand_over_all(
        self: &Arc<Self>,
        local: &Arc<Local>,
        deadline: Duration,
    ) -> usize {
        let (done, outcome) = oneshot::channel();
        let (handover, weak) = (Arc::clone(self), Arc::downgrade(local));
        self.bus.handle.spawn(async move {
            let Some(local) = weak.upgrade() else { return };
            handover.directory.announce(&local);
            let all = async {
                while local.registry.len() > 0 && handover.hand_over_some(&local).await {
                    sleep(ROUND).await;
                }
            };
            let _ = timeout(deadline, all).await;
            let _ = done.send(local.registry.len());
        });
        outcome.await.unwrap_or_default()
    }

    /// One round. False when there is nobody who takes sessions.
    async fn hand_over_some(self: &Arc<Self>, local: &Arc<Local>) -> bool {
        let takers = self.directory.takers();
        if takers.is_empty() {
            return false;
        }
        let sessions = local.registry.all();
        let share = sessions.len().div_ceil(takers.len()).max(1);
        let shares = sessions.chunks(share).zip(&takers);
        let each = shares.map(|(sessions, taker)| self.hand_over_to(local, *taker, sessions));
        futures::future::join_all(each).await;
        true
    }

    async fn hand_over_to(
        self: &Arc<Self>,
        local: &Arc<Local>,
        taker: NodeId,
        sessions: &[Arc<LiveSession>],
    ) {
        for some in sessions.chunks(GROUP) {
            let mut rooms = HashSet::new();
            for session in some {
                session.look(|state| rooms.extend(state.rooms.iter().cloned()));
            }
            let Some(mark) = self.prepare(taker, &rooms).await else { return };
            let taker = Taker { node: taker, mark, rooms };
            let away = some.iter().filter_map(|session| self.send_off(local, &taker, session));
            for sent in away.collect::<Vec<_>>() {
                self.see_through(taker.node, sent).await;
            }
        }
    }

    /// Lets another node listen to these rooms. Returns the place in its notes, when everything
    /// that it cannot have received has arrived here.
    async fn prepare(self: &Arc<Self>, taker: NodeId, rooms: &HashSet<Arc<str>>) -> Option<u64> {
        let mut channels: Vec<_> = rooms.iter().map(|room| room_channel(room)).collect();
        channels.push(ALL.to_owned());
        channels.extend(self.presence.channels(rooms));
        let rooms = rooms.iter().map(|room| room.to_string()).collect();
        let mut call = self.bus.call();
        call.send(taker, &Message::Prepare { rooms });
        let prepared = async {
            loop {
                match call.replies.recv().await? {
                    Reply::Heard(_, Message::Prepared { mark }, _) => return Some(mark),
                    Reply::Gone(gone) if gone == taker => return None,
                    Reply::Down => return None,
                    _ => {}
                }
            }
        };
        let mark = timeout(PATIENCE, prepared).await.ok()??;
        timeout(PATIENCE, self.catch_up(&channels)).await.ok()??;
        Some(mark)
    }

    /// Takes a session out of this node and sends it. `None` if it cannot go now.
    fn send_off(
        self: &Arc<Self>,
        local: &Arc<Local>,
        taker: &Taker,
        session: &Arc<LiveSession>,
    ) -> Option<Sent> {
        let call = self.bus.call();
        let mut packed = session.pack().ok()?;
        let mut follows = local.histories.depart(session);
        let alone = self.bus.alone();
        // What it was let follow while this waited.
        follows.extend(local.histories.depart(session));
        let Some((parted, told)) = self.take_out(local, taker, session, &mut packed) else {
            drop(alone);
            self.follow_on(local, session, follows);
            return None;
        };
        let rooms = parted.rooms.clone();
        let moving = local.presence.depart(session.id, &rooms);
        let (snapshot, bytes) = Snapshot::new(session, parted, follows, moving);
        let luggage = Luggage { snapshot, mark: taker.mark, told };
        let message = Message::Hand { luggage: Box::new(luggage) };
        // Published before anybody can send to the session by way of this node.
        call.send_with(taker.node, &message, &bytes);
        self.directory.handed_to(session.id, taker.node);
        drop(alone);
        Some(Sent { call, message, bytes, session: session.id })
    }

    /// Takes a session out of this node, and its rooms. `None` if it cannot go now.
    fn take_out(
        &self,
        local: &Arc<Local>,
        taker: &Taker,
        session: &Arc<LiveSession>,
        packed: &mut Packed,
    ) -> Option<(Parted, Told)> {
        let rooms: Vec<_> = session.look(|state| state.rooms.iter().cloned().collect());
        if !rooms.iter().all(|room| taker.rooms.contains(room)) {
            // It has entered a room that the other node does not listen to: with the next round.
            return None;
        }
        // Before it leaves its rooms, of which nobody may be left to count for.
        let told = self.bus.told(&rooms);
        let parted = session.part(packed)?;
        local.rooms.remove(&session.id, &parted.rooms);
        local.registry.remove(session, local.now());
        Some((parted, told))
    }

    /// Sends a session again until it has arrived.
    async fn see_through(&self, taker: NodeId, mut sent: Sent) {
        for _ in 0..TRIES {
            let reply = timeout(PATIENCE, sent.call.replies.recv()).await;
            match reply {
                Ok(Some(Reply::Heard(_, Message::Handed { taken }, _))) => {
                    if !taken {
                        break;
                    }
                    return self.handed_over.count();
                }
                Ok(Some(Reply::Gone(gone))) if gone == taker => break,
                Ok(Some(_)) => continue,
                Ok(None) | Err(_) => {}
            }
            sent.call.send_with(taker, &sent.message, &sent.bytes);
        }
        log::error!("session {} was lost on its way to node {taker}", sent.session);
        if let Some(local) = self.host.local() {
            local.presence.give_up(sent.session);
        }
    }
}

/// A node that has prepared itself for sessions that are in these rooms.
struct Taker {
    node: NodeId,
    mark: u64,
    rooms: HashSet<Arc<str>>,
}

/// A session that was sent and has not arrived yet.
struct Sent {
    call: Call,
    message: Message,
    bytes: Bytes,
    session: SessionId,
}

/// Sessions for which rooms are prepared together.
const GROUP: usize = 200;
/// How often a session is sent.
const TRIES: usize = 5;
