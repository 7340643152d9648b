//! The sign and the claims of this process, and what it knows of others.

#![expect(clippy::disallowed_methods, reason = "signs between processes are sent and awaited")]

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bowline_protocol::NodeId;
use tokio::sync::{Notify, oneshot};
use tokio::time::{sleep, timeout};

use super::connection::Reach;
use super::scripts::{self, LIFE};
use crate::locks::lock;
use crate::random::random;
use crate::store::place::Look;

pub(super) struct Signs {
    reach: Arc<Reach>,
    state: Mutex<State>,
    /// Notified when a client needs to know.
    asked: Notify,
    /// One renewal at a time, so that none writes an outdated sign.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    /// `None` while this process has no sign.
    own: Option<NodeId>,
    /// The nodes that issued the ids of its sessions.
    nodes: BTreeSet<NodeId>,
    claims: BTreeSet<Claim>,
    others: BTreeSet<NodeId>,
    /// The values that no process has claimed.
    stored: Vec<String>,
    /// Another process has claimed a value: its sessions will be there, or here.
    is_reading_elsewhere: bool,
    /// When the signs of others were last read, and requested.
    seen: Option<Instant>,
    wanted: Option<Instant>,
    down_since: Option<Instant>,
}

/// A value that this process reads.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Claim {
    pub(super) name: String,
    pub(super) token: String,
}

impl Claim {
    pub(super) fn new(name: String) -> Self {
        Self { name, token: format!("{:032x}", u128::from_ne_bytes(random())) }
    }
}

impl Signs {
    pub(super) fn new(reach: Arc<Reach>) -> Self {
        let (asked, turn) = (Notify::new(), tokio::sync::Mutex::default());
        Self { reach, state: Mutex::default(), asked, turn }
    }

    pub(super) const fn reach(&self) -> &Arc<Reach> {
        &self.reach
    }

    /// Sets the sign, which others read from the next renewal on.
    pub(super) fn set(&self, own: NodeId, nodes: &BTreeSet<NodeId>) {
        let mut state = lock(&self.state);
        state.own = Some(own);
        state.nodes.extend(nodes);
    }

    pub(super) fn claims(&self, claim: Claim) {
        lock(&self.state).claims.insert(claim);
    }

    pub(super) fn no_longer_claims(&self, claim: &Claim) {
        lock(&self.state).claims.remove(claim);
    }

    /// Discards what was read of others, because they have acted since.
    pub(super) fn are_outdated(&self) {
        lock(&self.state).seen = None;
    }

    /// What is known, without waiting for Redis: requests the current state in the meantime.
    pub(super) fn look(&self) -> Look {
        let mut state = lock(&self.state);
        let now = Instant::now();
        state.wanted = Some(now);
        let is_fresh = state.seen.is_some_and(|seen| now - seen < FRESH);
        if !is_fresh {
            self.asked.notify_one();
        }
        // Redis has been unreachable for longer than signs last.
        let is_lost = state.down_since.is_some_and(|since| now - since >= LIFE);
        if is_lost && !is_fresh {
            return Look::default();
        }
        let (others, stored) = (state.others.clone(), state.stored.clone());
        Look { others, stored, is_unsure: !is_fresh || state.is_reading_elsewhere }
    }

    /// Renews until the store is dropped.
    pub(super) async fn keep(self: Arc<Self>, mut dropped: oneshot::Receiver<()>) {
        loop {
            let pause = self.pause();
            tokio::select! {
                _ = &mut dropped => break,
                () = self.asked.notified(), if pause > SOON => {}
                () = sleep(pause) => {}
            }
            let _ = self.renew().await;
        }
        let _ = timeout(LAST, self.leave()).await;
    }

    fn pause(&self) -> Duration {
        let state = lock(&self.state);
        let is_wanted = state.wanted.is_some_and(|at| at.elapsed() < EAGER);
        if is_wanted { SOON } else { EVERY }
    }

    /// Writes the sign of this process, and reads those of others.
    pub(super) async fn renew(&self) -> io::Result<()> {
        let _turn = self.turn.lock().await;
        let (own, nodes, claims) = {
            let state = lock(&self.state);
            let nodes: Vec<_> = state.nodes.iter().map(NodeId::to_string).collect();
            (state.own, nodes.join(" "), state.claims.clone())
        };
        // Claims expire before the sign does.
        for claim in &claims {
            let renewed = self.reach.ask_once::<u64>(|keys| scripts::renew(keys, claim)).await;
            renewed.or_else(|error| self.fails(error))?;
        }
        let own = own.map(|own| own.to_string()).unwrap_or_default();
        let nodes = if own.is_empty() { "" } else { &*nodes };
        let heard = self.reach.ask_once(|keys| scripts::sign(keys, &own, nodes)).await;
        let (others, stored): (Vec<String>, Vec<String>) =
            heard.or_else(|error| self.fails(error))?;
        let claimed = self.claimed(&stored).await.or_else(|error| self.fails(error))?;
        let each = others.iter().flat_map(|nodes| nodes.split(' '));
        let mut state = lock(&self.state);
        state.others = each.filter_map(|node| node.parse().ok()).collect();
        let of_others = |token: &String| claims.iter().all(|claim| claim.token != *token);
        state.is_reading_elsewhere = claimed.iter().flatten().any(of_others);
        let free = stored.into_iter().zip(claimed).filter(|(_, claimed)| claimed.is_none());
        state.stored = free.map(|(name, _)| name).collect();
        state.seen = Some(Instant::now());
        if state.down_since.take().is_some() {
            log::info!("{} can be reached again", self.reach.shown);
        }
        Ok(())
    }

    /// The tokens of the claims of these values.
    async fn claimed(&self, names: &[String]) -> io::Result<Vec<Option<String>>> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        self.reach.ask_once(|keys| scripts::claims(keys, names)).await
    }

    fn fails<T>(&self, error: io::Error) -> io::Result<T> {
        let mut state = lock(&self.state);
        if state.down_since.is_none() {
            state.down_since = Some(Instant::now());
            let shown = &self.reach.shown;
            log::warn!("sessions cannot be stored in {shown} at the moment: {error}");
        }
        Err(error)
    }

    /// Releases a claim: another process may read the value.
    pub(super) async fn release(&self, claim: &Claim) -> io::Result<u64> {
        let _turn = self.turn.lock().await;
        self.reach.ask_once(|keys| scripts::release(keys, claim)).await
    }

    /// This process holds no sessions any more.
    pub(super) async fn leave(&self) -> io::Result<()> {
        let _turn = self.turn.lock().await;
        let own = lock(&self.state).own.take();
        let Some(own) = own.map(|own| own.to_string()) else { return Ok(()) };
        self.reach.ask::<u64>(|keys| scripts::leave(keys, &own)).await.map(drop)
    }
}

/// How often the sign of this process is renewed.
const EVERY: Duration = Duration::from_secs(3);
/// How often it is renewed while clients connect with sessions that are not here, and for how long
/// after the last.
const SOON: Duration = Duration::from_millis(100);
const EAGER: Duration = Duration::from_secs(2);
/// How long the signs of others are valid. More than [`SOON`], and much less than a client of
/// another process needs to connect here.
const FRESH: Duration = Duration::from_millis(300);
/// How long the last command may take, when the store is dropped.
const LAST: Duration = Duration::from_secs(3);
