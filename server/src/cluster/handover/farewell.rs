//! A node takes leave of the others when its sessions are with them.

#![expect(clippy::disallowed_methods, reason = "a task of the cluster, for no session that idles")]

use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use super::{Handover, ROUND};
use crate::cluster::PATIENCE;
use crate::cluster::bus::wire::Message;
use crate::cluster::bus::{ALL, Missing, Reply};

impl Handover {
    /// Takes leave: whatever others have sent to the sessions that were here is sent on before this
    /// ends.
    pub(crate) async fn say_goodbye(self: &Arc<Self>) {
        let (done, outcome) = oneshot::channel();
        let handover = Arc::clone(self);
        self.bus.handle.spawn(async move {
            let _ = timeout(PATIENCE, handover.wait_for_farewells()).await;
            let _ = timeout(PATIENCE, handover.wait_for_presence()).await;
            handover.bus.leave();
            handover.directory.remove_own_entry().await;
            // What was sent on is out before anybody sends to where the sessions are now.
            let _ = timeout(PATIENCE, handover.catch_up(&[handover.bus.own_channel()])).await;
            let heard = handover.bus.publish_heard(ALL, &Message::Left);
            let _ = timeout(PATIENCE, heard).await;
            let _ = done.send(());
        });
        let _ = outcome.await;
    }

    async fn wait_for_farewells(self: &Arc<Self>) {
        let mut call = self.bus.call();
        let heard = call.publish(ALL, &Message::Leaving);
        let mut missing = Missing::new(heard.await.unwrap_or(0));
        while !missing.is_over() {
            match call.replies.recv().await {
                Some(Reply::Echo) => drop(missing.answered(self.bus.id)),
                // Every node is subscribed to this channel: one that is gone counts as one that has
                // received it.
                Some(Reply::Gone(node) | Reply::Heard(node, Message::Farewell, _)) => {
                    missing.answered(node);
                }
                Some(Reply::Heard(..)) => {}
                Some(Reply::Down) | None => return,
            }
        }
    }

    /// Waits until all who are present and have gone to other nodes are known to be there.
    async fn wait_for_presence(&self) {
        while self.host.local().is_some_and(|local| local.presence.has_moving()) {
            sleep(ROUND).await;
        }
    }
}
