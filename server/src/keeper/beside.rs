//! Processes beside each other: a new one that serves already while the old one still holds
//! sessions.
//!
//! Each says in the store that it lives, and of which nodes the ids of its sessions are. A client
//! that comes to the wrong one is told to come back. When the other one has stored its sessions,
//! the next client that comes has them read. What is said to rooms meanwhile does not reach those
//! sessions, so they are told that they may have missed something.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bowline_protocol::{NodeId, SessionId};

use super::{Keeper, revive};
use crate::locks::lock;
use crate::node::Node;
use crate::store::place::Look;

/// What is known of other processes.
#[derive(Default)]
pub(super) struct Beside {
    seen: Mutex<Seen>,
    /// What others have stored is being read.
    is_reading: AtomicBool,
}

#[derive(Default)]
struct Seen {
    at: Option<Instant>,
    /// The nodes of whose sessions other processes hold some.
    others: BTreeSet<NodeId>,
    is_unsure: bool,
}

impl Beside {
    /// Says of which nodes the sessions here are.
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
        // It may have come since it was looked for.
        is_elsewhere
            || self.is_reading.load(Ordering::Acquire)
            || node.registry.get(&session).is_some()
    }

    /// Looks who else is there, and what was stored meanwhile.
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

/// How long what was seen counts: whoever asks for sessions that never were shall not cost more
/// than that.
const PAUSE: Duration = Duration::from_millis(100);
