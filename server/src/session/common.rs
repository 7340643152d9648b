//! What the sessions of a node have in common: settings, the clock, the tables and threads that
//! serve all of them, and the budget of what they keep.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bowline_protocol::{NodeId, Time};

use super::{Drain, Registry, Timers, Workers};
use crate::budget::Budget;
use crate::clock::Clock;
use crate::complaints::{Complaints, WARNINGS};
use crate::config::Config;
use crate::rates::Limiter;

#[derive(Debug)]
pub(crate) struct Common {
    /// The node that they are on.
    pub(crate) id: NodeId,
    pub(crate) config: Config,
    pub(crate) registry: Registry,
    pub(crate) timers: Arc<Timers>,
    pub(crate) workers: Workers,
    pub(crate) complaints: Complaints,
    /// Bytes that all sessions keep.
    pub(crate) budget: Budget,
    /// The messages that users and addresses send.
    pub(crate) limiter: Limiter,
    /// Carriers that are open now.
    pub(super) carriers: AtomicUsize,
    pub(super) drain: Drain,
    clock: Clock,
    /// Hooks of the application that are under way.
    hooks_under_way: AtomicUsize,
    /// Something was emitted to sessions that had been taken out to be stored.
    has_missed: AtomicBool,
}

impl Common {
    pub(crate) fn new(id: NodeId, config: Config, clock: Clock) -> Arc<Self> {
        Arc::new(Self {
            id,
            budget: Budget::new(config.memory_limit()),
            limiter: Limiter::new(config.rate_limits.is_some(), config.max_sessions),
            config,
            registry: Registry::default(),
            timers: Timers::start(clock),
            workers: Workers::default(),
            complaints: Complaints::default(),
            carriers: AtomicUsize::new(0),
            drain: Drain::default(),
            clock,
            hooks_under_way: AtomicUsize::new(0),
            has_missed: AtomicBool::new(false),
        })
    }

    pub(crate) fn now(&self) -> Time {
        self.clock.now()
    }

    /// Warns of something that a peer does, unless there were enough warnings of this kind.
    pub(crate) fn complain(&self, kind: &'static str, what: fmt::Arguments<'_>) {
        if log::log_enabled!(log::Level::Warn)
            && let Some(suppressed) = self.complaints.admit_kind(kind, WARNINGS, self.now())
        {
            log::warn!("{what}{suppressed}");
        }
    }

    /// A session that was taken out to be stored did not receive something.
    pub(crate) fn note_missed(&self) {
        self.has_missed.store(true, Ordering::Relaxed);
    }

    pub(crate) fn has_missed(&self) -> bool {
        self.has_missed.load(Ordering::Relaxed)
    }

    /// Carriers that are open now.
    pub(crate) fn carriers(&self) -> usize {
        self.carriers.load(Ordering::Relaxed)
    }

    /// A hook of the application is under way until the result is dropped.
    pub(crate) fn hook_begins(self: &Arc<Self>) -> HookUnderWay {
        self.hooks_under_way.fetch_add(1, Ordering::Relaxed);
        HookUnderWay(Arc::clone(self))
    }

    pub(crate) fn has_hooks_under_way(&self) -> bool {
        self.hooks_under_way.load(Ordering::Relaxed) > 0
    }
}

/// A hook of the application that is under way.
#[derive(Debug)]
pub(crate) struct HookUnderWay(Arc<Common>);

impl Drop for HookUnderWay {
    fn drop(&mut self) {
        self.0.hooks_under_way.fetch_sub(1, Ordering::Relaxed);
    }
}
