//! Where sessions are between two processes, whatever that is: what `keep`, `revive` and `beside`
//! ask of it.

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

/// What every store can be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    application: Option<String>,
    /// Bytes of one session.
    pub(crate) session_limit: u64,
    /// Bytes of all sessions.
    pub(crate) limit: u64,
    /// How often sessions are stored while they are served.
    pub(crate) checkpoint_every: Option<Duration>,
}

/// A place that processes share. A value in it is what one process has stored: it appears when it
/// is whole, and its name is never used again. Everything may block, for a bounded time, except
/// [`Self::look`].
pub(crate) trait Place: fmt::Debug + Send + Sync {
    /// Where it is, without secrets.
    fn shown(&self) -> String;

    /// Makes it ready, and removes what processes have left that ended while they wrote. Returns
    /// how many did.
    fn prepare(&self) -> io::Result<usize>;

    /// The values that are whole, oldest first.
    fn names(&self) -> io::Result<Vec<String>>;

    /// A new value of this node, which is there for others once it is finished.
    fn create(&self, node: NodeId) -> io::Result<Box<dyn Unfinished>>;

    /// Takes a value, so that no other process reads it. `None` if another one has it, or had it.
    fn claim(&self, name: &str) -> io::Result<Option<Box<dyn Claimed>>>;

    /// Says that this process lives, and that it holds sessions with ids of these nodes, beside
    /// those that it has named before.
    fn sign(&self, own: NodeId, nodes: &BTreeSet<NodeId>) -> io::Result<()>;

    /// This process holds no sessions any more.
    fn leave(&self);

    /// What is known of other processes and of what they have stored. Called on a worker.
    fn look(&self, own: NodeId) -> Look;
}

/// A value that is being written. Dropped before it is finished it leaves nothing that is read.
pub(crate) trait Unfinished: Write {
    /// Everything is written: the value is there instead of the one `before`. Others read it when
    /// what is returned is dropped.
    fn finish(self: Box<Self>, before: Option<&dyn Claimed>) -> io::Result<Box<dyn Claimed>>;
}

/// A value that no other process reads, until this is dropped.
pub(crate) trait Claimed: fmt::Debug + Send {
    /// Reads from the begin.
    fn reader(&self) -> Box<dyn Read + '_>;

    /// Removes the value, so that nobody reads it again. What it holds can still be read here.
    fn remove(&self) -> io::Result<Removed>;
}

/// Whose a value was when it was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Removed {
    Ours,
    /// Another process has taken it meanwhile.
    Theirs,
}

/// What is known of other processes.
#[derive(Debug, Default)]
pub(crate) struct Look {
    /// The nodes of whose sessions other processes hold some.
    pub(crate) others: BTreeSet<NodeId>,
    /// Values that are whole.
    pub(crate) stored: Vec<String>,
    /// Nothing certain is known at the moment: who asks shall ask again.
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

/// Bytes of the name of an application.
const MAX_NAME: usize = 1024;
