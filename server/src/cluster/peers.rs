//! Who else is there.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use bowline_protocol::NodeId;
use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::calls::Reply;
use super::wire::{Id, Message};
use super::{ALL, BEAT, Cluster, NODE_LIFE, PATIENCE, lock, node_channel};
use crate::broker::{Entry, Unavailable};
use crate::node::Node;

/// The other nodes, and what they last said of themselves.
#[derive(Default)]
pub(super) struct Peers {
    known: HashMap<NodeId, Peer>,
    /// When the connection to the others stood again after an outage.
    back: Option<Instant>,
    /// Nodes that speak another version, as far as it was said.
    strangers: HashSet<NodeId>,
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

    /// Something was heard of a node.
    fn touch(&mut self, node: NodeId, now: Instant) -> &mut Peer {
        let peer = self.known.entry(node).or_insert(Peer { heard: now, takes_sessions: false });
        peer.heard = now;
        peer
    }

    /// An outage is over. Nobody could be heard during it, and what all nodes know of each other may be gone.
    pub(super) fn come_back(&mut self, now: Instant) {
        self.known.values_mut().for_each(|peer| peer.heard = now);
        self.back = Some(now);
    }

    /// True until every node that lives has had the time to say so after an outage.
    pub(super) fn are_coming_back(&self, now: Instant) -> bool {
        self.back.is_some_and(|back| now < back + NODE_LIFE)
    }

    /// True the first time that a node of another version is heard.
    pub(super) fn is_stranger(&mut self, node: NodeId) -> bool {
        self.strangers.len() < MAX_STRANGERS && self.strangers.insert(node)
    }

    pub(super) fn forget(&mut self, node: NodeId) {
        self.known.remove(&node);
    }

    /// This node has told the others that one is gone.
    fn told_gone(&mut self, node: NodeId) {
        if self.told_gone.len() >= MAX_TOLD {
            self.told_gone.clear();
        }
        self.told_gone.insert(node);
    }

    /// Another node says that this one is gone. True if it has been silent here, too, if only for half as long: who
    /// was merely not heard by the other is not gone.
    fn believes_gone(&self, node: NodeId, now: Instant) -> bool {
        self.known.get(&node).is_some_and(|peer| now - peer.heard > NODE_LIFE / 2)
    }

    fn silent(&self, life: Duration, now: Instant) -> Vec<NodeId> {
        let silent = self.known.iter().filter(|(_, peer)| now - peer.heard > life);
        silent.map(|(node, _)| *node).collect()
    }
}

impl Cluster {
    pub(super) fn heard_of(&self, node: NodeId, serving: bool, draining: bool) {
        lock(&self.peers).touch(node, Instant::now()).takes_sessions = serving && !draining;
    }

    /// Says that this node lives.
    pub(super) fn beat(&self, node: &Arc<Node>, channel: &str, hello: bool) {
        if self.has_left.load(Ordering::Acquire) {
            return;
        }
        let (serving, draining) = (node.workers.any(), node.is_draining());
        let presence = node.presence.is_in_use();
        let alive = Message::Alive { hello, serving, draining, presence };
        self.say(channel, &alive);
    }

    /// Says to everyone how it is with this node now.
    pub(crate) fn announce(&self, node: &Arc<Node>) {
        self.beat(node, ALL, false);
    }

    /// A node has begun and wants to know who is there.
    pub(super) fn welcome(&self, node: &Arc<Node>, newcomer: NodeId) {
        self.beat(node, &node_channel(newcomer), false);
    }

    /// Another node is gone. Its clients are told so from now on, and speak here in new sessions: all nodes have to
    /// report before what is missing behind its last words.
    pub(super) fn lost(self: &Arc<Self>, node: &Arc<Node>, gone: NodeId) {
        lock(&self.peers).told_gone(gone);
        self.say(ALL, &Message::Gone { node: Id(gone) });
        self.report_loss_of(node, gone);
        self.release(gone);
        self.calls.tell_all(&Reply::Gone(gone));
        self.drop_carried(Some(gone));
        self.lose_presence(gone);
    }

