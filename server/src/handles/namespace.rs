//! A namespace: a part of each session that has joined it.

use std::fmt;
use std::sync::Arc;

use bowline_protocol::{Carries, ToClient};
use serde::Serialize;

use super::Audience;
use crate::error::EmitError;
use crate::names::room_of;
use crate::node::Node;

/// The sessions that have joined a namespace, and its rooms: see
/// [`BowlineBuilder::namespace`](crate::BowlineBuilder::namespace). Made by
/// [`Bowline::of`](crate::Bowline::of).
#[derive(Clone)]
pub struct Namespace {
    node: Arc<Node>,
    name: Arc<str>,
}

impl Namespace {
    pub(crate) const fn new(node: Arc<Node>, name: Arc<str>) -> Self {
        Self { node, name }
    }

    /// Its name, with the slash.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The members of a room of this namespace.
    pub fn to(&self, room: impl AsRef<str>) -> Audience {
        Audience::room_in(Arc::clone(&self.node), Some(&self.name), room.as_ref())
    }

    /// All sessions that have joined this namespace.
    pub fn to_all(&self) -> Audience {
        Audience::all_in(Arc::clone(&self.node), Some(&self.name))
    }

    /// The sessions of a user of this namespace, as [`Socket::set_user`](crate::Socket::set_user)
    /// of its sockets has named it.
    pub fn to_user(&self, user: impl AsRef<str>) -> Audience {
        self.to(room_of(user.as_ref()))
    }

    /// Sends an event to all sessions that have joined this namespace. Returns the number of those
    /// on this node.
    ///
    /// # Errors
    /// When the payload or the name cannot be encoded.
    pub fn emit<P: Serialize + ?Sized>(
        &self,
        name: impl Carries<P> + ToClient,
        payload: &P,
    ) -> Result<usize, EmitError> {
        self.to_all().emit(name, payload)
    }
}

impl fmt::Debug for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Namespace").field(&self.name).finish()
    }
}
