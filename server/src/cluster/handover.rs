//! Sessions go from one node to another: what a node does with them before it stops.
//!
//! The old owner tells the new one which rooms are about to come. The new one listens to them, and
//! from then on writes down what is said. Then the session is taken out of the old node, in one moment
//! in which nothing is told to members, together with the numbers of what it was told so far; the
//! new node takes it in, in such a moment too, and adds what it has written down beyond these numbers.
//! So everything that is said meanwhile reaches the session once.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bowline_protocol::{Encoded, NodeId, SessionId};
use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use super::calls::{Call, Reply};
use super::figures::count;
use super::peers::node_key;
use super::presence::Belongings;
use super::wire::{Id, Message, Target, To};
use super::{ALL, Cluster, PATIENCE, lock, node_channel, room_channel};
use crate::broker::Entry;
use crate::node::Node;
use crate::session::{LiveSession, Parted};

/// A session on its way. Its packets follow, one after another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Luggage {
    pub(super) session: Id<SessionId>,
    pub(super) secret: String,
    pub(super) key: String,
    pub(super) address: Option<IpAddr>,
    pub(super) counter: u64,
    pub(super) received: u64,
    pub(super) confirmed: u64,
    pub(super) rooms: Vec<String>,
    /// What the application keeps with it: names and JSON.
    pub(super) values: Vec<(String, String)>,
    /// The sizes of the packets.
    pub(super) packets: Vec<usize>,
    /// The place in the new owner's notes at which it was prepared.
    pub(super) mark: u64,
    /// What it was told so far: channels, and for each sender the last number.
    pub(super) told: Told,
    #[serde(default)]
    pub(super) presence: Belongings,
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
        let mut missing = heard.await.unwrap_or(0);
        while missing > 0 {
            match call.replies.recv().await {
                Some(Reply::Echo | Reply::Gone(_) | Reply::Heard(_, Message::Farewell, _)) => {
                    missing -= 1;
                }
                Some(Reply::Heard(..)) => {}
                Some(Reply::Down) | None => return,
            }
        }
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
            let mut rooms: Vec<String> = Vec::new();
            for session in some {
                session.look(|state| rooms.extend(state.rooms.iter().map(|room| room.to_string())));
            }
            rooms.sort_unstable();
            rooms.dedup();
            let mut call = self.call();
            self.send(
                &node_channel(taker),
                &Message::Prepare { rooms },
                &Bytes::new(),
                call.number,
            );
            let prepared = timeout(PATIENCE, call.replies.recv()).await;
            let Ok(Some(Reply::Heard(_, Message::Prepared { mark }, _))) = prepared else { return };
            let away: Vec<_> = some
                .iter()
                .filter_map(|session| self.send_off(node, (taker, mark), session))
                .collect();
            for sent in away {
                self.see_through(taker, sent).await;
            }
        }
    }

    /// Takes a session out of this node and sends it. `None` if it cannot go now.
    fn send_off(
        self: &Arc<Self>,
        node: &Arc<Node>,
        (taker, mark): (NodeId, u64),
        session: &Arc<LiveSession>,
    ) -> Option<Sent> {
        let call = self.call();
        let alone = self.alone();
        // Before it leaves its rooms, of which nobody may be left to count for.
        let rooms = session.look(|state| state.rooms.clone());
        let told = self.told(&rooms);
        let parted = session.part(node)?;
        node.rooms.remove(&session.id, &parted.rooms);
        node.registry.remove(session, node.now());
        let (mut luggage, bytes) = pack(session, parted, mark, told);
        luggage.presence = node.presence.depart(session.id, &rooms).into();
        let message = Message::Hand { luggage: Box::new(luggage) };
        // Published before anybody can send to the session by way of this node.
        self.send(&node_channel(taker), &message, &bytes, call.number);
        lock(&self.places).handed_to(session.id, taker);
        drop(alone);
        Some(Sent { call, message, bytes, session: session.id })
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

/// A session that was sent and has not arrived yet.
struct Sent {
    call: Call,
    message: Message,
    bytes: Bytes,
    session: SessionId,
}

fn pack(session: &LiveSession, parted: Parted, mark: u64, told: Told) -> (Luggage, Bytes) {
    let mut bytes = BytesMut::new();
    parted.kept.iter().for_each(|packet| bytes.extend_from_slice(packet.as_bytes()));
    let luggage = Luggage {
        session: Id(session.id),
        secret: session.secret.reveal(),
        key: session.key.reveal(),
        address: session.address,
        counter: parted.counter,
        received: parted.received,
        confirmed: parted.confirmed,
        mark,
        told,
        rooms: parted.rooms.iter().map(|room| room.to_string()).collect(),
        values: parted.values,
        presence: Belongings::default(),
        packets: parted.kept.iter().map(|packet| packet.as_bytes().len()).collect(),
    };
    (luggage, bytes.freeze())
}

/// Sessions for which rooms are prepared together.
const GROUP: usize = 200;
/// How often a session is sent.
const TRIES: usize = 5;
/// Between two rounds, in which handlers come to an end.
const ROUND: Duration = Duration::from_millis(20);
