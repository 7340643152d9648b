//! Which node holds a session.
//!
//! Its id says so, until it was handed over. Then the directory has an entry, which its new owner keeps.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bowline_protocol::{Close, CloseCode, NodeId, OpenKey, Packet, SessionId};
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _, stream};
use tokio::sync::oneshot;
use tokio::time::sleep;

use super::figures::count;
use super::peers::node_key;
use super::wire::Message;
use super::{Cluster, lock, node_channel};
use crate::broker::{Entry, Unavailable};
use crate::node::Node;

/// Sessions that are not where their ids say.
#[derive(Default)]
pub(super) struct Places {
    /// Handed over by this node, which sends on whatever still comes for them.
    handed: HashMap<SessionId, NodeId>,
    /// Where others were last found.
    seen: HashMap<SessionId, NodeId>,
    /// Sessions of other nodes that are here now.
    taken: HashSet<SessionId>,
    /// Messages for sessions that are being looked for, in order.
    waiting: HashMap<SessionId, Vec<(Message, Bytes)>>,
    /// Messages for sessions of nodes that are about to leave: see `Cluster::take_leaving`.
    held: HashMap<NodeId, Vec<(SessionId, Message, Bytes)>>,
    /// Open keys that this node is about to claim, or has claimed for a session that is about to be.
    claiming: HashSet<OpenKey>,
    /// When the entries of the directory were written.
    kept: Option<Instant>,
    /// The claims of open keys are to be written again, too.
    lost: bool,
    /// What has come from nodes that hand over: their numbers for it.
    arrived: HashSet<(NodeId, u64)>,
}

/// Entries of the directory that are to be written.
struct Due {
    sessions: Vec<SessionId>,
    keys: Vec<OpenKey>,
}

/// Where the session of a first line is.
pub(crate) enum Place {
    /// On this node, or about to be.
    Here(Option<Claim>),
    /// On another one.
    There(NodeId),
}

/// An open key that this node has claimed: for as long as this lives, the session is about to be.
pub(crate) struct Claim {
    cluster: Arc<Cluster>,
    key: OpenKey,
}

impl Drop for Claim {
    fn drop(&mut self) {
        lock(&self.cluster.places).claiming.remove(&self.key);
        let is_there = |node: Arc<Node>| node.registry.has_opened(&self.key);
        if !self.cluster.node.upgrade().is_some_and(is_there) {
            self.cluster.disown(self.key);
        }
    }
}

impl Node {
    /// Looks for the session of a first line, where it is not known to be here.
    pub(crate) fn search(
        self: &Arc<Self>,
        first: &Packet,
    ) -> Option<BoxFuture<'static, Result<Place, Close>>> {
        let cluster = Arc::clone(self.cluster.as_ref()?);
        match first {
            Packet::Attach(attach) => {
                let session = attach.session;
                let known = self.registry.get(&session).is_some();
                let gone = session.node() == self.id && cluster.handed(session).is_none();
                (!known && !gone).then(|| async move { cluster.seek(session).await }.boxed())
            }
            Packet::Open(open) if self.registry.by_key(&open.key).is_none() => {
                let key = open.key;
                Some(async move { Ok(cluster.claim(key).await) }.boxed())
            }
            _ => None,
        }
    }

    /// As [`Self::search`], for a session that is named by something else than a first line.
    pub(crate) fn search_session(
        self: &Arc<Self>,
        session: SessionId,
    ) -> Option<BoxFuture<'static, Result<Place, Close>>> {
        let cluster = Arc::clone(self.cluster.as_ref()?);
        let known = self.registry.get(&session).is_some();
        (!known).then(|| async move { cluster.seek(session).await }.boxed())
    }
}

impl Places {
    pub(super) fn handed_to(&mut self, session: SessionId, node: NodeId) {
        self.taken.remove(&session);
        self.handed.insert(session, node);
    }

    pub(super) fn seen_at(&mut self, session: SessionId, node: NodeId) {
        if self.seen.len() >= MAX_SEEN {
            self.seen.clear();
        }
        self.seen.insert(session, node);
    }

