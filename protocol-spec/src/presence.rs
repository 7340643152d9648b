//! The payload of presence events: the sessions that are present in a room.
//!
//! Spec: 06-rooms-and-requests, "Presence".

use serde::{Deserialize, Serialize};

use crate::SessionId;

/// The name of the event that notifies the members of a room of sessions that joined or left. Its
/// payload is a [`PresenceChange`].
///
/// Spec: 06-rooms-and-requests, "Presence".
pub const PRESENCE: &str = "bowline.presence";

/// A session that is present in a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Present<T> {
    /// The session's public id.
    pub session: SessionId,
    /// What the application publishes about the session.
    pub info: T,
    /// True while the client has had no carrier for some time and may still come back.
    #[serde(default, skip_serializing_if = "is_here")]
    pub away: bool,
}

/// The changes in a room since the previous notification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PresenceChange<T> {
    /// The room.
    pub room: String,
    /// The sessions that joined, changed their info, or whose client is away or back.
    pub joined: Vec<Present<T>>,
    /// The sessions that left, each with its last info.
    pub left: Vec<Present<T>>,
}

/// Serde passes a reference.
const fn is_here(away: &bool) -> bool {
    !*away
}
