//! The errors of presence.

use std::fmt;

use bowline_protocol::InvalidMessage;

use super::ClusterError;

/// Why a session is not present in a room.
#[derive(Debug)]
#[non_exhaustive]
pub enum EnterError {
    /// A room name is 1 to 128 bytes of text.
    InvalidName,
    /// The info cannot be encoded as JSON.
    Encode(serde_json::Error),
    /// The info is not allowed on the wire.
    Invalid(InvalidMessage),
    /// The info is longer than `presence_info_limit` allows.
    InfoTooLarge {
        /// Its size as JSON, in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The room has as many present sessions as `presence_limit` allows.
    RoomFull {
        /// The limit.
        limit: usize,
    },
    /// The session is present in as many rooms as `max_rooms_per_session` allows.
    TooManyRooms {
        /// The limit.
        limit: usize,
    },
    /// The session has ended, or is on another node.
    Closed,
}

impl fmt::Display for EnterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidName => f.write_str("a room name is 1 to 128 bytes"),
            Self::Encode(error) => write!(f, "the info cannot be written as JSON: {error}"),
            Self::Invalid(error) => error.fmt(f),
            Self::InfoTooLarge { size, limit } => {
                write!(f, "the info has {size} bytes, of {limit} at most (presence_info_limit)")
            }
            Self::RoomFull { limit } => {
                write!(f, "{limit} are present in the room already (presence_limit)")
            }
            Self::TooManyRooms { limit } => {
                write!(f, "the session is present in {limit} rooms already (max_rooms_per_session)")
            }
            Self::Closed => f.write_str("the session is closed"),
        }
    }
}

impl std::error::Error for EnterError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Encode(error) => Some(error),
            Self::Invalid(error) => Some(error),
            _ => None,
        }
    }
}

impl From<serde_json::Error> for EnterError {
    fn from(error: serde_json::Error) -> Self {
        Self::Encode(error)
    }
}

impl From<InvalidMessage> for EnterError {
    fn from(error: InvalidMessage) -> Self {
        Self::Invalid(error)
    }
}

/// Why the list of present sessions is unknown.
#[derive(Debug)]
#[non_exhaustive]
pub enum ListError {
    /// Other nodes did not respond.
    Cluster(ClusterError),
    /// The info of a session is not of the expected type.
    Decode(serde_json::Error),
}

impl fmt::Display for ListError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cluster(error) => error.fmt(f),
            Self::Decode(error) => write!(f, "an info is not of the expected type: {error}"),
        }
    }
}

impl std::error::Error for ListError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(match self {
            Self::Cluster(error) => error,
            Self::Decode(error) => error,
        })
    }
}
