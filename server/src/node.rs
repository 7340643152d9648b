//! One server process as its sessions see it: settings, handlers, and who is there.

use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Once, OnceLock};
use std::time::Duration;

use actix_web::http::Version;
use bowline_protocol::{
    Attach, Close, CloseCode, NodeId, Open, OpenKey, Secret, SessionId, Time, Token,
};
use tokio::sync::watch;

use crate::budget::Budget;
use crate::clock::Clock;
use crate::cluster::{Cluster, Hold};
use crate::complaints::{Complaints, WARNINGS};
use crate::config::Config;
use crate::guard::Guards;
use crate::guesses::Guesses;
use crate::handler::{Handlers, Hooks};
use crate::history::Histories;
use crate::keeper::Keeper;
use crate::presence::Presences;
use crate::random::random;
use crate::rooms::Rooms;
use crate::session::{LiveSession, Opened, Registry, Timers, Workers};
use crate::transport::Decisions;

#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) id: NodeId,
    pub(crate) config: Config,
    pub(crate) handlers: Handlers,
    pub(crate) hooks: Hooks,
    pub(crate) registry: Registry,
    pub(crate) rooms: Rooms,
    pub(crate) histories: Arc<Histories>,
    pub(crate) presence: Presences,
    pub(crate) timers: Arc<Timers>,
    pub(crate) workers: Workers,
    /// The connections of the host.
    pub(crate) guards: Arc<Guards>,
    pub(crate) complaints: Complaints,
    pub(crate) guesses: Guesses,
    /// What all sessions keep.
    pub(crate) budget: Budget,
    clock: Clock,
    /// Set once the node drains.
    draining: OnceLock<Draining>,
    /// Changes when the node begins to drain.
    drain: watch::Sender<()>,
    /// Hooks of the application that are under way.
    hooks_under_way: AtomicUsize,
    has_met_http2: AtomicBool,
    /// The middleware may be in the wrong place, and nobody has been told yet.
    pub(crate) order_warning: Once,
    opened: AtomicU64,
    /// What the application decides about attachments.
    pub(crate) decisions: Decisions,
    /// Carriers that are open now.
    pub(crate) carriers: AtomicUsize,
    /// The way to other nodes; `None` for a node that is alone.
    pub(crate) cluster: Option<Arc<Cluster>>,
    /// Sessions outlive this process.
    pub(crate) keeper: Option<Keeper>,
}

/// A node that drains.
#[derive(Debug)]
struct Draining {
    /// Until when clients get answers that are under way.
    until: Time,
    since: Time,
    /// They come back after `least`, and over what is left of `spread`.
    least: Duration,
    spread: Duration,
}

impl Node {
    pub(crate) fn new(config: Config, handlers: Handlers, hooks: Hooks) -> Arc<Self> {
        let clock = Clock::start();
        let id = NodeId::from_bytes(random());
        let node = Arc::new_cyclic(|node| Self {
            id,
            cluster: config
                .broker
                .as_ref()
                .map(|broker| Cluster::new(id, Arc::clone(broker), node.clone())),
            histories: Histories::new(&config, node.clone()),
            guards: Guards::new(clock, config.write_timeout, config.idle_timeout),
            budget: Budget::new(config.memory_limit()),
            keeper: Keeper::new(&config),
            config,
            handlers,
            hooks,
            registry: Registry::default(),
            rooms: Rooms::default(),
            presence: Presences::default(),
            timers: Timers::start(clock),
            workers: Workers::default(),
            complaints: Complaints::default(),
            guesses: Guesses::default(),
            clock,
            draining: OnceLock::new(),
            drain: watch::Sender::default(),
            hooks_under_way: AtomicUsize::new(0),
            has_met_http2: AtomicBool::new(false),
            order_warning: Once::new(),
            opened: AtomicU64::new(0),
            decisions: Decisions::default(),
            carriers: AtomicUsize::new(0),
        });
        if let Some(cluster) = &node.cluster {
            // Set once, here.
            let _ = node.rooms.watcher.set(Arc::clone(cluster));
            cluster.start();
        }
        if let Some(keeper) = &node.keeper {
            keeper.revive(&node);
        }
        node
    }

    /// Until this is dropped, what the thread publishes to other nodes waits, to leave together.
    pub(crate) fn hold(&self) -> Option<Hold> {
        self.cluster.as_ref()?.hold()
    }

