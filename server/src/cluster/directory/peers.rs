//! Who else is there.

#![expect(clippy::disallowed_methods, reason = "a task of the cluster, for no session that idles")]

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bowline_protocol::NodeId;
use bytes::Bytes;
use tokio::time::timeout;

use super::Directory;
use crate::broker::{Entry, Unavailable};
use crate::cluster::bus::wire::{Id, Message};
use crate::cluster::bus::{ALL, Reply};
use crate::cluster::{NODE_LIFE, PATIENCE};
use crate::local::Local;
use crate::locks::lock;

/// The other nodes, and what they last said of themselves.
#[derive(Default)]
pub(super) struct Peers {
    known: HashMap<NodeId, Peer>,
    /// When the connection to the others stood again after an outage.
    back: Option<Instant>,
    /// Nodes of which this one has said that they are gone.
    told_gone: HashSet<NodeId>,
}

#[derive(Debug, Clone, Copy)]
struct Peer {
    heard: Instant,
    /// It takes sessions: requests reach it, and it is not about to stop.
    takes_sessions: bool,
}

impl Peers {
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    pub(super) fn contains(&self, node: NodeId) -> bool {
        self.known.contains_key(&node)
    }

    /// Nodes to which sessions can be handed, in an order that stays.
    pub(super) fn takers(&self) -> Vec<NodeId> {
        let takers = self.known.iter().filter(|(_, peer)| peer.takes_sessions);
        let mut takers: Vec<_> = takers.map(|(node, _)| *node).collect();
        takers.sort_unstable();
        takers
    }

    /// A message of a node, or about it, was received.
    fn touch(&mut self, node: NodeId, now: Instant) -> &mut Peer {
        let peer = self.known.entry(node).or_insert(Peer { heard: now, takes_sessions: false });
        peer.heard = now;
        peer
    }

    /// An outage is over. No node could be reached during it, and what all nodes know of each
    /// other may be gone.
    pub(super) fn come_back(&mut self, now: Instant) {
        self.known.values_mut().for_each(|peer| peer.heard = now);
        self.back = Some(now);
    }

    /// True until every node that lives has had the time to say so after an outage.
    pub(super) fn are_coming_back(&self, now: Instant) -> bool {
        self.back.is_some_and(|back| now < back + NODE_LIFE)
    }

    pub(super) fn forget(&mut self, node: NodeId) {
        self.known.remove(&node);
    }

    /// This node has notified the others that one is gone.
    fn told_gone(&mut self, node: NodeId) {
        if self.told_gone.len() >= MAX_TOLD {
            self.told_gone.clear();
        }
        self.told_gone.insert(node);
    }

    /// Another node reports that this one is gone. True if it has been silent here, too, if only
    /// for half as long: one that only the other did not receive from is not gone.
    fn believes_gone(&self, node: NodeId, now: Instant) -> bool {
        self.known.get(&node).is_some_and(|peer| now - peer.heard > NODE_LIFE / 2)
    }

    fn silent(&self, life: Duration, now: Instant) -> Vec<NodeId> {
        let silent = self.known.iter().filter(|(_, peer)| now - peer.heard > life);
        silent.map(|(node, _)| *node).collect()
    }
}

impl Directory {
    /// Something was received of a node.
    pub(crate) fn heard_of(&self, node: NodeId, serving: bool, draining: bool) {
        lock(&self.peers).touch(node, Instant::now()).takes_sessions = serving && !draining;
    }

    /// True if the node is known to live.
    pub(crate) fn knows(&self, node: NodeId) -> bool {
        lock(&self.peers).contains(node)
    }

    /// Nodes to which sessions can be handed, in an order that stays.
    pub(crate) fn takers(&self) -> Vec<NodeId> {
        lock(&self.peers).takers()
    }

    /// Publishes how it is with this node now.
    pub(crate) fn announce(&self, local: &Arc<Local>) {
        if let Some(alive) = self.alive(local, false) {
            self.bus.publish(ALL, &alive);
        }
    }

    /// As [`Self::announce`], and wants to know who is there.
    pub(crate) fn greet(&self, local: &Arc<Local>) {
        if let Some(alive) = self.alive(local, true) {
            self.bus.publish(ALL, &alive);
        }
    }

    /// A node has begun and wants to know who is there.
    pub(crate) fn welcome(&self, local: &Arc<Local>, newcomer: NodeId) {
        if let Some(alive) = self.alive(local, false) {
            self.bus.send(newcomer, &alive);
        }
    }

    /// That this node lives. `None` if it has taken leave.
    fn alive(&self, local: &Arc<Local>, hello: bool) -> Option<Message> {
        if self.bus.has_left() {
            return None;
        }
        let (serving, draining) = (local.workers.any(), local.is_draining());
        let presence = local.presence.is_in_use();
        Some(Message::Alive { hello, serving, draining, presence })
    }

