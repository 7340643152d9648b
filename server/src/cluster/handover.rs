//! Sessions go from one node to another: what a node does with them before it stops.
//!
//! The old owner tells the new one which rooms are about to come. The new one listens to them, and
//! from then on writes down what is said. Then the session is taken out of the old node, in one moment
//! in which nothing is told to members, together with the numbers of what it was told so far; the
//! new node takes it in, in such a moment too, and adds what it has written down beyond these numbers.
//! So everything that is said meanwhile reaches the session once.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bowline_protocol::{Close, Encoded, NodeId, SessionId};
use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use super::calls::{Call, Reply};
use super::figures::count;
use super::peers::node_key;
use super::wire::{Id, Message, Target, To};
use super::{ALL, Cluster, PATIENCE, lock, node_channel, room_channel};
use crate::broker::Entry;
use crate::node::Node;
use crate::session::{LiveSession, Parted};

/// A session on its way. Its packets follow, one after another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Luggage {
    session: Id<SessionId>,
    secret: String,
    key: String,
    address: Option<IpAddr>,
    counter: u64,
    received: u64,
    confirmed: u64,
    rooms: Vec<String>,
    /// What the application keeps with it: names and JSON.
    values: Vec<(String, String)>,
    /// The sizes of the packets.
    packets: Vec<usize>,
    /// The place in the new owner's notes at which it was prepared.
    mark: u64,
    /// What it was told so far: channels, and for each sender the last number.
    told: Told,
}

/// What is said while sessions are about to come.
#[derive(Default)]
pub(super) struct Arrivals {
    /// Looked at first, because it is nearly always false.
    pub(super) expected: AtomicBool,
    notes: std::sync::Mutex<Notes>,
}

#[derive(Default)]
struct Notes {
    until: Option<Instant>,
    /// The place of the first note.
    first: u64,
    said: Vec<Said>,
}

struct Said {
    channel: Arc<str>,
    node: NodeId,
    ordinal: u64,
    message: Message,
    bytes: Bytes,
}

impl Arrivals {
    /// Writes down what was said, if a session is expected.
    pub(super) fn note(
        &self,
        channel: &str,
        node: NodeId,
        ordinal: u64,
        message: &Message,
        bytes: &Bytes,
    ) {
        if !self.expected.load(Ordering::Acquire) {
            return;
        }
        let mut notes = lock(&self.notes);
        if notes.until.is_none_or(|until| until < Instant::now()) {
            notes.first = notes.next();
            notes.said = Vec::new();
            return self.expected.store(false, Ordering::Release);
        }
        let (message, bytes) = (message.clone(), bytes.clone());
        notes.said.push(Said { channel: channel.into(), node, ordinal, message, bytes });
    }
}

impl Notes {
    /// The place of the next note.
    const fn next(&self) -> u64 {
        self.first + self.said.len() as u64
    }
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
        let told = self.told(&session.look(|state| state.rooms.clone()));
        let parted = session.part(node)?;
        node.rooms.remove(&session.id, &parted.rooms);
        node.registry.remove(session, node.now());
        let (luggage, bytes) = pack(session, parted, mark, told);
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
                    if taken {
                        count(&self.counters.handed_over);
                    }
                    return;
                }
                Ok(Some(Reply::Gone(gone))) if gone == taker => break,
                Ok(Some(_)) => continue,
                Ok(None) | Err(_) => {}
            }
            self.send(&node_channel(taker), &sent.message, &sent.bytes, sent.call.number);
        }
        log::error!("session {} was lost on its way to node {taker}", sent.session);
    }

    /// Sessions are about to come: listens to their rooms and writes down what is said.
    pub(super) fn take_prepare(self: &Arc<Self>, asker: (NodeId, u64), rooms: &[String]) {
        let mut notes = lock(&self.arrivals.notes);
        notes.until = Some(Instant::now() + EXPECTED);
        self.arrivals.expected.store(true, Ordering::Release);
        // What was heard before this question, its sender has heard before the answer.
        let mark = notes.next();
        drop(notes);
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
            cluster.reply(asker, &Message::Prepared { mark }, &Bytes::new());
            sleep(EXPECTED).await;
            cluster.leave_empty(&rooms);
        });
    }

    /// Listens no longer to rooms whose members have not come.
    fn leave_empty(&self, rooms: &[String]) {
        let Some(node) = self.node.upgrade() else { return };
        if lock(&self.arrivals.notes).until.is_some_and(|until| until > Instant::now()) {
            // More are about to come, and will look again.
            return;
        }
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
        session.drive(|state, _| state.set_phase(crate::session::OpenPhase::Open));
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
        let notes = lock(&self.arrivals.notes);
        let since = usize::try_from(luggage.mark.saturating_sub(notes.first)).unwrap_or(usize::MAX);
        for said in notes.said.iter().skip(since) {
            let last = told.get(&(&*said.channel, said.node)).copied().unwrap_or(0);
            if said.ordinal <= last {
                continue;
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
        packets: parted.kept.iter().map(|packet| packet.as_bytes().len()).collect(),
    };
    (luggage, bytes.freeze())
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

/// Sessions for which rooms are prepared together.
const GROUP: usize = 200;
/// How long announced sessions may take to come.
const EXPECTED: Duration = Duration::from_secs(20);
/// How often a session is sent.
const TRIES: usize = 5;
/// Between two rounds, in which handlers come to an end.
const ROUND: Duration = Duration::from_millis(20);
