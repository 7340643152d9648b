//! One server process: its sessions, and all that is around them.

mod application;
mod attaching;
mod contexts;
#[cfg(feature = "actix-session")]
mod cookie_session;
#[cfg(not(feature = "actix-session"))]
#[path = "no_cookie_session.rs"]
mod cookie_session;
mod decisions;
mod namespaces;
mod outbound;
mod search;
mod session_keeper;
mod streams;
mod surroundings;
mod topics;

use std::net::IpAddr;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Once, OnceLock, Weak};

use actix_web::HttpRequest;
use actix_web::http::Version;
use bowline_protocol::{Attach, Close, CloseCode, NodeId, Open, OpenKey, Secret, SessionId, Token};

pub use application::Prepared;
pub(crate) use application::{AnyHandler, Handlers, HandshakeHook, Hooks};
pub use attaching::Attaching;
pub use contexts::{ConnectContext, MessageContext, RefreshContext, SessionContext};
pub(crate) use decisions::AttachDecision;
use decisions::Decisions;
pub(crate) use namespaces::NamespaceHooks;
use namespaces::Namespaces;
pub use outbound::{Outbound, Verdict};
pub(crate) use session_keeper::SessionKeeper;
pub use streams::StreamContext;
pub(crate) use streams::{StreamHandlers, Streaming};
pub use topics::{Grant, TopicContext};
pub(crate) use topics::{Granting, Topics};

use crate::broker::Hold;
use crate::clock::Clock;
use crate::cluster::Cluster;
use crate::config::Config;
use crate::guard::Guards;
use crate::guesses::Guesses;
use crate::local::Local;
use crate::random::random;
use crate::session::{Common, LiveSession, Opened, Surroundings, Worker};

#[derive(Debug)]
pub(crate) struct Node {
    /// This node, for handles.
    own: Weak<Self>,
    pub(crate) local: Arc<Local>,
    handlers: Handlers,
    pub(crate) hooks: Hooks,
    /// The connections of the host.
    pub(crate) guards: Arc<Guards>,
    pub(crate) guesses: Guesses,
    has_met_http2: AtomicBool,
    /// Logs once that the middleware may be in the wrong place.
    pub(crate) order_warning: Once,
    opened: AtomicU64,
    /// What the application decides about attachments.
    pub(crate) decisions: Decisions,
    /// The way to other nodes; `None` for a node that is alone.
    pub(crate) cluster: Option<Arc<Cluster>>,
    /// Sessions outlive this process.
    keeper: OnceLock<Arc<dyn SessionKeeper>>,
}

impl Node {
    pub(crate) fn new(config: Config, handlers: Handlers, hooks: Hooks) -> Arc<Self> {
        let clock = Clock::start();
        let guards = Guards::new(clock, config.write_timeout, config.idle_timeout);
        let node = Arc::new_cyclic(|node: &Weak<Self>| {
            let (local, cluster) = assemble(config, clock, node.clone());
            Self {
                own: node.clone(),
                local,
                cluster,
                handlers,
                hooks,
                guards,
                guesses: Guesses::default(),
                has_met_http2: AtomicBool::new(false),
                order_warning: Once::new(),
                opened: AtomicU64::new(0),
                decisions: Decisions::default(),
                keeper: OnceLock::new(),
            }
        });
        if let Some(cluster) = &node.cluster {
            node.rooms.watch(Arc::clone(cluster) as _);
            node.presence.meet(Arc::clone(cluster) as _);
            cluster.start();
        }
        node
    }

    /// Until this is dropped, what the thread publishes to other nodes waits, to leave together.
    pub(crate) fn hold(&self) -> Option<Hold> {
        self.cluster.as_ref()?.hold()
    }

    /// For a handle on this node.
    pub(crate) fn share(&self) -> Arc<Self> {
        self.own.upgrade().expect("whoever refers to the node keeps it")
    }

    /// What sessions of this node call.
    pub(crate) fn surroundings(self: &Arc<Self>) -> Arc<dyn Surroundings> {
        Arc::clone(self) as _
    }

    /// Makes the current thread known, with the first request that comes there.
    pub(crate) fn meet_worker(self: &Arc<Self>, request: &HttpRequest) {
        if Worker::enter(&self.common, request)
            && let Some(cluster) = &self.cluster
        {
            // Others may hand their sessions to this node from now on.
            cluster.announce(&self.local);
        }
    }

