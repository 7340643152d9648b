//! Redis, version 7 or newer, as the place of sessions between two processes.
//!
//! A value is a hash of chunks. It is written under a key of its own, which expires by itself, and
//! renamed to the key that others read when it is complete. Scripts decide which process has it:
//! `scripts.rs`. All keys of a store have one hash tag, so a cluster of servers has them on one
//! server.
//!
//! The thread `bowline-store` owns the connection. Whoever writes or reads waits for it, and each
//! wait is bounded (`connection.rs`). The thread also renews the claims and the sign of this
//! process, and stores those of others, so that no request of a client waits for Redis
//! (`signs.rs`).

mod connection;
mod scripts;
mod signs;
mod thread;
mod value;

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::sync::{Arc, OnceLock};

use bowline_protocol::NodeId;
use redis::ConnectionInfo;

use super::names::Names;
use super::place::{self, Look, Place, Settings, Store};
use crate::broker::{ConnectError, address};
use connection::Reach;
use signs::Signs;
use thread::Thread;
use value::{Claimed, Unfinished};

/// Keeps the sessions of a process that ends in Redis, version 7 or newer, for the next one: where
/// the disk of a process does not outlive it. See
/// [`BowlineBuilder::store`](crate::BowlineBuilder::store); what [`FileStore`](crate::FileStore)
/// promises, it promises as well, except for checkpoints: a process that is suspended for long
/// would lose its claim to one, and serve its sessions beside the process that has read it.
///
/// ```no_run
/// use bowline_server::{Bowline, RedisStore};
///
/// # fn main() -> Result<(), bowline_server::broker::ConnectError> {
/// let store = RedisStore::new("redis://127.0.0.1:6379")?;
/// let bowline = Bowline::builder().store(store).build();
/// # Ok(())
/// # }
/// ```
///
/// Redis then contains the secrets by which clients own their sessions, the packets that they have
/// not confirmed, and the values that the application keeps with them, readable for everyone who
/// may read its keys. Use an ACL user of its own, `rediss://` where others can listen, and a Redis
/// that no one else needs to read. The keys exist from the end of one process to the start of the
/// next, which removes them, and for an hour at most. Until then they use as much memory as the
/// sessions do, so Redis needs room for them, and no policy that evicts keys.
///
/// While Redis cannot be reached, a process starts without the sessions and logs a warning; it
/// continues them when Redis is reachable again. A process that ends meanwhile loses its sessions,
/// and logs an error.
#[derive(Clone)]
#[must_use = "a store is given to BowlineBuilder::store"]
pub struct RedisStore {
    info: ConnectionInfo,
    shown: String,
    prefix: String,
    settings: Settings,
}

impl RedisStore {
    /// In the Redis at this URL: `redis://host:6379`, `rediss://…` for TLS,
    /// `redis://user:password@…` for an ACL user, `redis://…/2` for another database. One server
    /// of a cluster is enough. Connects when sessions are read or stored.
    ///
    /// # Errors
    /// When it is not such a URL.
    pub fn new(url: &str) -> Result<Self, ConnectError> {
        let (info, shown) = address(url)?;
        Ok(Self { info, shown, prefix: "bowline".to_owned(), settings: Settings::new() })
    }

    /// All keys begin with this prefix and `:store:`; on a cluster of servers the prefix and
    /// `:store` are in braces. Defaults to `bowline`. Processes that continue each other's
    /// sessions use the same.
    pub fn prefix(mut self, prefix: &str) -> Self {
        prefix.clone_into(&mut self.prefix);
        self
    }

    /// As [`FileStore::application`](crate::FileStore::application): the server leaves alone
    /// what others have stored with the same prefix.
    pub fn application(mut self, name: &str) -> Self {
        self.settings.set_application(name);
        self
    }

    /// As [`FileStore::session_limit`](crate::FileStore::session_limit). Defaults to 16 MiB.
    pub const fn session_limit(mut self, bytes: u64) -> Self {
        self.settings.session_limit = bytes;
        self
    }

    /// As [`FileStore::limit`](crate::FileStore::limit). Defaults to 4 GiB.
    pub const fn limit(mut self, bytes: u64) -> Self {
        self.settings.limit = bytes;
        self
    }
}

impl From<RedisStore> for Store {
    fn from(store: RedisStore) -> Self {
        let RedisStore { info, shown, prefix, settings } = store;
        let shown = format!("Redis at {shown}");
        let reach = Arc::new(Reach::new(info, shown.clone(), prefix));
        let signs = Arc::new(Signs::new(reach));
        Self {
            settings,
            place: Arc::new(Keys {
                signs,
                shown,
                names: Names::default(),
                thread: OnceLock::new(),
            }),
        }
    }
}

/// The keys of a store.
struct Keys {
    shown: String,
    names: Names,
    signs: Arc<Signs>,
    /// Started when it is first needed.
    thread: OnceLock<Thread>,
}

impl Keys {
    fn thread(&self) -> io::Result<&Thread> {
        if let Some(thread) = self.thread.get() {
            return Ok(thread);
        }
        let thread = Thread::start(Arc::clone(&self.signs))?;
        Ok(self.thread.get_or_init(|| thread))
    }
}

impl Place for Keys {
    fn shown(&self) -> String {
        self.shown.clone()
    }

    /// Unfinished values expire by themselves.
    fn prepare(&self) -> io::Result<usize> {
        self.names().map(|_| 0)
    }

    fn names(&self) -> io::Result<Vec<String>> {
        let reach = Arc::clone(self.signs.reach());
        self.thread()?.ask(async move { reach.ask(scripts::names).await })
    }

    fn create(&self, node: NodeId) -> io::Result<Box<dyn place::Unfinished>> {
        let name = self.names.next(node);
        Ok(Box::new(Unfinished::new(self.thread()?.hand(), &self.signs, name)))
    }

    fn claim(&self, name: &str) -> io::Result<Option<Box<dyn place::Claimed>>> {
        let claimed = Claimed::new(self.thread()?.hand(), &self.signs, name)?;
        Ok(claimed.map(|claimed| Box::new(claimed) as _))
    }

    fn sign(&self, own: NodeId, nodes: &BTreeSet<NodeId>) -> io::Result<()> {
        self.signs.set(own, nodes);
        let signs = Arc::clone(&self.signs);
        // Does not wait for a server that could not be reached just now: it receives the sign when
        // it is back.
        signs.reach().check()?;
        self.thread()?.ask(async move { signs.renew().await })
    }

    fn leave(&self) {
        let signs = Arc::clone(&self.signs);
        // Does not wait for a server that cannot be reached: the sign expires by itself.
        let known = self.signs.reach().check().and_then(|()| self.thread());
        let left = known.and_then(|thread| thread.ask(async move { signs.leave().await }));
        if let Err(error) = left {
            log::warn!("{} still states that this process has sessions: {error}", self.shown);
        }
    }

    fn look(&self, _: NodeId) -> Look {
        self.signs.look()
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Keys").field(&self.shown).finish()
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { shown, prefix, settings, .. } = self;
        f.debug_struct("RedisStore")
            .field("address", shown)
            .field("prefix", prefix)
            .field("settings", settings)
            .finish()
    }
}