    /// Publishes that this node lives, and keeps its entry. Returns which others no longer do.
    pub(crate) async fn beat(&self, local: &Arc<Local>) -> Vec<NodeId> {
        self.announce(local);
        let own = Entry::Write(Bytes::from_static(b"1"), NODE_LIFE);
        let own = self.bus.broker.directory(&node_key(self.bus.id), own);
        let is_reachable = matches!(timeout(PATIENCE, own).await, Ok(Ok(_)));
        // While nothing arrives from any node, silence means nothing.
        let life = if is_reachable { NODE_LIFE } else { Duration::MAX };
        lock(&self.peers).silent(life, Instant::now())
    }

    /// Removes the entry of this node.
    pub(crate) async fn remove_own_entry(&self) {
        let _ = self.bus.broker.directory(&node_key(self.bus.id), Entry::Remove).await;
    }

    /// An outage is over.
    pub(crate) fn come_back(&self) {
        lock(&self.peers).come_back(Instant::now());
        lock(&self.places).keep_soon();
    }

    /// Another node is gone. Its clients are notified from now on, and send here in new sessions:
    /// all nodes have to report before what is missing behind its last words.
    pub(crate) fn lost(self: &Arc<Self>, local: &Arc<Local>, gone: NodeId) {
        lock(&self.peers).told_gone(gone);
        self.bus.publish(ALL, &Message::Gone { node: Id(gone) });
        self.report_loss_of(local, gone);
        self.release(gone);
        self.bus.resolve_all(&Reply::Gone(gone));
    }

    /// According to the directory a node is gone which this one may never have known: the others
    /// may not have noticed yet. Returns when the broker has it, and what is published next
    /// comes behind it.
    pub(super) async fn tell_gone(&self, gone: NodeId) -> Result<(), Unavailable> {
        if lock(&self.peers).told_gone.contains(&gone) {
            return Ok(());
        }
        let heard = self.bus.publish_heard(ALL, &Message::Gone { node: Id(gone) });
        heard.await.map_err(|_| Unavailable)?;
        lock(&self.peers).told_gone(gone);
        Ok(())
    }

    /// Another node has found that one is gone, somewhat earlier than this one would.
    pub(crate) fn believes_gone(&self, gone: NodeId) -> bool {
        lock(&self.peers).believes_gone(gone, Instant::now())
    }

    /// A node that stops on purpose has nothing left to publish.
    pub(crate) fn left(self: &Arc<Self>, gone: NodeId) {
        self.release(gone);
        self.bus.forget_numbers_of(gone);
        self.bus.resolve_all(&Reply::Gone(gone));
    }
}

/// The entry that a node keeps for as long as it lives.
pub(super) fn node_key(node: NodeId) -> String {
    format!("n:{node}")
}

/// Nodes that are remembered as reported gone.
const MAX_TOLD: usize = 1_000;

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use bowline_protocol::NodeId;

    use super::{NODE_LIFE, Peers};

    const ANNA: NodeId = NodeId::from_bytes([1; 6]);
    const MOMENT: Duration = Duration::from_millis(1);

    #[test]
    fn a_node_that_is_silent_for_too_long_is_gone() {
        let (mut peers, begun) = (Peers::default(), Instant::now());
        peers.touch(ANNA, begun);
        assert_eq!(peers.silent(NODE_LIFE, begun + NODE_LIFE), []);
        assert_eq!(peers.silent(NODE_LIFE, begun + NODE_LIFE + MOMENT), [ANNA]);
        peers.forget(ANNA);
        assert!(!peers.contains(ANNA));
    }

    #[test]
    fn who_is_said_to_be_gone_is_so_only_after_a_silence_here_too() {
        let (mut peers, begun) = (Peers::default(), Instant::now());
        peers.touch(ANNA, begun);
        assert!(!peers.believes_gone(ANNA, begun + NODE_LIFE / 2));
        assert!(peers.believes_gone(ANNA, begun + NODE_LIFE / 2 + MOMENT));
        peers.forget(ANNA);
        assert!(!peers.believes_gone(ANNA, begun + NODE_LIFE), "it is reported once");
    }

    #[test]
    fn nobody_is_gone_for_having_been_silent_during_an_outage() {
        let (mut peers, begun) = (Peers::default(), Instant::now());
        peers.touch(ANNA, begun);
        let back = begun + Duration::from_secs(600);
        peers.come_back(back);
        assert_eq!(peers.silent(NODE_LIFE, back + NODE_LIFE), []);
        assert_eq!(peers.silent(NODE_LIFE, back + NODE_LIFE + MOMENT), [ANNA]);
    }

    #[test]
    fn what_the_directory_does_not_say_is_not_known_until_everyone_had_the_time_to_write_it_again()
    {
        let (mut peers, back) = (Peers::default(), Instant::now());
        assert!(!peers.are_coming_back(back));
        peers.come_back(back);
        assert!(peers.are_coming_back(back + NODE_LIFE - MOMENT));
        assert!(!peers.are_coming_back(back + NODE_LIFE));
    }
}
