//! Changes of who is in a room, for all sessions of a target.

use serde::{Deserialize, Serialize};

/// What becomes of the sessions of a target and a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Membership {
    /// They join it.
    Join,
    /// They leave it.
    Leave,
    /// They lose the grant of this topic.
    Revoke,
}
