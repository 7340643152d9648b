//! Looks for the session of a client that comes, and claims the key of one that opens.

#![expect(clippy::disallowed_methods, reason = "a task of the cluster, for no session that idles")]

use std::sync::Arc;
use std::time::Duration;

use bowline_protocol::{Close, CloseCode, NodeId, OpenKey, Packet, SessionId};
use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::Directory;
use crate::broker::{Entry, Unavailable};
use crate::locks::lock;

/// Where the session of a first line is.
pub(crate) enum Place {
    /// On this node, or about to be.
    Here(Option<Claim>),
    /// On another one.
    There(NodeId),
}

/// An open key that this node has claimed: for as long as this lives, the session is about to be.
pub(crate) struct Claim {
    directory: Arc<Directory>,
    key: OpenKey,
}

impl Drop for Claim {
    fn drop(&mut self) {
        lock(&self.directory.places).claiming.remove(&self.key);
        if !self.directory.host.has_opened(&self.key) {
            self.directory.disown(self.key);
        }
    }
}

impl Directory {
    /// Looks for the session of a first line, where it is not known to be here.
    pub(crate) fn search(
        self: &Arc<Self>,
        first: &Packet,
    ) -> Option<BoxFuture<'static, Result<Place, Close>>> {
        match first {
            Packet::Attach(attach) => {
                let session = attach.session;
                let gone = session.node() == self.bus.id && self.handed(session).is_none();
                if gone { None } else { self.search_session(session) }
            }
            Packet::Open(open) if !self.host.has_key(&open.key) => {
                let (directory, key) = (Arc::clone(self), open.key);
                Some(async move { Ok(directory.claim(key).await) }.boxed())
            }
            _ => None,
        }
    }

    /// As [`Self::search`], for a session that is named by something else than a first line.
    pub(crate) fn search_session(
        self: &Arc<Self>,
        session: SessionId,
    ) -> Option<BoxFuture<'static, Result<Place, Close>>> {
        let (directory, known) = (Arc::clone(self), self.host.is_here(session));
        (!known).then(|| async move { directory.seek(session).await }.boxed())
    }

    async fn seek(&self, session: SessionId) -> Result<Place, Close> {
        match self.place_of(session).await {
            Ok(Some(node)) => Ok(Place::There(node)),
            // The transport states why.
            Ok(None) => Ok(Place::Here(None)),
            Err(Unavailable) => {
                let reason = "the node that holds the session cannot be reached";
                Err(Close::with_reason(CloseCode::INTERNAL, reason))
            }
        }
    }

    /// Claims an open key for this node, so that an open that is repeated elsewhere finds its
    /// session. Without the directory the key is taken for a new one.
    async fn claim(self: Arc<Self>, key: OpenKey) -> Place {
        lock(&self.places).claiming.insert(key);
        let claim = Claim { directory: Arc::clone(&self), key };
        let entry = Entry::Claim(self.bus.id.to_string().into(), CLAIM_LIFE);
        let winner = match self.bus.broker.directory(&open_key(&key), entry).await {
            Ok(winner) => winner.and_then(|node| std::str::from_utf8(&node).ok()?.parse().ok()),
            Err(Unavailable) => None,
        };
        match winner {
            Some(node) if node != self.bus.id => match self.lives(node).await {
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
    pub(crate) async fn reclaim(&self, key: &OpenKey) {
        let entry = Entry::Write(self.bus.id.to_string().into(), CLAIM_LIFE);
        let _ = self.bus.broker.directory(&open_key(key), entry).await;
    }

    /// No session has come of this key: the entry would only take room. An open that is repeated
    /// elsewhere is a new one.
    pub(crate) fn disown(self: &Arc<Self>, key: OpenKey) {
        let directory = Arc::clone(self);
        self.bus.handle.spawn(async move {
            let _ = directory.bus.broker.directory(&open_key(&key), Entry::Remove).await;
        });
    }

    pub(crate) fn is_claiming(&self, key: &OpenKey) -> bool {
        lock(&self.places).claiming.contains(key)
    }
}

fn open_key(key: &OpenKey) -> String {
    format!("k:{}", key.reveal())
}

/// How long an open may be repeated on another node.
const CLAIM_LIFE: Duration = Duration::from_secs(600);
