//! Stores sessions while they are served, again and again, so that not all of them are lost when
//! the process is killed.
//!
//! A checkpoint is a value like the one that a process writes when it ends, but its own process
//! keeps it claimed: no other reads it until that process has ended. Its sessions are stale: they
//! continue only with clients that have sent and received no more than the checkpoint states.
//!
//! Spec: 05-delivery-and-resume, "Checkpoints".

#![expect(clippy::disallowed_methods, reason = "one thread makes the checkpoints")]

use std::sync::{Arc, Weak};
use std::time::Duration;

use super::{Keeper, keep};
use crate::locks::lock;
use crate::node::Node;

/// Starts the thread that makes checkpoints, if the store is configured to have them.
pub(super) fn begin(keeper: Arc<Keeper>, node: &Arc<Node>) {
    let Some(every) = keeper.store.settings.checkpoint_every else { return };
    if node.cluster.is_some() {
        // A session of a killed process may continue on another node, which the checkpoint does not
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

/// Waits, then makes a checkpoint. False when the node has been dropped.
fn pause(keeper: &Keeper, node: &Weak<Node>, every: Duration) -> bool {
    std::thread::sleep(every);
    node.upgrade().is_some_and(|node| keeper.make_checkpoint(&node))
}

impl Keeper {
    /// Stores copies of the sessions. False once the process has stored them for good.
    pub(super) fn make_checkpoint(&self, node: &Arc<Node>) -> bool {
        let is_done = lock(&self.is_done);
        let is_claimed = !lock(&self.claimed).is_empty();
        // The next process reads again what this one has read and not removed.
        if !*is_done && !is_claimed && !node.is_draining() {
            keep::copies(self, node);
        }
        !*is_done
    }
}
