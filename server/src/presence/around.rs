//! What presence needs from its node, and from other nodes.

use std::fmt;
use std::sync::{Arc, OnceLock};

use bowline_protocol::SessionId;

use super::People;
use crate::rooms::Rooms;
use crate::session::Common;

/// The other nodes, as presence sees them.
pub(crate) trait Others: fmt::Debug + Send + Sync {
    /// Publishes that this node uses presence.
    fn announce(&self);

    /// Subscribes to what others publish about a room, and requests their lists.
    fn follow(&self, room: &str);

    fn unfollow(&self, room: &str);

    /// Publishes the change `number`, which follows the change `after`.
    fn publish_change(&self, room: &str, numbers: (u64, u64), entered: People, left: &[SessionId]);

    /// Publishes everyone who is present with this node, as of this change.
    fn publish_whole(&self, room: &str, number: u64, present: People);
}

#[derive(Debug)]
pub(super) struct Around {
    pub(super) common: Arc<Common>,
    pub(super) rooms: Arc<Rooms>,
    /// Set once, on a node that has others.
    pub(super) others: OnceLock<Arc<dyn Others>>,
}
