//! Sessions outlive their process: one that ends writes them down, the next one goes on with them.
//!
//! `keep` takes the sessions out of a node whose clients were sent away and writes them to a place
//! that the next process reaches; `revive` reads them when the next node is built, before it
//! serves. What was stored is removed before anybody can see or change it, so a session never comes
//! back in an older state; until then a process that fails to start leaves it to the next one.
//! What a process that is killed held is lost, and its clients are told, but for
//! what `checkpoint` has stored while it served.
//!
//! `store` has such places.
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

/// What a node does with its store.
pub(crate) struct Keeper {
    store: Store,
    application: String,
    /// The sessions were written. Whoever is second waits for the first.
    is_done: Mutex<bool>,
    /// What was read, and is there until somebody may see or change it.
    claimed: Mutex<Vec<Read>>,
    has_claimed: AtomicBool,
    /// Values that this build does not read.
    unread: Mutex<HashSet<String>>,
    /// The last checkpoint of this process.
    checkpoint: Mutex<Option<Box<dyn Claimed>>>,
    beside: Beside,
}

/// A value that was read, and the sessions that were in it.
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

    /// Those of the values that may be read.
    fn readable(&self, mut names: Vec<String>) -> Vec<String> {
        let unread = lock(&self.unread);
        names.retain(|name| !unread.contains(name));
        names
    }

    /// The process ends without a word: its claims are gone.
    #[cfg(test)]
    fn forget(&self) {
        lock(&self.claimed).clear();
        lock(&self.checkpoint).take();
    }
}

impl SessionKeeper for Keeper {
    /// What another process has taken is not served here.
    fn commit(&self, node: &Arc<Node>) {
        if !self.has_claimed.load(Ordering::Acquire) {
            return;
        }
        // Whoever is second waits: the values are gone when it goes on.
        let mut claimed = lock(&self.claimed);
        for Read { claimed, name, sessions } in claimed.drain(..) {
            let why = match claimed.remove() {
                Ok(Removed::Ours) => continue,
                Ok(Removed::Theirs) => "another process has taken it".to_owned(),
                Err(error) => format!("it cannot be removed, and would be read again: {error}"),
            };
            let (count, place) = (sessions.len(), self.store.place.shown());
            log::error!("{count} sessions in {name} of {place} do not go on here: {why}");
            revive::withdraw(node, &sessions);
        }
        self.has_claimed.store(false, Ordering::Release);
    }

    /// Whoever is second waits for the first.
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

/// If the node has a store, reads the sessions of the process before and keeps those of this one.
/// Called once, before the node serves.
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