    /// The entries of the directory may be gone: they are written again with the next beat.
    pub(super) const fn keep_soon(&mut self) {
        self.kept = None;
        self.lost = true;
    }

    pub(super) fn arrived(&mut self, sent: (NodeId, u64)) {
        self.arrived.insert(sent);
    }

    pub(super) fn has_arrived(&self, sent: (NodeId, u64)) -> bool {
        self.arrived.contains(&sent)
    }

    /// What is due to be written now, if anything.
    fn due(&mut self, node: &Node, now: Instant) -> Option<Due> {
        if self.kept.is_some_and(|kept| now < kept + PLACE_LIFE / 3) {
            return None;
        }
        self.kept = Some(now);
        self.taken.retain(|session| node.registry.get(session).is_some());
        let sessions = self.taken.iter().copied().collect();
        let lost = std::mem::take(&mut self.lost).then(|| node.registry.all());
        let keys = lost.into_iter().flatten().map(|session| session.key).collect();
        Some(Due { sessions, keys })
    }

    pub(super) fn taken(&mut self, session: SessionId) {
        self.handed.remove(&session);
        self.seen.remove(&session);
        self.taken.insert(session);
    }
}

impl Cluster {
    /// Where this node has handed the session.
    pub(crate) fn handed(&self, session: SessionId) -> Option<NodeId> {
        lock(&self.places).handed.get(&session).copied()
    }

    async fn seek(&self, session: SessionId) -> Result<Place, Close> {
        match self.place_of(session).await {
            Ok(Some(node)) => Ok(Place::There(node)),
            // The transport says why.
            Ok(None) => Ok(Place::Here(None)),
            Err(Unavailable) => {
                let reason = "the node that holds the session cannot be reached";
                Err(Close::with_reason(CloseCode::INTERNAL, reason))
            }
        }
    }

    /// Claims an open key for this node, so that an open that is repeated elsewhere finds its session.
    /// Without the directory the key is taken for a new one.
    async fn claim(self: Arc<Self>, key: OpenKey) -> Place {
        lock(&self.places).claiming.insert(key);
        let claim = Claim { cluster: Arc::clone(&self), key };
        let entry = Entry::Claim(self.id.to_string().into(), CLAIM_LIFE);
        let winner = match self.broker.directory(&open_key(&key), entry).await {
            Ok(winner) => winner.and_then(|node| std::str::from_utf8(&node).ok()?.parse().ok()),
            Err(Unavailable) => None,
        };
        match winner {
            Some(node) if node != self.id => match self.lives(node).await {
                Ok(true) => Place::There(node),
                Ok(false) | Err(Unavailable) => {
                    self.reclaim(&key).await;
                    Place::Here(Some(claim))
                }
            },
            _ => Place::Here(Some(claim)),
        }
    }

    /// Takes a claim over from a node that has no use for it.
    pub(super) async fn reclaim(&self, key: &OpenKey) {
        let entry = Entry::Write(self.id.to_string().into(), CLAIM_LIFE);
        let _ = self.broker.directory(&open_key(key), entry).await;
    }

    /// No session has come of this key: the entry would only take room. An open that is repeated elsewhere is a new one.
    pub(crate) fn disown(self: &Arc<Self>, key: OpenKey) {
        let cluster = Arc::clone(self);
        self.handle.spawn(async move {
            let _ = cluster.broker.directory(&open_key(&key), Entry::Remove).await;
        });
    }

    pub(crate) fn is_claiming(&self, key: &OpenKey) -> bool {
        lock(&self.places).claiming.contains(key)
    }

