//! Messages for one session: they go to the node that holds it, in order.

#![expect(clippy::disallowed_methods, reason = "a task of the cluster, for no session that idles")]

use std::sync::Arc;
use std::time::Duration;

use bowline_protocol::{Encoded, NodeId, SessionId};
use bytes::Bytes;
use tokio::time::sleep;

use super::Directory;
use crate::broker::Unavailable;
use crate::cluster::bus::Asker;
use crate::cluster::bus::wire::{Message, Target};
use crate::locks::lock;

impl Directory {
    /// Sends a message to the owner of a session, behind those that were sent before. As long as
    /// the node lives that the session began on, messages go there and are sent on: a shorter way
    /// would let later ones overtake.
    pub(crate) fn send_to_session(
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
            let Some(local) = self.host.local() else { return };
            return self.report_unreachable(&local, session, 1);
        }
        let home = session.node();
        let candidates = [places.handed.get(&session), Some(&home), places.seen.get(&session)];
        let peers = lock(&self.peers);
        let node = candidates.into_iter().flatten().copied().find(|node| peers.contains(*node));
        drop(peers);
        let Some(node) = node else {
            places.waiting.insert(session, vec![later]);
            drop(places);
            self.bus.handle.spawn(deliver_later(Arc::clone(self), session));
            return;
        };
        if let Some(held) = places.held.get_mut(&node) {
            return held.push((session, later.0, later.1));
        }
        let heard = self.bus.send_numbered_heard(node, message, bytes);
        drop(places);
        let directory = Arc::clone(self);
        self.bus.handle.spawn(async move {
            // Nobody listens there any more, although nothing was said of it.
            if heard.await == Ok(0) {
                directory.misplaced(session);
                directory.undelivered.count();
            }
        });
    }

    /// A node is about to leave. What is for its sessions is held from now on: the farewell comes
    /// behind everything that was sent there before, so the node has sent all of that on when it is
    /// gone.
    pub(crate) fn take_leaving(&self, asker: Asker) {
        let mut places = lock(&self.places);
        places.held.entry(asker.node).or_default();
        self.bus.reply(asker, &Message::Farewell);
    }

    /// A node is gone: what was held for its sessions goes to where they are now. Forgotten in the
    /// same moment, so that nobody takes a shorter way before it waits there.
    pub(crate) fn release(self: &Arc<Self>, gone: NodeId) {
        let mut places = lock(&self.places);
        lock(&self.peers).forget(gone);
        let held = places.held.remove(&gone).unwrap_or_default();
        places.seen.retain(|_, node| *node != gone);
        for (session, message, bytes) in held {
            let waiting = places.waiting.entry(session).or_insert_with(|| {
                self.bus.handle.spawn(deliver_later(Arc::clone(self), session));
                Vec::new()
            });
            waiting.push((message, bytes));
        }
    }

    /// True for a session that has come here while messages for it may still be on their way over
    /// the node it began on: others take that way too, or they would overtake.
    pub(super) fn is_on_its_way(&self, session: SessionId) -> bool {
        if session.node() == self.bus.id {
            return false;
        }
        let places = lock(&self.places);
        places.waiting.contains_key(&session) || lock(&self.peers).contains(session.node())
    }

    /// As [`Self::place_of`], for somebody who can wait while nobody can be asked.
    async fn place_in_time(&self, session: SessionId) -> Result<Option<NodeId>, Unavailable> {
        for _ in 0..ATTEMPTS {
            match self.place_of(session).await {
                Err(Unavailable) if !self.host.is_here(session) => sleep(BETWEEN_ATTEMPTS).await,
                place => return place,
            }
        }
        Err(Unavailable)
    }

    /// Sends a packet on to a session that was here before. False if it was not.
    pub(crate) fn forward(self: &Arc<Self>, session: SessionId, packet: &Encoded) -> bool {
        let moved = self.handed(session).is_some();
        if moved {
            let emit = Message::Emit { to: Target::session(session), volatile: false, key: None };
            self.send_to_session(session, &emit, packet.as_bytes());
        }
        moved
    }
}

/// Delivers what has waited for a session, in order. What comes meanwhile waits behind it.
async fn deliver_later(directory: Arc<Directory>, session: SessionId) {
    let place = directory.place_in_time(session).await;
    loop {
        let batch = {
            let mut places = lock(&directory.places);
            let Some(waiting) = places.waiting.get_mut(&session) else { return };
            if waiting.is_empty() {
                places.waiting.remove(&session);
                return;
            }
            std::mem::take(waiting)
        };
        let Some(local) = directory.host.local() else { return };
        if place.is_err() && !directory.host.is_here(session) {
            directory.report_unreachable(&local, session, batch.len() as u64);
            continue;
        }
        for (message, bytes) in batch {
            match place {
                _ if directory.host.is_here(session) => {
                    directory.bus.deliver(&local, message, bytes)
                }
                Ok(Some(place)) => {
                    directory.bus.send_numbered(place, &message, &bytes);
                }
                Ok(None) | Err(_) => directory.undelivered.count(),
            }
        }
    }
}

/// How often, and with which pauses, a session is looked for: for longer than it takes all nodes to
/// come back after an outage.
const ATTEMPTS: u32 = 40;
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(250);
/// Messages for one session that wait until it is found.
const MAX_WAITING: usize = 1_000;
