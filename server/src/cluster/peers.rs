//! Who else is there.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use bowline_protocol::NodeId;
use bytes::Bytes;
use tokio::time::{MissedTickBehavior, interval};

use super::calls::Reply;
use super::wire::Message;
use super::{ALL, BEAT, Cluster, NODE_LIFE, lock, node_channel};
use crate::broker::Entry;
use crate::node::Node;

/// The other nodes, and what they last said of themselves.
#[derive(Default)]
pub(super) struct Peers(HashMap<NodeId, Peer>);

#[derive(Debug, Clone, Copy)]
struct Peer {
    heard: Instant,
    /// It takes sessions: requests reach it, and it is not about to stop.
    takes_sessions: bool,
}

impl Peers {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn contains(&self, node: NodeId) -> bool {
        self.0.contains_key(&node)
    }

    /// Nodes to which sessions can be handed, in an order that stays.
    pub(super) fn takers(&self) -> Vec<NodeId> {
        let takers = self.0.iter().filter(|(_, peer)| peer.takes_sessions);
        let mut takers: Vec<_> = takers.map(|(node, _)| *node).collect();
        takers.sort_unstable();
        takers
    }

    /// Something was heard of a node.
    fn touch(&mut self, node: NodeId) -> &mut Peer {
        let now = Instant::now();
        let peer = self.0.entry(node).or_insert(Peer { heard: now, takes_sessions: false });
        peer.heard = now;
        peer
    }

    fn take_silent(&mut self, life: Duration) -> Vec<NodeId> {
        let silent = self.0.iter().filter(|(_, peer)| peer.heard.elapsed() > life);
        let silent: Vec<_> = silent.map(|(node, _)| *node).collect();
        for node in &silent {
            self.0.remove(node);
        }
        silent
    }
}

impl Cluster {
    pub(super) fn heard_of(&self, node: NodeId, serving: bool, draining: bool) {
        lock(&self.peers).touch(node).takes_sessions = serving && !draining;
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

    /// Another node is gone.
    pub(super) fn lost(self: &Arc<Self>, node: &Arc<Node>, gone: NodeId) {
        lock(&self.peers).0.remove(&gone);
        self.calls.tell_all(&Reply::Gone(gone));
        self.drop_carried(Some(gone));
        self.release(gone);
        self.report_loss_of(node, gone);
        self.lose_presence(gone);
    }

    /// A node that stops on purpose has nothing left to say.
    pub(super) fn left(self: &Arc<Self>, gone: NodeId) {
        lock(&self.peers).0.remove(&gone);
        lock(&self.numbers).forget_node(gone);
        self.calls.tell_all(&Reply::Gone(gone));
        self.drop_carried(Some(gone));
        self.release(gone);
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
        let is_reachable = mine.await.is_ok();
        // While nothing comes from anybody, silence says nothing.
        let life = if is_reachable { NODE_LIFE } else { Duration::MAX };
        let silent = lock(&cluster.peers).take_silent(life);
        for gone in silent {
            log::warn!("node {gone} was not heard of for {NODE_LIFE:?}: it is gone");
            cluster.lost(&node, gone);
        }
        cluster.say_unsaid(&node);
        cluster.keep_places(&node).await;
    }
}

/// The entry that a node keeps for as long as it lives.
pub(super) fn node_key(node: NodeId) -> String {
    format!("n:{node}")
}
