//! Sessions go from one node to another: what a node does with them before it stops.
//!
//! The old owner tells the new one which rooms are about to come. The new one listens to them, and
//! from then on writes down what is said. Then the session is taken out of the old node, in one moment
//! in which nothing is told to members, together with the numbers of what it was told so far; the
//! new node takes it in, in such a moment too, and adds what it has written down beyond these numbers.
//! So everything that is said meanwhile reaches the session once.
//!
//! A broker keeps the order of each channel, and of no two. So the old owner hears a mark of its own on each of
//! the channels before it lets a session go: what the new owner was too late for is told by then. And
//! what the session was told, but the new owner hears later, is not told again (`newcomers`).

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bowline_protocol::{Encoded, NodeId, SessionId};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use super::calls::{Call, Missing, Reply};
use super::figures::count;
use super::peers::node_key;
use super::wire::{Id, Message, Target, To};
use super::{ALL, Cluster, PATIENCE, lock, node_channel, room_channel};
use crate::broker::Entry;
use crate::node::Node;
use crate::session::{LiveSession, Packed, Parted};
use crate::snapshot::Snapshot;

/// A session on its way. Its packets follow, one after another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Luggage {
    #[serde(flatten)]
    pub(super) snapshot: Snapshot,
    /// The place in the new owner's notes at which it was prepared.
    pub(super) mark: u64,
    /// What it was told so far: channels, and for each sender the last number.
    pub(super) told: Told,
}

impl Cluster {
    /// Hands all sessions to other nodes, as far as these take them and handlers come to an end before
    /// the deadline. Returns how many could not be handed over.
    pub(crate) async fn hand_over_all(
        self: &Arc<Self>,
        node: &Arc<Node>,
        deadline: Duration,
    ) -> usize {
        let (done, outcome) = oneshot::channel();
        let (cluster, weak) = (Arc::clone(self), Arc::downgrade(node));
        self.handle.spawn(async move {
            let Some(node) = weak.upgrade() else { return };
            cluster.announce(&node);
            let all = async {
                while node.registry.len() > 0 && cluster.hand_over_some(&node).await {
                    sleep(ROUND).await;
                }
            };
            let _ = timeout(deadline, all).await;
            let _ = done.send(node.registry.len());
        });
        outcome.await.unwrap_or_default()
    }

    /// Takes leave: whatever others have sent to the sessions that were here is sent on before this ends.
    pub(crate) async fn say_goodbye(self: &Arc<Self>) {
        let (done, outcome) = oneshot::channel();
        let cluster = Arc::clone(self);
        self.handle.spawn(async move {
            let _ = timeout(PATIENCE, cluster.wait_for_farewells()).await;
            let _ = timeout(PATIENCE, cluster.wait_for_presence()).await;
            cluster.has_left.store(true, Ordering::Release);
            let _ = cluster.broker.directory(&node_key(cluster.id), Entry::Remove).await;
            // What was sent on is out before anybody sends to where the sessions are now.
            let _ = timeout(PATIENCE, cluster.catch_up(&[cluster.own_channel()])).await;
            let (told, heard) = oneshot::channel();
            cluster.publish(ALL, &Message::Left, &Bytes::new(), 0, false, Some(told));
            let _ = timeout(PATIENCE, heard).await;
            let _ = done.send(());
        });
        let _ = outcome.await;
    }

    async fn wait_for_farewells(self: &Arc<Self>) {
        let mut call = self.call();
        let (told, heard) = oneshot::channel();
        self.publish(ALL, &Message::Leaving, &Bytes::new(), call.number, false, Some(told));
        let mut missing = Missing::new(heard.await.unwrap_or(0));
        while !missing.is_over() {
            match call.replies.recv().await {
                Some(Reply::Echo) => drop(missing.answered(self.id)),
                // Every node listens to this channel: one that is gone is one that has heard it.
                Some(Reply::Gone(node) | Reply::Heard(node, Message::Farewell, _)) => {
                    missing.answered(node);
                }
                Some(Reply::Heard(..)) => {}
                Some(Reply::Down) | None => return,
            }
        }
    }

    /// Waits until everything has gone out that this node has published so far, and is heard by it where
    /// it listens: what others have published on these channels until now was heard before.
    async fn catch_up(self: &Arc<Self>, channels: &[String]) -> Option<()> {
        let mut call = self.call();
        let marks = channels.iter().map(|channel| {
            let (told, out) = oneshot::channel();
            let number = call.number;
            self.publish(channel, &Message::Mark, &Bytes::new(), number, false, Some(told));
            out
        });
        // None of them waits for another one.
        for out in marks.collect::<Vec<_>>() {
            out.await.ok()?;
        }
        for _ in channels {
            while !matches!(call.replies.recv().await?, Reply::Echo) {}
        }
        Some(())
    }

    /// Waits until all who are present and have gone to other nodes are known to be there.
    async fn wait_for_presence(&self) {
        while self.node.upgrade().is_some_and(|node| node.presence.has_moving()) {
            sleep(ROUND).await;
        }
    }

    /// One round. False when there is nobody who takes sessions.
    async fn hand_over_some(self: &Arc<Self>, node: &Arc<Node>) -> bool {
        let takers = lock(&self.peers).takers();
        if takers.is_empty() {
            return false;
        }
        let sessions = node.registry.all();
        let share = sessions.len().div_ceil(takers.len()).max(1);
        let shares = sessions.chunks(share).zip(&takers);
        let each = shares.map(|(sessions, taker)| self.hand_over_to(node, *taker, sessions));
        futures::future::join_all(each).await;
        true
    }

