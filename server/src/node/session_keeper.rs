//! The keeper of a node's sessions, so that they outlive its process.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use bowline_protocol::SessionId;

use super::Node;

/// What a node asks of its keeper. Its sessions are those of the same `node` in every call.
pub(crate) trait SessionKeeper: Any + fmt::Debug + Send + Sync {
    /// Somebody is about to see or change sessions: nobody may read again what was read.
    fn commit(&self, node: &Arc<Node>);

    /// Stores all sessions, once. Blocks.
    fn keep(&self, node: &Arc<Node>);

    /// True if a session that is not here may come: another process holds it, or has just stored
    /// it.
    fn expects(self: Arc<Self>, node: &Arc<Node>, session: SessionId) -> bool;
}