    /// The node that holds the session, `None` when none does. Right after an outage that is not known: the
    /// directory may have lost what nodes have written there, and they have to write it again.
    pub(super) async fn place_of(&self, session: SessionId) -> Result<Option<NodeId>, Unavailable> {
        let home = session.node();
        let known = {
            let places = lock(&self.places);
            let known = [places.handed.get(&session), places.seen.get(&session)];
            let peers = lock(&self.peers);
            known.into_iter().flatten().copied().find(|node| peers.contains(*node))
        };
        if known.is_some() {
            return Ok(known);
        }
        if home != self.id && self.lives(home).await? {
            return Ok(Some(home));
        }
        let entry = self.broker.directory(&session_key(session), Entry::Read).await?;
        let node = entry.and_then(|node| std::str::from_utf8(&node).ok()?.parse().ok());
        let Some(node) = node.filter(|node| *node != self.id) else {
            return self.nowhere(home).await;
        };
        if !self.lives(node).await? {
            return self.nowhere(node).await;
        }
        lock(&self.places).seen_at(session, node);
        Ok(Some(node))
    }

    /// As [`Self::place_of`], for somebody who can wait while nobody can be asked.
    async fn place_in_time(&self, session: SessionId) -> Result<Option<NodeId>, Unavailable> {
        for _ in 0..ATTEMPTS {
            match self.place_of(session).await {
                Err(Unavailable) if !self.is_here(session) => sleep(BETWEEN_ATTEMPTS).await,
                place => return place,
            }
        }
        Err(Unavailable)
    }

    /// A session was lost with its node.
    async fn nowhere(&self, gone: NodeId) -> Result<Option<NodeId>, Unavailable> {
        if lock(&self.peers).are_coming_back(Instant::now()) {
            return Err(Unavailable);
        }
        if gone != self.id {
            // Its client opens a new one as soon as it knows, and what it says there shall not come before the gap.
            self.tell_gone(gone).await?;
        }
        Ok(None)
    }

    /// A node that answers nothing may be one of which this node has not heard yet.
    pub(super) async fn lives(&self, node: NodeId) -> Result<bool, Unavailable> {
        if lock(&self.peers).contains(node) {
            return Ok(true);
        }
        Ok(self.broker.directory(&node_key(node), Entry::Read).await?.is_some())
    }

    /// Forgets where a session was thought to be.
    pub(super) fn misplaced(&self, session: SessionId) {
        lock(&self.places).seen.remove(&session);
    }

    /// Sends a message to the owner of a session, behind those that were sent before. As long as the node
    /// lives that the session began on, messages go there and are sent on: a shorter way would let later
    /// ones overtake.
    pub(super) fn tell_session(
        self: &Arc<Self>,
        session: SessionId,
        message: &Message,
        bytes: &Bytes,
    ) {
        // Locked until it is published, so that nothing slips between a farewell and what it ends.
        let mut places = lock(&self.places);
        let later = (message.clone(), bytes.clone());
        if let Some(waiting) = places.waiting.get_mut(&session) {
            if waiting.len() < MAX_WAITING {
                return waiting.push(later);
            }
            let Some(node) = self.node.upgrade() else { return };
            return self.report_unreachable(&node, session, 1);
        }
        let home = session.node();
        let candidates = [places.handed.get(&session), Some(&home), places.seen.get(&session)];
        let peers = lock(&self.peers);
        let node = candidates.into_iter().flatten().copied().find(|node| peers.contains(*node));
        drop(peers);
        let Some(node) = node else {
            places.waiting.insert(session, vec![later]);
            drop(places);
            self.handle.spawn(deliver_later(Arc::clone(self), session));
            return;
        };
        if let Some(held) = places.held.get_mut(&node) {
            return held.push((session, later.0, later.1));
        }
        let (told, heard) = oneshot::channel();
        self.publish(&node_channel(node), message, bytes, 0, true, Some(told));
        drop(places);
        let cluster = Arc::clone(self);
        self.handle.spawn(async move {
            // Nobody listens there any more, although nothing was said of it.
            if heard.await == Ok(0) {
                cluster.misplaced(session);
                count(&cluster.counters.undelivered);
            }
        });
    }

    /// True for a session that has come here while messages for it may still be on their way over the
    /// node it began on: others take that way too, or they would overtake.
    pub(super) fn is_on_its_way(&self, session: SessionId) -> bool {
        if session.node() == self.id {
            return false;
        }
        let places = lock(&self.places);
        places.waiting.contains_key(&session) || lock(&self.peers).contains(session.node())
    }

