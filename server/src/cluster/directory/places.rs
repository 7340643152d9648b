//! Which node holds a session.
//!
//! Its id names that node, until it was handed over. Then the directory has an entry, which its new
//! owner keeps.

#![expect(clippy::disallowed_methods, reason = "a task of the cluster, for no session that idles")]

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bowline_protocol::{NodeId, OpenKey, SessionId};
use bytes::Bytes;
use futures::{StreamExt as _, stream};

use super::Directory;
use super::peers::node_key;
use crate::broker::{Entry, Unavailable};
use crate::cluster::bus::wire::Message;
use crate::local::Local;
use crate::locks::lock;

/// Sessions that are not where their ids say.
#[derive(Default)]
pub(super) struct Places {
    /// Handed over by this node, which sends on whatever still comes for them.
    pub(super) handed: HashMap<SessionId, NodeId>,
    /// Where others were last found.
    pub(super) seen: HashMap<SessionId, NodeId>,
    /// Sessions of other nodes that are here now.
    taken: HashSet<SessionId>,
    /// Messages for sessions that are being looked for, in order.
    pub(super) waiting: HashMap<SessionId, Vec<(Message, Bytes)>>,
    /// Messages for sessions of nodes that are about to leave: see `Directory::take_leaving`.
    pub(super) held: HashMap<NodeId, Vec<(SessionId, Message, Bytes)>>,
    /// Open keys that this node is about to claim, or has claimed for a session that is about to
    /// be.
    pub(super) claiming: HashSet<OpenKey>,
    /// When the entries of the directory were written.
    kept: Option<Instant>,
    /// The claims of open keys are to be written again, too.
    lost: bool,
}

/// Entries of the directory that are to be written.
struct Due {
    sessions: Vec<SessionId>,
    keys: Vec<OpenKey>,
}

impl Places {
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

    /// What is due to be written now, if anything.
    fn due(&mut self, local: &Local, now: Instant) -> Option<Due> {
        if self.kept.is_some_and(|kept| now < kept + PLACE_LIFE / 3) {
            return None;
        }
        self.kept = Some(now);
        self.taken.retain(|session| local.registry.get(session).is_some());
        let sessions = self.taken.iter().copied().collect();
        let lost = std::mem::take(&mut self.lost).then(|| local.registry.all());
        let keys = lost.into_iter().flatten().map(|session| session.key).collect();
        Some(Due { sessions, keys })
    }
}

impl Directory {
    /// Where this node has handed the session.
    pub(crate) fn handed(&self, session: SessionId) -> Option<NodeId> {
        lock(&self.places).handed.get(&session).copied()
    }

    /// Where a session is that was here.
    pub(crate) fn moved(&self, session: SessionId) -> Option<NodeId> {
        self.handed(session).filter(|_| !self.host.is_here(session))
    }

    /// This node has handed the session over.
    pub(crate) fn handed_to(&self, session: SessionId, node: NodeId) {
        let mut places = lock(&self.places);
        places.taken.remove(&session);
        places.handed.insert(session, node);
    }

    /// This node has taken the session over.
    pub(crate) fn taken(&self, session: SessionId) {
        let mut places = lock(&self.places);
        places.handed.remove(&session);
        places.seen.remove(&session);
        places.taken.insert(session);
    }

    /// Another node has named the one that holds the session.
    pub(crate) fn seen_at(&self, session: SessionId, node: NodeId) {
        lock(&self.places).seen_at(session, node);
    }

    /// The node that holds the session, `None` when none does. Right after an outage that is not
    /// known: the directory may have lost what nodes have written there, and they have to write it
    /// again.
    pub(crate) async fn place_of(&self, session: SessionId) -> Result<Option<NodeId>, Unavailable> {
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
        if home != self.bus.id && self.lives(home).await? {
            return Ok(Some(home));
        }
        let entry = self.bus.broker.directory(&session_key(session), Entry::Read).await?;
        let node = entry.and_then(|node| std::str::from_utf8(&node).ok()?.parse().ok());
        let Some(node) = node.filter(|node| *node != self.bus.id) else {
            return self.nowhere(home).await;
        };
        if !self.lives(node).await? {
            return self.nowhere(node).await;
        }
        lock(&self.places).seen_at(session, node);
        Ok(Some(node))
    }

    /// A session was lost with its node.
    async fn nowhere(&self, gone: NodeId) -> Result<Option<NodeId>, Unavailable> {
        if lock(&self.peers).are_coming_back(Instant::now()) {
            return Err(Unavailable);
        }
        if gone != self.bus.id {
            // Its client opens a new one as soon as it knows, and what it sends there must not
            // arrive before the gap.
            self.tell_gone(gone).await?;
        }
        Ok(None)
    }

    /// A node that answers nothing may be one that this node does not know yet.
    pub(crate) async fn lives(&self, node: NodeId) -> Result<bool, Unavailable> {
        if lock(&self.peers).contains(node) {
            return Ok(true);
        }
        Ok(self.bus.broker.directory(&node_key(node), Entry::Read).await?.is_some())
    }

    /// Forgets where a session was thought to be.
    pub(crate) fn misplaced(&self, session: SessionId) {
        lock(&self.places).seen.remove(&session);
    }

    /// Keeps the entries of sessions that were taken over, beside everything else.
    pub(crate) fn keep_places(self: &Arc<Self>, local: &Arc<Local>) {
        let Some(Due { sessions, keys }) = lock(&self.places).due(local, Instant::now()) else {
            return;
        };
        let directory = Arc::clone(self);
        self.bus.handle.spawn(async move {
            let sessions = stream::iter(sessions);
            let write = async |session| drop(directory.place_here(session).await);
            sessions.for_each_concurrent(AT_ONCE, write).await;
            let reclaim = async |key| directory.reclaim(&key).await;
            stream::iter(keys).for_each_concurrent(AT_ONCE, reclaim).await;
        });
    }

    pub(crate) async fn place_here(&self, session: SessionId) -> Result<(), Unavailable> {
        let entry = Entry::Write(self.bus.id.to_string().into(), PLACE_LIFE);
        self.bus.broker.directory(&session_key(session), entry).await.map(drop)
    }
}

fn session_key(session: SessionId) -> String {
    format!("s:{session}")
}

/// How long an entry of the directory lives without being kept.
const PLACE_LIFE: Duration = Duration::from_secs(90);
const MAX_SEEN: usize = 200_000;
/// Entries that are written at a time.
const AT_ONCE: usize = 64;
