//! How this node lives among the others, and notices which of them no longer do.

#![expect(clippy::disallowed_methods, reason = "one task sends signs of life")]

use std::sync::{Arc, Weak};

use bowline_protocol::NodeId;
use tokio::time::{MissedTickBehavior, interval};

use super::bus::Reply;
use super::{BEAT, Cluster, NODE_LIFE};
use crate::local::Local;

impl Cluster {
    /// The connection to the others stands.
    pub(super) fn up(self: &Arc<Self>, local: &Arc<Local>) {
        if self.bus.was_down() {
            self.directory.come_back();
        }
        self.directory.greet(local);
        self.bus.resync();
        local.histories.take_up().into_iter().for_each(|fill| drop(self.bus.handle.spawn(fill)));
        self.presence.resync(local);
    }

    /// The connection to the others is lost.
    pub(super) fn down(&self, local: &Arc<Local>) {
        self.bus.note_down();
        local.presence.down();
        self.bus.resolve_all(&Reply::Down);
        self.relay.drop_carriers();
    }

    /// Another node has found that one is gone, somewhat earlier than this one would.
    pub(super) fn take_gone(&self, local: &Arc<Local>, gone: NodeId) {
        if self.directory.believes_gone(gone) {
            log::warn!("node {gone} is gone, as another node reports");
            self.lost(local, gone);
        }
    }

    /// A node that stops on purpose has nothing left to publish. POSTs that have landed there are
    /// answered still: all else it has sent away.
    pub(super) fn left(&self, gone: NodeId) {
        self.handover.forget(gone);
        self.directory.left(gone);
        self.presence.lose(gone);
    }

    fn lost(&self, local: &Arc<Local>, gone: NodeId) {
        self.handover.forget(gone);
        self.directory.lost(local, gone);
        self.relay.drop_carriers_of(gone);
        self.presence.lose(gone);
    }
}

/// Publishes that this node lives, and notices which others no longer do.
pub(super) async fn keep(cluster: Weak<Cluster>) {
    let mut beats = interval(BEAT);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        beats.tick().await;
        let Some(cluster) = cluster.upgrade() else { return };
        let Some(local) = cluster.host.local() else { return };
        if cluster.bus.has_left() {
            // Still sends on, but publishes nothing of itself, and keeps nothing alive.
            drop((local, cluster));
            return std::future::pending().await;
        }
        for gone in cluster.directory.beat(&local).await {
            log::warn!("node {gone} has sent nothing for {NODE_LIFE:?}: it is gone");
            cluster.lost(&local, gone);
        }
        cluster.bus.publish_unsent();
        cluster.presence.say_unsaid(&local);
        cluster.directory.keep_places(&local);
    }
}
