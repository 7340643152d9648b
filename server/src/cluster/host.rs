//! The node that the cluster serves: the one place that leads from the cluster to it.

use std::sync::{Arc, Weak};

use bowline_protocol::{OpenKey, SessionId};

use crate::node::Node;

/// The node, for as long as it lives.
#[derive(Clone)]
pub(super) struct Host(Weak<Node>);

impl Host {
    pub(super) const fn new(node: Weak<Node>) -> Self {
        Self(node)
    }

    pub(super) fn node(&self) -> Option<Arc<Node>> {
        self.0.upgrade()
    }

    pub(super) fn is_here(&self, session: SessionId) -> bool {
        self.node().is_none_or(|node| node.registry.get(&session).is_some())
    }

    /// True if a session that was opened with this key is here, and may be asked for by it.
    pub(super) fn has_key(&self, key: &OpenKey) -> bool {
        self.node().is_some_and(|node| node.registry.by_key(key).is_some())
    }

    /// True if an open with this key has made a session here.
    pub(super) fn has_opened(&self, key: &OpenKey) -> bool {
        self.node().is_some_and(|node| node.registry.has_opened(key))
    }

    pub(super) fn is_draining(&self) -> bool {
        self.node().is_none_or(|node| node.is_draining())
    }

    /// The rooms that have members here.
    pub(super) fn room_names(&self) -> Option<Vec<String>> {
        Some(self.node()?.rooms.names())
    }
}
