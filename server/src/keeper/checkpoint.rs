//! Sessions are stored while they are served, again and again, so that a process that is killed
//! does not take all of them along.
//!
//! A checkpoint is a value like the one that a process leaves when it ends, but its own process
//! keeps it claimed: nobody reads it until that process is gone. Its sessions are stale: they go on
//! only with clients that know no more than they do.
//!
//! Spec: 05-delivery-and-resume, "Checkpoints".

use std::sync::{Arc, Weak};
use std::time::Duration;

use super::{Keeper, keep};
use crate::locks::lock;
use crate::node::Node;

/// Starts the thread that makes checkpoints, if the store was told to have some.
pub(super) fn begin(keeper: Arc<Keeper>, node: &Arc<Node>) {
    let Some(every) = keeper.store.settings.checkpoint_every else { return };
    if node.cluster.is_some() {
        // A session of a killed process may live on another node, which the checkpoint does not
        // know.
        log::warn!("there are no checkpoints, because this node has a broker");
        return;
    }
    let node = Arc::downgrade(node);
    let begun = std::thread::Builder::new()
        .name("bowline-checkpoints".to_owned())
        .spawn(move || while pause(&keeper, &node, every) {});
    if let Err(error) = begun {
        log::error!("there are no checkpoints, because their thread cannot be started: {error}");
    }
}

/// Waits, then makes a checkpoint. False when there is no node any more.
fn pause(keeper: &Keeper, node: &Weak<Node>, every: Duration) -> bool {
    std::thread::sleep(every);
    node.upgrade().is_some_and(|node| keeper.make_checkpoint(&node))
}

impl Keeper {
    /// Stores copies of the sessions. False once they have been stored for good.
    pub(super) fn make_checkpoint(&self, node: &Arc<Node>) -> bool {
        let is_done = lock(&self.is_done);
        let is_claimed = !lock(&self.claimed).is_empty();
        // What was read and is still there is read again by the next process.
        if !*is_done && !is_claimed && !node.is_draining() {
            keep::copies(self, node);
        }
        !*is_done
    }
}
