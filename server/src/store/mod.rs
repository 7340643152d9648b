//! Sessions outlive their process: one that ends writes them down, the next one goes on with them.
//!
//! `keep` takes the sessions out of a node whose clients were sent away and writes them to a file; `revive` reads them
//! when the next node is built, before it serves. A file is read once: it is removed before anybody can resume what it holds, so a
//! session never comes back in an older state. What a process that is killed held is lost, and its clients are told.
//!
//! Spec: 05-delivery-and-resume, "Resume".

mod file;
mod format;
mod keep;
mod revive;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

pub use file::FileStore;

use crate::config::Config;
use crate::node::Node;

/// What a node does with its store.
pub(crate) struct Keeper {
    store: FileStore,
    application: String,
    /// The sessions were written. Whoever is second waits for the first.
    is_done: Mutex<bool>,
    /// Something was emitted to sessions that had been taken out.
    has_missed: AtomicBool,
}

impl Keeper {
    pub(crate) fn new(config: &Config) -> Option<Self> {
        let store = config.store.clone()?;
        let application = store.named(&config.path);
        let (is_done, has_missed) = (Mutex::new(false), AtomicBool::new(false));
        Some(Self { store, application, is_done, has_missed })
    }

    /// Reads the sessions of the process before. Called once, before the node serves.
    pub(crate) fn revive(&self, node: &Arc<Node>) {
        revive::all(self, node);
    }

    /// Writes the sessions, once.
    pub(crate) fn keep(&self, node: &Arc<Node>) {
        let mut is_done = self.is_done.lock().unwrap_or_else(PoisonError::into_inner);
        if !std::mem::replace(&mut *is_done, true) {
            keep::all(self, node);
        }
    }

    /// Something is emitted to a session that was taken out.
    pub(crate) fn misses(&self) {
        self.has_missed.store(true, Ordering::Relaxed);
    }
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeper").field("store", &self.store).finish_non_exhaustive()
    }
}