    /// A node is about to leave. What is for its sessions is held from now on: the farewell comes behind
    /// everything that was sent there before, so the node has sent all of that on when it is gone.
    pub(super) fn take_leaving(&self, asker: (NodeId, u64)) {
        let mut places = lock(&self.places);
        places.held.entry(asker.0).or_default();
        self.reply(asker, &Message::Farewell, &Bytes::new());
    }

    /// A node is gone: what was held for its sessions goes to where they are now. Forgotten in the same moment,
    /// so that nobody takes a shorter way before it waits there.
    pub(super) fn release(self: &Arc<Self>, gone: NodeId) {
        let mut places = lock(&self.places);
        lock(&self.peers).forget(gone);
        let held = places.held.remove(&gone).unwrap_or_default();
        places.seen.retain(|_, node| *node != gone);
        places.arrived.retain(|(node, _)| *node != gone);
        for (session, message, bytes) in held {
            let waiting = places.waiting.entry(session).or_insert_with(|| {
                self.handle.spawn(deliver_later(Arc::clone(self), session));
                Vec::new()
            });
            waiting.push((message, bytes));
        }
    }

    /// Keeps the entries of sessions that were taken over, beside everything else.
    pub(super) fn keep_places(self: &Arc<Self>, node: &Arc<Node>) {
        let Some(Due { sessions, keys }) = lock(&self.places).due(node, Instant::now()) else {
            return;
        };
        let cluster = Arc::clone(self);
        self.handle.spawn(async move {
            let sessions = stream::iter(sessions);
            let write = async |session| drop(cluster.place_here(session).await);
            sessions.for_each_concurrent(AT_ONCE, write).await;
            let reclaim = async |key| cluster.reclaim(&key).await;
            stream::iter(keys).for_each_concurrent(AT_ONCE, reclaim).await;
        });
    }

    pub(super) async fn place_here(&self, session: SessionId) -> Result<(), Unavailable> {
        let entry = Entry::Write(self.id.to_string().into(), PLACE_LIFE);
        self.broker.directory(&session_key(session), entry).await.map(drop)
    }
}

/// Delivers what has waited for a session, in order. What comes meanwhile waits behind it.
async fn deliver_later(cluster: Arc<Cluster>, session: SessionId) {
    let place = cluster.place_in_time(session).await;
    loop {
        let batch = {
            let mut places = lock(&cluster.places);
            let Some(waiting) = places.waiting.get_mut(&session) else { return };
            if waiting.is_empty() {
                places.waiting.remove(&session);
                return;
            }
            std::mem::take(waiting)
        };
        let Some(node) = cluster.node.upgrade() else { return };
        if place.is_err() && !cluster.is_here(session) {
            cluster.report_unreachable(&node, session, batch.len() as u64);
            continue;
        }
        for (message, bytes) in batch {
            match place {
                _ if cluster.is_here(session) => cluster.take_here(&node, message, bytes),
                Ok(Some(place)) => {
                    cluster.publish(&node_channel(place), &message, &bytes, 0, true, None);
                }
                Ok(None) | Err(_) => count(&cluster.counters.undelivered),
            }
        }
    }
}

fn open_key(key: &OpenKey) -> String {
    format!("k:{}", key.reveal())
}

fn session_key(session: SessionId) -> String {
    format!("s:{session}")
}

/// How long an entry of the directory lives without being kept.
const PLACE_LIFE: Duration = Duration::from_secs(90);
/// How long an open may be repeated on another node.
const CLAIM_LIFE: Duration = Duration::from_secs(600);
const MAX_SEEN: usize = 200_000;
/// Entries that are written at a time.
const AT_ONCE: usize = 64;
/// How often, and with which pauses, a session is looked for: for longer than it takes all nodes to come back
/// after an outage.
const ATTEMPTS: u32 = 40;
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(250);
/// Messages for one session that wait until it is found.
const MAX_WAITING: usize = 1_000;
