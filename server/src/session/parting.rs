//! A session leaves for another node, or comes from one.

use std::net::IpAddr;
use std::sync::Arc;

use bowline_protocol::{Encoded, OpenKey, Secret, SessionId};

use super::{LiveSession, OpenPhase, State};
use crate::config::Carry;
use crate::node::Node;

/// What a session takes along, beside its identity.
#[derive(Debug)]
pub(crate) struct Parted {
    pub(crate) counter: u64,
    pub(crate) received: u64,
    pub(crate) confirmed: u64,
    pub(crate) kept: Vec<Encoded>,
    pub(crate) rooms: Vec<Arc<str>>,
    /// What the application keeps with it: names and JSON.
    pub(crate) values: Vec<(String, String)>,
}

impl LiveSession {
    /// Takes the session out of its core. What is left of it here sends its carrier away, and is over
    /// without a word to the application. `None` while a handler is at work, and for a session with a
    /// value that cannot travel.
    pub(crate) fn part(self: &Arc<Self>, node: &Arc<Node>) -> Option<Parted> {
        self.with(|state, now| {
            let values = state.parting(&node.config.carries)?;
            let core = &mut state.core;
            let parted = Parted {
                counter: core.counter(),
                received: core.received(),
                confirmed: core.confirmed(),
                kept: core.kept().cloned().collect(),
                rooms: state.rooms.clone(),
                values,
            };
            state.has_parted = true;
            state.set_phase(OpenPhase::Refused);
            state.core.abort(node.drain_close(), now);
            Some(parted)
        })
    }

    /// A session of another node, not open yet. `None` if there is one with this id.
    pub(crate) fn arrive(
        node: &Arc<Node>,
        id: SessionId,
        secrets: (Secret, OpenKey),
        address: Option<IpAddr>,
        parted: &Parted,
    ) -> Option<Arc<Self>> {
        let session = Self::new(Arc::clone(node), id, secrets, address, 0);
        session.with(|state, _| {
            let Parted { counter, received, confirmed, kept, .. } = parted;
            state.core.take_over(*counter, *received, *confirmed, kept.clone());
            for (name, json) in &parted.values {
                let known = node.config.carries.iter().find(|carry| carry.name == *name);
                let value = known.and_then(|carry| Some((carry.kind, (carry.read)(json)?)));
                match value {
                    Some((kind, value)) => drop(state.set_extension(kind, value)),
                    None => log::error!("session {id}: its value {name:?} is not known here"),
                }
            }
        });
        node.registry.adopt(&session).then_some(session)
    }
}

impl State {
    /// What the application keeps with the session, as it travels; `None` if it cannot go now.
    fn parting(&self, carries: &[Carry]) -> Option<Vec<(String, String)>> {
        let is_idle = self.is_idle() && self.phase() == OpenPhase::Open;
        if !is_idle || self.core.closed().is_some() {
            return None;
        }
        let values = self.extensions().map(|(kind, value)| {
            let carry = carries.iter().find(|carry| carry.kind == *kind)?;
            Some((carry.name.clone(), (carry.write)(value)?))
        });
        values.collect()
    }
}