    async fn hand_over_to(
        self: &Arc<Self>,
        node: &Arc<Node>,
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
            let away = some.iter().filter_map(|session| self.send_off(node, &taker, session));
            for sent in away.collect::<Vec<_>>() {
                self.see_through(taker.node, sent).await;
            }
        }
    }

    /// Lets another node listen to these rooms. Returns the place in its notes, when everything that it cannot
    /// have heard has come here.
    async fn prepare(self: &Arc<Self>, taker: NodeId, rooms: &HashSet<Arc<str>>) -> Option<u64> {
        let mut channels: Vec<_> = rooms.iter().map(|room| room_channel(room)).collect();
        channels.push(ALL.to_owned());
        channels.extend(self.presence_channels(rooms));
        let rooms = rooms.iter().map(|room| room.to_string()).collect();
        let mut call = self.call();
        self.send(&node_channel(taker), &Message::Prepare { rooms }, &Bytes::new(), call.number);
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
        node: &Arc<Node>,
        taker: &Taker,
        session: &Arc<LiveSession>,
    ) -> Option<Sent> {
        let call = self.call();
        let mut packed = session.pack().ok()?;
        let mut follows = node.histories.depart(session);
        let alone = self.alone();
        // What it was let follow while this waited.
        follows.extend(node.histories.depart(session));
        let Some((parted, told)) = self.take_out(node, taker, session, &mut packed) else {
            drop(alone);
            self.follow_on(node, session, follows);
            return None;
        };
        let rooms = parted.rooms.clone();
        let moving = node.presence.depart(session.id, &rooms);
        let (snapshot, bytes) = Snapshot::new(session, parted, follows, moving);
        let luggage = Luggage { snapshot, mark: taker.mark, told };
        let message = Message::Hand { luggage: Box::new(luggage) };
        // Published before anybody can send to the session by way of this node.
        self.send(&node_channel(taker.node), &message, &bytes, call.number);
        lock(&self.places).handed_to(session.id, taker.node);
        drop(alone);
        Some(Sent { call, message, bytes, session: session.id })
    }

    /// Takes a session out of this node, and its rooms. `None` if it cannot go now.
    fn take_out(
        &self,
        node: &Arc<Node>,
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
        let told = self.told(&rooms);
        let parted = session.part(packed)?;
        node.rooms.remove(&session.id, &parted.rooms);
        node.registry.remove(session, node.now());
        Some((parted, told))
    }

    /// What the members of these rooms were told so far.
    fn told(&self, rooms: &[Arc<str>]) -> Told {
        let numbers = lock(&self.numbers);
        let channels = rooms.iter().map(|room| room_channel(room)).chain([ALL.to_owned()]);
        let told = channels.map(|channel| {
            let positions = numbers.positions(&channel, self.id).into_iter();
            (channel, positions.map(|(node, last)| (Id(node), last)).collect())
        });
        told.collect()
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
                    return count(&self.counters.handed_over);
                }
                Ok(Some(Reply::Gone(gone))) if gone == taker => break,
                Ok(Some(_)) => continue,
                Ok(None) | Err(_) => {}
            }
            self.send(&node_channel(taker), &sent.message, &sent.bytes, sent.call.number);
        }
        log::error!("session {} was lost on its way to node {taker}", sent.session);
        if let Some(node) = self.node.upgrade() {
            node.presence.give_up(&node, sent.session);
        }
    }

    /// Sends a packet on to a session that was here before. False if it was not.
    pub(crate) fn forward(self: &Arc<Self>, session: SessionId, packet: &Encoded) -> bool {
        let moved = self.handed(session).is_some();
        if moved {
            let to = Target {
                to: To::Session(Id(session)),
                except_rooms: Vec::new(),
                except_sessions: Vec::new(),
            };
            let emit = Message::Emit { to, volatile: false };
            self.tell_session(session, &emit, packet.as_bytes());
        }
        moved
    }
}

/// What was told on some channels: for each sender the last number.
pub(super) type Told = Vec<(String, Vec<(Id<NodeId>, u64)>)>;

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
/// Between two rounds, in which handlers come to an end.
const ROUND: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use super::Luggage;

    /// As builds before snapshots were shared with a store have written it.
    const BEFORE: &str = r#"{"session":"AQEBAQEB.AgICAgICAgICAgIC","secret":"AwMDAwMDAwMDAwMDAwMDAw","key":"BAQEBAQEBAQEBAQEBAQEBA","address":"192.0.2.1","counter":5,"owner":7,"taken":[null,3],"received":9,"confirmed":4,"rooms":["room"],"is_away":true,"values":[["name","\"anna\""]],"packets":[6],"mark":11,"told":[["r:room",[["AQEBAQEB",8]]]],"follows":[["log",{"epoch":"e","offset":2}]],"presence":{"present":[["room","7"]]},"validity":[60000,1000]}"#;

    #[test]
    fn nodes_of_the_version_before_are_understood_and_understand() {
        let luggage: Luggage = serde_json::from_str(BEFORE).unwrap();
        assert_eq!(
            (luggage.mark, luggage.snapshot.counter, luggage.snapshot.window),
            (11, 5, None)
        );
        let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        let written = serde_json::to_string(&luggage).unwrap();
        assert_eq!(value(&written), value(BEFORE));
    }
}
