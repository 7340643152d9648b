//! Sessions outlive their process: a process that ends writes them to a store, and the next one
//! continues them.
//!
//! `keep` removes the sessions from a node whose clients were sent away, and writes them to a place
//! that the next process reaches; `revive` reads them when the next node is built, before it
//! serves. The value is removed before any client can see or change its sessions, so a session
//! never returns in an older state; until then a process that fails to start leaves the value to
//! the next one. The sessions of a process that is killed are lost, and their clients are notified,
//! except for what `checkpoint` has stored while it served.
//!
//! The places are in `store`.
//!
//! Spec: 05-delivery-and-resume, "Attach and resume".

mod beside;
mod checkpoint;
mod keep;
mod revive;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use bowline_protocol::SessionId;

use beside::Beside;

use crate::config::Config;
use crate::locks::lock;
use crate::node::{Node, SessionKeeper};
use crate::store::Store;
use crate::store::place::{Claimed, Removed};

/// The store of a node, and its state.
pub(crate) struct Keeper {
    store: Store,
    application: String,
    /// The sessions were written. A second caller waits for the first.
    is_done: Mutex<bool>,
    /// The values that were read, and exist until a client may see or change their sessions.
    claimed: Mutex<Vec<Read>>,
    has_claimed: AtomicBool,
    /// The values that this build cannot read.
    unread: Mutex<HashSet<String>>,
    /// The last checkpoint of this process.
    checkpoint: Mutex<Option<Box<dyn Claimed>>>,
    beside: Beside,
}

/// A value that was read, and its sessions.
struct Read {
    claimed: Box<dyn Claimed>,
    name: String,
    sessions: Vec<SessionId>,
}

impl Keeper {
    fn new(config: &Config) -> Option<Self> {
        let store = config.store.clone()?;
        let application = store.settings.named(&config.path);
        Some(Self {
            store,
            application,
            is_done: Mutex::new(false),
            claimed: Mutex::default(),
            has_claimed: AtomicBool::new(false),
            unread: Mutex::default(),
            checkpoint: Mutex::default(),
            beside: Beside::default(),
        })
    }

    /// Returns the values that may be read.
    fn readable(&self, mut names: Vec<String>) -> Vec<String> {
        let unread = lock(&self.unread);
        names.retain(|name| !unread.contains(name));
        names
    }

    /// Simulates the end of a process that writes nothing: its claims are released.
    #[cfg(test)]
    fn forget(&self) {
        lock(&self.claimed).clear();
        lock(&self.checkpoint).take();
    }
}

impl SessionKeeper for Keeper {
    /// Removes the values, and drops sessions that another process has read.
    fn commit(&self, node: &Arc<Node>) {
        if !self.has_claimed.load(Ordering::Acquire) {
            return;
        }
        // A second caller waits: the values are removed when it continues.
        let mut claimed = lock(&self.claimed);
        for Read { claimed, name, sessions } in claimed.drain(..) {
            let why = match claimed.remove() {
                Ok(Removed::Ours) => continue,
                Ok(Removed::Theirs) => "another process has taken it".to_owned(),
                Err(error) => format!("it cannot be removed, and would be read again: {error}"),
            };
            let (count, place) = (sessions.len(), self.store.place.shown());
            log::error!("{count} sessions in {name} of {place} do not continue here: {why}");
            revive::withdraw(node, &sessions);
        }
        self.has_claimed.store(false, Ordering::Release);
    }

    /// A second caller waits for the first.
    fn keep(&self, node: &Arc<Node>) {
        self.commit(node);
        let mut is_done = lock(&self.is_done);
        if !std::mem::replace(&mut *is_done, true) {
            keep::all(self, node);
            self.store.place.leave();
        }
    }

    fn expects(self: Arc<Self>, node: &Arc<Node>, session: SessionId) -> bool {
        self.beside.expects(&self, node, session)
    }
}

/// If the node has a store, reads the sessions of the previous process, and keeps those of this
/// one. Called once, before the node serves.
pub(crate) fn begin(node: &Arc<Node>) {
    let Some(keeper) = Keeper::new(&node.config).map(Arc::new) else { return };
    node.keep_with(Arc::clone(&keeper) as _);
    revive::at_start(&keeper, node);
    keeper.beside.sign(&keeper, node);
    checkpoint::begin(keeper, node);
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeper").field("store", &self.store).finish_non_exhaustive()
    }
}