    /// The directory says that a node is gone which this one may never have known: the others may not have noticed yet.
    /// Returns when the broker has it, and what is published next comes behind it.
    pub(super) async fn tell_gone(&self, gone: NodeId) -> Result<(), Unavailable> {
        if lock(&self.peers).told_gone.contains(&gone) {
            return Ok(());
        }
        let (told, heard) = oneshot::channel();
        let message = Message::Gone { node: Id(gone) };
        self.publish(ALL, &message, &Bytes::new(), 0, false, Some(told));
        heard.await.map_err(|_| Unavailable)?;
        lock(&self.peers).told_gone(gone);
        Ok(())
    }

    /// Another node has found that one is gone, somewhat earlier than this one would.
    pub(super) fn take_gone(self: &Arc<Self>, node: &Arc<Node>, gone: NodeId) {
        if lock(&self.peers).believes_gone(gone, Instant::now()) {
            log::warn!("node {gone} is gone, as another one says");
            self.lost(node, gone);
        }
    }

    /// A node that stops on purpose has nothing left to say. POSTs that have landed there are answered still: all
    /// else it has sent away.
    pub(super) fn left(self: &Arc<Self>, gone: NodeId) {
        self.release(gone);
        lock(&self.numbers).forget_node(gone, &node_channel(gone));
        self.calls.tell_all(&Reply::Gone(gone));
        self.lose_presence(gone);
    }
}

/// Says that this node lives, and notices which others no longer do.
pub(super) async fn keep(cluster: Weak<Cluster>) {
    let mut beats = interval(BEAT);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        beats.tick().await;
        let Some(cluster) = cluster.upgrade() else { return };
        let Some(node) = cluster.node.upgrade() else { return };
        if cluster.has_left.load(Ordering::Acquire) {
            // Still sends on, but says nothing of itself, and keeps nothing alive.
            drop((node, cluster));
            return std::future::pending().await;
        }
        cluster.beat(&node, ALL, false);
        let mine = cluster
            .broker
            .directory(&node_key(cluster.id), Entry::Write(Bytes::from_static(b"1"), NODE_LIFE));
        let is_reachable = matches!(timeout(PATIENCE, mine).await, Ok(Ok(_)));
        // While nothing comes from anybody, silence says nothing.
        let life = if is_reachable { NODE_LIFE } else { Duration::MAX };
        let silent = lock(&cluster.peers).silent(life, Instant::now());
        for gone in silent {
            log::warn!("node {gone} was not heard of for {NODE_LIFE:?}: it is gone");
            cluster.lost(&node, gone);
        }
        cluster.tell_unsent();
        cluster.say_unsaid(&node);
        cluster.keep_places(&node);
    }
}

/// The entry that a node keeps for as long as it lives.
pub(super) fn node_key(node: NodeId) -> String {
    format!("n:{node}")
}

/// Nodes of another version that are told of, one by one.
const MAX_STRANGERS: usize = 1_000;
/// Nodes of which it is remembered that they were told to be gone.
const MAX_TOLD: usize = 1_000;

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use bowline_protocol::NodeId;

    use super::{MAX_STRANGERS, NODE_LIFE, Peers};

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

    #[test]
    fn each_node_of_another_version_is_told_of_once() {
        let mut peers = Peers::default();
        assert!(peers.is_stranger(ANNA));
        assert!(!peers.is_stranger(ANNA));
        for number in 0..2 * MAX_STRANGERS as u64 {
            let [.., a, b, c, d] = number.to_be_bytes();
            peers.is_stranger(NodeId::from_bytes([2, 2, a, b, c, d]));
        }
        assert!(peers.strangers.len() <= MAX_STRANGERS);
    }
}
