//! Who is present in a room, as an event tells it.
//!
//! Spec: 06-rooms-and-requests, "Presence".

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::SessionId;

/// The name of the event that tells the members of a room who has come and who has gone. Its payload
/// is a [`PresenceChange`].
///
/// Spec: 06-rooms-and-requests, "Presence".
pub const PRESENCE: &str = "bowline.presence";

/// Somebody who is present in a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Present<T> {
    /// The session's public id.
    #[serde(serialize_with = "write", deserialize_with = "read")]
    pub session: SessionId,
    /// What the application says of it.
    pub info: T,
    /// Its client has been without a carrier for a while, and may come back.
    #[serde(default, skip_serializing_if = "is_here")]
    pub away: bool,
}

/// Who has come to a room and who has gone, since it was told last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PresenceChange<T> {
    /// The room.
    pub room: String,
    /// They are present, from now on or with another info than before, or their client is away or back.
    pub joined: Vec<Present<T>>,
    /// They are present no longer, with the info that was known last.
    pub left: Vec<Present<T>>,
}

/// Serde hands over a reference.
const fn is_here(away: &bool) -> bool {
    !*away
}

fn write<S: Serializer>(session: &SessionId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(session)
}

fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SessionId, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| de::Error::custom("this is no session"))
}
