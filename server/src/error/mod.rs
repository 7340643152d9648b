//! What can go wrong for the application, and what its clients receive of that.

mod answers;
mod cluster;
mod history;
mod presence;
mod topic;

use std::fmt;

use bowline_protocol::{AnswerError, InvalidMessage, SendError};

pub use cluster::ClusterError;
pub use history::HistoryError;
pub use presence::{EnterError, ListError};
pub use topic::PublishError;

use crate::failure::Failure;

/// A message that was not sent.
#[derive(Debug)]
#[non_exhaustive]
pub enum EmitError {
    /// The payload cannot be encoded as JSON.
    Encode(serde_json::Error),
    /// The name or the payload is not allowed on the wire.
    Invalid(InvalidMessage),
    /// The session's outbox is full; the server has closed the session as a slow consumer.
    Full {
        /// The outbox limit in bytes.
        limit: usize,
    },
    /// The room has a history, which an ordinary emit would bypass: sessions that join later would
    /// never receive the event. Nothing was sent.
    HasHistory {
        /// The room.
        room: String,
    },
    /// The session has ended.
    Closed,
}

impl fmt::Display for EmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Encode(error) => write!(f, "the payload cannot be written as JSON: {error}"),
            Self::Invalid(error) => error.fmt(f),
            Self::Full { limit } => write!(
                f,
                "the session's outbox of {limit} bytes is full and it was closed as a slow \
                    consumer; \
                 send less, use emit_volatile, or raise outbox_limit"
            ),
            Self::HasHistory { room } => write!(
                f,
                "the room {room:?} has a history: emit with Bowline::history, which keeps the \
                    event, or \
                 with emit_volatile, which never does"
            ),
            Self::Closed => f.write_str("the session is closed"),
        }
    }
}

impl std::error::Error for EmitError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Encode(error) => Some(error),
            Self::Invalid(error) => Some(error),
            Self::Full { .. } | Self::HasHistory { .. } | Self::Closed => None,
        }
    }
}

impl From<InvalidMessage> for EmitError {
    fn from(error: InvalidMessage) -> Self {
        Self::Invalid(error)
    }
}

impl From<serde_json::Error> for EmitError {
    fn from(error: serde_json::Error) -> Self {
        Self::Encode(error)
    }
}

impl From<SendError> for EmitError {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Full { limit } => Self::Full { limit },
            SendError::Closed => Self::Closed,
        }
    }
}

/// Why a request to a client has no reply. Every request ends with a reply or with one of these,
/// once.
#[derive(Debug)]
#[non_exhaustive]
pub enum RequestError {
    /// The client's answer is a failure.
    Failed(Failure),
    /// The server received no answer within the timeout.
    TimedOut {
        /// False if the server never sent the request to the client: the server has withdrawn it,
        /// so you may repeat it without its being handled twice. True if the client may have
        /// handled it, or may still handle it.
        sent: bool,
    },
    /// The session ended first.
    SessionLost {
        /// As for [`Self::TimedOut`].
        sent: bool,
    },
    /// The request was not sent.
    Send(EmitError),
    /// The reply is not of the expected type.
    Decode(serde_json::Error),
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(failure) => write!(f, "the client answered with a failure: {failure}"),
            Self::TimedOut { sent } => {
                write!(f, "no answer came within the timeout; {}", whether_handled(*sent))
            }
            Self::SessionLost { sent } => {
                write!(f, "the session ended before the answer came; {}", whether_handled(*sent))
            }
            Self::Send(error) => write!(f, "the request was not sent: {error}"),
            Self::Decode(error) => write!(f, "the reply is not of the expected type: {error}"),
        }
    }
}

impl std::error::Error for RequestError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Failed(failure) => Some(failure),
            Self::Send(error) => Some(error),
            Self::Decode(error) => Some(error),
            Self::TimedOut { .. } | Self::SessionLost { .. } => None,
        }
    }
}

impl From<EmitError> for RequestError {
    fn from(error: EmitError) -> Self {
        Self::Send(error)
    }
}

impl From<AnswerError> for RequestError {
    fn from(error: AnswerError) -> Self {
        match error {
            AnswerError::Failed(failure) => Self::Failed(Failure::from_wire(failure)),
            AnswerError::TimedOut { sent } => Self::TimedOut { sent },
            AnswerError::SessionLost { sent } => Self::SessionLost { sent },
        }
    }
}

/// The part of an error's text that states whether the request was handled.
const fn whether_handled(sent: bool) -> &'static str {
    if sent { "the client may have handled the request" } else { "the request was never sent" }
}

/// Why a session did not join a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum JoinError {
    /// A room name is 1 to 128 bytes of text.
    InvalidName,
    /// The session is in as many rooms as `max_rooms_per_session` allows.
    TooManyRooms {
        /// The limit.
        limit: usize,
    },
    /// The session has ended.
    Closed,
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidName => f.write_str("a room name is 1 to 128 bytes"),
            Self::TooManyRooms { limit } => {
                write!(f, "the session is in {limit} rooms already (max_rooms_per_session)")
            }
            Self::Closed => f.write_str("the session is closed"),
        }
    }
}

impl std::error::Error for JoinError {}

/// Why a user was not named for a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum UserError {
    /// The name of a user is 1 to 127 bytes of text.
    InvalidName,
    /// The session has ended.
    Closed,
}

impl fmt::Display for UserError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InvalidName => "the name of a user is 1 to 127 bytes",
            Self::Closed => "the session is closed",
        })
    }
}

impl std::error::Error for UserError {}
