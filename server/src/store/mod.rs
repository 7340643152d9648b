//! Sessions outlive their process: one that ends writes them down, the next one goes on with them.
//!
//! `keep` takes the sessions out of a node whose clients were sent away and writes them to a file; `revive` reads them
//! when the next node is built, before it serves. A file is removed before anybody can see or change what it held, so a session
//! never comes back in an older state; until then a process that fails to start leaves it to the next one. What a process that
//! is killed held is lost, and its clients are told.
//!
//! Spec: 05-delivery-and-resume, "Attach and resume".

mod beside;
mod file;
mod format;
mod keep;
mod revive;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bowline_protocol::SessionId;

use beside::Beside;
use file::Claimed;
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
    /// Files that were read, and are there until somebody may see or change what they held.
    claimed: Mutex<Vec<Claimed>>,
    has_claimed: AtomicBool,
    /// Files that this build does not read.
    unread: Mutex<HashSet<PathBuf>>,
    beside: Beside,
}

impl Keeper {
    pub(crate) fn new(config: &Config) -> Option<Self> {
        let store = config.store.clone()?;
        let application = store.named(&config.path);
        Some(Self {
            store,
            application,
            is_done: Mutex::new(false),
            has_missed: AtomicBool::new(false),
            claimed: Mutex::default(),
            has_claimed: AtomicBool::new(false),
            unread: Mutex::default(),
            beside: Beside::default(),
        })
    }

    /// Reads the sessions of the process before. Called once, before the node serves.
    pub(crate) fn revive(&self, node: &Arc<Node>) {
        revive::at_start(self, node);
        self.beside.sign(self, node);
    }

    /// Somebody is about to see or change sessions: nobody may read again what was read.
    pub(crate) fn commit(&self) {
        if !self.has_claimed.load(Ordering::Acquire) {
            return;
        }
        // Whoever is second waits: the files are gone when it goes on.
        let mut claimed = lock(&self.claimed);
        for file in claimed.drain(..) {
            if let Err(error) = file.remove() {
                log::error!("{file:?} cannot be removed, and would be read again: {error}");
            }
        }
        self.has_claimed.store(false, Ordering::Release);
    }

    /// Files that may be read, oldest first.
    fn files(&self) -> Vec<PathBuf> {
        let mut files = self.store.files().unwrap_or_default();
        let unread = lock(&self.unread);
        files.retain(|path| !unread.contains(path));
        files
    }

    /// Writes the sessions, once.
    pub(crate) fn keep(&self, node: &Arc<Node>) {
        self.commit();
        let mut is_done = lock(&self.is_done);
        if !std::mem::replace(&mut *is_done, true) {
            keep::all(self, node);
            self.beside.leave();
        }
    }

    /// True if a session that is not here may come: another process holds it, or has just stored it.
    pub(crate) fn expects(&self, node: &Arc<Node>, session: SessionId) -> bool {
        self.beside.expects(self, node, session)
    }

    /// The process ends before it has served.
    #[cfg(test)]
    fn forget(&self) {
        lock(&self.claimed).clear();
    }

    /// Something is emitted to a session that was taken out.
    pub(crate) fn misses(&self) {
        self.has_missed.store(true, Ordering::Relaxed);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeper").field("store", &self.store).finish_non_exhaustive()
    }
}
