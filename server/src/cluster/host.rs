//! What the node has that the cluster serves: the one place that leads from the cluster to it.

use std::sync::{Arc, Weak};

use bowline_protocol::{OpenKey, SessionId};

use crate::local::Local;

/// The sessions of the node, and what they are in, for as long as the node lives.
#[derive(Clone)]
pub(super) struct Host(Weak<Local>);

impl Host {
    pub(super) const fn new(local: Weak<Local>) -> Self {
        Self(local)
    }

    pub(super) fn local(&self) -> Option<Arc<Local>> {
        self.0.upgrade()
    }

    pub(super) fn is_here(&self, session: SessionId) -> bool {
        self.local().is_none_or(|local| local.registry.get(&session).is_some())
    }

    /// True if a session that was opened with this key is here, and may be asked for by it.
    pub(super) fn has_key(&self, key: &OpenKey) -> bool {
        self.local().is_some_and(|local| local.registry.by_key(key).is_some())
    }

    /// True if an open with this key has made a session here.
    pub(super) fn has_opened(&self, key: &OpenKey) -> bool {
        self.local().is_some_and(|local| local.registry.has_opened(key))
    }

    pub(super) fn is_draining(&self) -> bool {
        self.local().is_none_or(|local| local.is_draining())
    }

    /// The rooms that have members here.
    pub(super) fn room_names(&self) -> Option<Vec<String>> {
        Some(self.local()?.rooms.names())
    }
}
