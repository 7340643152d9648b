//! The interface of a place for sessions between two processes, as `keep`, `revive` and `beside`
//! use it.

use std::collections::BTreeSet;
use std::fmt;
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::Duration;

use bowline_protocol::NodeId;

use crate::cut::cut;

/// Where [`BowlineBuilder::store`](crate::BowlineBuilder::store) keeps sessions: made of a
/// [`FileStore`](crate::FileStore), or of another store of this crate.
#[derive(Debug, Clone)]
#[must_use = "a store is given to BowlineBuilder::store"]
pub struct Store {
    pub(crate) settings: Settings,
    pub(crate) place: Arc<dyn Place>,
}

/// The settings of every store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    application: Option<String>,
    /// The most bytes of one session.
    pub(crate) session_limit: u64,
    /// The most bytes of all sessions.
    pub(crate) limit: u64,
    /// How often sessions are stored while they are served.
    pub(crate) checkpoint_every: Option<Duration>,
}

/// A place that processes share. One process has stored each value in it: a value appears when it
/// is complete, and its name is never used again. Everything may block, for a bounded time, except
/// [`Self::look`].
pub(crate) trait Place: fmt::Debug + Send + Sync {
    /// The address of the place, without secrets.
    fn shown(&self) -> String;

    /// Makes it ready, and removes the values of processes that ended while they wrote. Returns how
    /// many did.
    fn prepare(&self) -> io::Result<usize>;

    /// The complete values, oldest first.
    fn names(&self) -> io::Result<Vec<String>>;

    /// A new value of this node, which others see once it is finished.
    fn create(&self, node: NodeId) -> io::Result<Box<dyn Unfinished>>;

    /// Claims a value, so that no other process reads it. `None` if another one has it, or had it.
    fn claim(&self, name: &str) -> io::Result<Option<Box<dyn Claimed>>>;

    /// States that this process is alive, and that it holds sessions with ids of these nodes,
    /// beside those that it has named before.
    fn sign(&self, own: NodeId, nodes: &BTreeSet<NodeId>) -> io::Result<()>;

    /// This process holds no sessions any more.
    fn leave(&self);

    /// What this process knows of others and of their values. Called on a worker.
    fn look(&self, own: NodeId) -> Look;
}

/// A value that is being written. Dropped before it is finished, it leaves nothing that others
/// read.
pub(crate) trait Unfinished: Write {
    /// Completes the value, which replaces the one `before`. Others can read it when the result is
    /// dropped.
    fn finish(self: Box<Self>, before: Option<&dyn Claimed>) -> io::Result<Box<dyn Claimed>>;
}

/// A value that no other process reads until this is dropped.
pub(crate) trait Claimed: fmt::Debug + Send {
    /// Reads from the beginning.
    fn reader(&self) -> Box<dyn Read + '_>;

    /// Removes the value, so that no process reads it again. Its content can still be read here.
    fn remove(&self) -> io::Result<Removed>;
}

/// Who had a value when it was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Removed {
    Ours,
    /// Another process has read it meanwhile.
    Theirs,
}

/// What this process knows of others.
#[derive(Debug, Default)]
pub(crate) struct Look {
    /// The nodes that issued the ids of sessions of other processes.
    pub(crate) others: BTreeSet<NodeId>,
    /// The complete values.
    pub(crate) stored: Vec<String>,
    /// Nothing certain is known at the moment: clients have to come again.
    pub(crate) is_unsure: bool,
}

impl Settings {
    pub(crate) const fn new() -> Self {
        Self {
            application: None,
            session_limit: 16 * 1024 * 1024,
            limit: 4 * 1024 * 1024 * 1024,
            checkpoint_every: None,
        }
    }

    pub(crate) fn set_application(&mut self, name: &str) {
        self.application = Some(cut(name, MAX_NAME).to_owned());
    }

    pub(crate) fn named(&self, path: &str) -> String {
        self.application.clone().unwrap_or_else(|| path.to_owned())
    }
}

/// The most bytes of the name of an application.
const MAX_NAME: usize = 1024;
