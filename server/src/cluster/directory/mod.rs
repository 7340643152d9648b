//! The directory: which nodes there are, and which of them has what.
//!
//! It knows which other nodes live (`peers`), and which one holds a session: the one that its id
//! names, or one that took it over (`places`). So it sends to a target wherever its members are
//! (`targets`, `forward`), asks for them (`questions`, `whose`), and reports what was lost
//! (`gaps`).

mod claims;
mod forward;
mod gaps;
mod peers;
mod places;
mod questions;
mod targets;
mod whose;

use std::sync::{Arc, Mutex};

use super::bus::Bus;
use super::figures::Counter;
use super::host::Host;
use crate::locks::lock;
pub(crate) use claims::{Claim, Place};
use peers::Peers;
use places::Places;
pub(crate) use whose::Owned;

/// What a node knows of the others, and of the sessions on them.
pub(super) struct Directory {
    bus: Arc<Bus>,
    host: Host,
    peers: Mutex<Peers>,
    places: Mutex<Places>,
    pub(super) gaps: Counter,
    pub(super) undelivered: Counter,
}

impl Directory {
    pub(super) fn new(bus: &Arc<Bus>, host: Host) -> Arc<Self> {
        Arc::new(Self {
            bus: Arc::clone(bus),
            host,
            peers: Mutex::default(),
            places: Mutex::default(),
            gaps: Counter::default(),
            undelivered: Counter::default(),
        })
    }

    /// How many other nodes live, and how many of them take sessions.
    pub(super) fn size(&self) -> (usize, usize) {
        let peers = lock(&self.peers);
        (peers.len(), peers.takers().len())
    }
}