    /// Warns of something that a peer does, unless there were enough warnings of this kind.
    pub(crate) fn complain(&self, kind: &'static str, what: fmt::Arguments<'_>) {
        if log::log_enabled!(log::Level::Warn)
            && let Some(suppressed) = self.complaints.admit_kind(kind, WARNINGS, self.now())
        {
            log::warn!("{what}{suppressed}");
        }
    }

    pub(crate) fn now(&self) -> Time {
        self.clock.now()
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
                LiveSession::new(Arc::clone(self), id, secrets, address, seed)
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
            // As if it were not there. A session of an earlier process is here because it was stored.
            Some(_) if self.keeper.is_some() => Err(Close::new(self.lost(attach.session))),
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
        let may_come = |keeper: &Keeper| self.is_draining() || keeper.expects(self, session);
        self.keeper.as_ref().is_some_and(may_come)
    }

    fn has_handed(&self, session: SessionId) -> bool {
        self.cluster.as_ref().is_some_and(|cluster| {
            // A session that is just being handed over is not there any more and not known to be elsewhere yet.
            let _pass = cluster.pass();
            cluster.handed(session).is_some()
        })
    }

    /// From now on, everyone who comes is told when to come back.
    /// For so long those whose handlers are at work are left alone.
    pub(crate) fn start_draining(&self, patience: Duration) {
        let (least, spread) = match &self.keeper {
            None => (Duration::ZERO, self.config.drain_spread),
            Some(_) => (COME_BACK, self.config.resume_spread(self.registry.len())),
        };
        let now = self.now();
        let draining = Draining { until: now + patience, since: now, least, spread };
        if self.draining.set(draining).is_ok() {
            self.drain.send_replace(());
        }
    }

    /// Waits until the node drains, and yields what the client is told then.
    pub(crate) async fn drained(&self) -> Close {
        let mut drain = self.drain.subscribe();
        if !self.is_draining() {
            // The sender lives as long as the node.
            let _ = drain.changed().await;
        }
        self.drain_close()
    }

    /// True while clients whose handlers are at work still get their answers from a node that drains.
    pub(crate) fn awaits_answers(&self) -> bool {
        self.draining.get().is_some_and(|draining| self.now() < draining.until)
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.get().is_some()
    }

    /// A hook of the application is under way until the result is dropped.
    pub(crate) fn hook_begins(self: &Arc<Self>) -> HookUnderWay {
        self.hooks_under_way.fetch_add(1, Ordering::Relaxed);
        HookUnderWay(Arc::clone(self))
    }

    pub(crate) fn has_hooks_under_way(&self) -> bool {
        self.hooks_under_way.load(Ordering::Relaxed) > 0
    }

    /// Carriers that are open now.
    pub(crate) fn carriers(&self) -> usize {
        self.carriers.load(Ordering::Relaxed)
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

    /// Sends a client away for a random while within the spread, so that not all come back to the
    /// next process in the same moment.
    pub(crate) fn drain_close(&self) -> Close {
        let (least, spread) = match self.draining.get() {
            Some(Draining { since, least, spread, .. }) if self.keeper.is_some() => {
                // Who has come back already is among the first of the rest.
                (*least, spread.saturating_sub(self.now() - *since))
            }
            Some(Draining { least, spread, .. }) => (*least, *spread),
            None => (Duration::ZERO, self.config.drain_spread),
        };
        let spread = u64::try_from(spread.as_millis()).unwrap_or(u64::MAX);
        let after = u64::from_ne_bytes(random()) % spread.max(1);
        Close::new(CloseCode::DRAINING).after(least + Duration::from_millis(after))
    }

    /// Sends a client away whose session is about to come from another process.
    pub(crate) fn come_back(&self) -> Close {
        if self.is_draining() {
            return self.drain_close();
        }
        Close::new(CloseCode::DRAINING).after(COME_BACK)
    }

    /// Writes the sessions to the store, if there is one. Blocks.
    pub(crate) fn keep(self: &Arc<Self>) {
        if let Some(keeper) = &self.keeper {
            keeper.keep(self);
        }
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

/// A hook of the application that is under way.
#[derive(Debug)]
pub(crate) struct HookUnderWay(Arc<Node>);

impl Drop for HookUnderWay {
    fn drop(&mut self) {
        self.0.hooks_under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How long a client waits at least that is to find its session in the next process: for this one to end.
const COME_BACK: Duration = Duration::from_millis(500);

/// An odd number whose multiples visit all seeds evenly.
const SPREAD: u64 = 0x9e37_79b9;
