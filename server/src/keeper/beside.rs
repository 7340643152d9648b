//! Several processes at the same time: a new one serves already while the old one still holds
//! sessions.
//!
//! Each process writes to the store that it is alive, and which nodes issued the ids of its
//! sessions. A process asks a client that connects to the wrong one to come back. When the other
//! process has stored its sessions, the next client that connects makes this one read them. Events
//! that rooms receive meanwhile do not reach those sessions, so the server reports a gap to them.

#![expect(
    clippy::disallowed_methods,
    reason = "one thread reads what another process has stored meanwhile"
)]

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bowline_protocol::{NodeId, SessionId};

use super::{Keeper, revive};
use crate::locks::lock;
use crate::node::Node;
use crate::store::place::Look;

/// What this process knows of others.
#[derive(Default)]
pub(super) struct Beside {
    seen: Mutex<Seen>,
    /// A thread is reading sessions that others have stored.
    is_reading: AtomicBool,
}

#[derive(Default)]
struct Seen {
    at: Option<Instant>,
    /// The nodes that issued the ids of sessions of other processes.
    others: BTreeSet<NodeId>,
    is_unsure: bool,
}

impl Beside {
    /// Writes to the store which nodes issued the ids of the sessions here.
    pub(super) fn sign(&self, keeper: &Keeper, node: &Node) {
        let sessions = node.registry.all();
        let mut nodes: BTreeSet<_> = sessions.iter().map(|session| session.id.node()).collect();
        nodes.insert(node.id);
        let place = &keeper.store.place;
        if let Err(error) = place.sign(node.id, &nodes) {
            log::warn!("other processes cannot see this one in {}: {error}", place.shown());
        }
    }

    pub(super) fn expects(
        &self,
        keeper: &Arc<Keeper>,
        node: &Arc<Node>,
        session: SessionId,
    ) -> bool {
        let is_elsewhere = {
            let mut seen = lock(&self.seen);
            if seen.at.is_none_or(|at| at.elapsed() >= PAUSE) {
                self.look(keeper, node, &mut seen);
            }
            seen.is_unsure || seen.others.contains(&session.node())
        };
        // It may have arrived since the search for it.
        is_elsewhere
            || self.is_reading.load(Ordering::Acquire)
            || node.registry.get(&session).is_some()
    }

    /// Reads which other processes exist, and what they have stored meanwhile.
    fn look(&self, keeper: &Arc<Keeper>, node: &Arc<Node>, seen: &mut Seen) {
        seen.at = Some(Instant::now());
        let Look { others, stored, is_unsure } = keeper.store.place.look(node.id);
        (seen.others, seen.is_unsure) = (others, is_unsure);
        if !keeper.readable(stored).is_empty() && !self.is_reading.swap(true, Ordering::AcqRel) {
            let (keeper, node) = (Arc::clone(keeper), Arc::clone(node));
            std::thread::spawn(move || {
                revive::late(&keeper, &node);
                keeper.beside.sign(&keeper, &node);
                keeper.beside.is_reading.store(false, Ordering::Release);
            });
        }
    }
}

/// How long a look at the store is valid, so that clients that name unknown sessions cause no more
/// reads than that.
const PAUSE: Duration = Duration::from_millis(100);