    /// The session that this open asks for, made now or by an earlier open with the same key.
    pub(crate) fn open(
        self: &Arc<Self>,
        open: &Open,
        address: Option<IpAddr>,
    ) -> Result<Opened, Close> {
        let opened = self.registry.open(
            &open.key,
            address,
            (&self.config, &self.budget),
            self.now(),
            || {
                let id = SessionId::new(self.id, random());
                let secrets: (Secret, OpenKey) = (Token::from_bytes(random()), open.key);
                let seed = self.opened.fetch_add(1, Ordering::Relaxed).wrapping_mul(SPREAD);
                LiveSession::new(&self.common, self.surroundings(), id, secrets, address, seed)
            },
        );
        let (opened, displaced) = opened?;
        if let Some(displaced) = displaced {
            let close = Close::new(CloseCode::SESSION_EXPIRED);
            displaced.with(|state, now| state.core.abort(close, now));
        }
        Ok(opened)
    }

    /// The session that this line speaks for.
    ///
    /// # Errors
    /// The same close whether the session is unknown or the secret is wrong, so that nobody can ask
    /// which ids exist.
    pub(crate) fn find(self: &Arc<Self>, attach: &Attach) -> Result<Arc<LiveSession>, Close> {
        let found = self.registry.get(&attach.session);
        match found {
            Some(session) if session.secret == attach.secret => Ok(session),
            // It was handed over a moment ago: its client finds it with the next attempt.
            None if self.has_handed(attach.session) => Err(self.drain_close()),
            _ if self.may_come(attach.session) => Err(self.come_back()),
            None => Err(Close::new(self.lost(attach.session))),
            // As if it were not there. A session of an earlier process is here because it was
            // stored.
            Some(_) if self.common.stores_sessions() => Err(Close::new(self.lost(attach.session))),
            Some(_) => Err(Close::new(CloseCode::SESSION_EXPIRED)),
        }
    }

    /// What is said of a session that is nowhere.
    fn lost(&self, session: SessionId) -> CloseCode {
        let is_ours = session.node() == self.id;
        if is_ours { CloseCode::SESSION_EXPIRED } else { CloseCode::SESSION_RESTARTED }
    }

    /// True if the session may be among those that are stored, or about to be.
    fn may_come(self: &Arc<Self>, session: SessionId) -> bool {
        let Some(keeper) = self.keeper.get() else { return false };
        self.is_draining() || Arc::clone(keeper).expects(self, session)
    }

    fn has_handed(&self, session: SessionId) -> bool {
        self.cluster.as_ref().is_some_and(|cluster| {
            // A session that is just being handed over is not there any more and not known to be
            // elsewhere yet.
            let _pass = cluster.pass();
            cluster.handed(session).is_some()
        })
    }

    /// Remembers over which HTTP clients come.
    pub(crate) fn meet(&self, version: Version) {
        if version == Version::HTTP_2 && !self.has_met_http2() {
            self.has_met_http2.store(true, Ordering::Relaxed);
        }
    }

    pub(crate) fn has_met_http2(&self) -> bool {
        self.has_met_http2.load(Ordering::Relaxed)
    }

    /// From now on the sessions are kept. Called once, before the node serves.
    pub(crate) fn keep_with(&self, keeper: Arc<dyn SessionKeeper>) {
        // There is none before.
        let _ = self.keeper.set(keeper);
    }

    #[cfg(test)]
    pub(crate) fn keeper(&self) -> &Arc<dyn SessionKeeper> {
        self.keeper.get().expect("the node has a store")
    }

    /// Called before the application sees or changes sessions.
    pub(crate) fn commit(self: &Arc<Self>) {
        if let Some(keeper) = self.keeper.get() {
            keeper.commit(self);
        }
    }

    /// Writes the sessions to the store, if there is one. Blocks.
    pub(crate) fn keep(self: &Arc<Self>) {
        if let Some(keeper) = self.keeper.get() {
            keeper.keep(self);
        }
    }
}

impl Deref for Node {
    type Target = Local;

    fn deref(&self) -> &Local {
        &self.local
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.timers.stop();
        self.guards.stop();
        if let Some(cluster) = &self.cluster {
            cluster.stop();
        }
    }
}

/// What a node has by itself, and its way to the others.
fn assemble(
    config: Config,
    clock: Clock,
    surroundings: Weak<Node>,
) -> (Arc<Local>, Option<Arc<Cluster>>) {
    let (id, broker) = (NodeId::from_bytes(random()), config.broker.clone());
    let mut cluster = None;
    let local = Arc::new_cyclic(|local: &Weak<Local>| {
        cluster = broker.map(|broker| Cluster::new(id, broker, local.clone()));
        let others = cluster.clone();
        let report_gap = move |room: &str, missed| {
            if let Some(cluster) = &others {
                cluster.report_room(room, missed);
            }
        };
        Local::new(Common::new(id, config, clock), Box::new(report_gap), surroundings)
    });
    (local, cluster)
}

/// An odd number whose multiples visit all seeds evenly.
const SPREAD: u64 = 0x9e37_79b9;
