//! What can go wrong for the application, and what a handler may answer instead of a reply.

use std::fmt;

use bowline_protocol::{AnswerError, InvalidMessage, Payload, SendError};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::message;

/// The answer to a request that did not succeed: a short code that programs compare and, if wanted,
/// a value that says more. The caller receives both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure(bowline_protocol::Failure);

impl Failure {
    /// A failure with a code such as `not-found`: 1 to 128 bytes without spaces.
    #[must_use]
    pub fn new(code: &str) -> Self {
        Self(bowline_protocol::Failure { code: code.into(), payload: Payload::default() })
    }

    /// The same failure with a value that says more. A value that cannot be written as JSON is left
    /// out: the code still tells what happened.
    #[must_use]
    pub fn with(mut self, detail: &impl Serialize) -> Self {
        if let Ok(payload) = message::to_payload(detail) {
            self.0.payload = payload;
        }
        self
    }

    /// The code.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.0.code
    }

    /// Reads the value that says more.
    ///
    /// # Errors
    /// When it is not a `T`.
    pub fn detail<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.0.payload.json_or_null())
    }

    pub(crate) const fn from_wire(failure: bowline_protocol::Failure) -> Self {
        Self(failure)
    }

    pub(crate) const fn as_wire(&self) -> &bowline_protocol::Failure {
        &self.0
    }
}

/// The request named an event that no handler was registered for.
pub(crate) const NO_HANDLER: &str = "no-handler";
/// The payload is not what the handler's type expects.
pub(crate) const INVALID_PAYLOAD: &str = "invalid-payload";
/// The handler panicked, or its answer could not be written.
pub(crate) const INTERNAL: &str = "internal";

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code, self.0.payload.json_or_null())
    }
}

impl std::error::Error for Failure {}

impl From<&str> for Failure {
    fn from(code: &str) -> Self {
        Self::new(code)
    }
}

/// A message that was not sent.
#[derive(Debug)]
#[non_exhaustive]
pub enum EmitError {
    /// The payload cannot be written as JSON.
    Encode(serde_json::Error),
    /// The name or the payload cannot stand on the wire.
    Invalid(InvalidMessage),
    /// The session's outbox is full; the session was closed as a slow consumer.
    Full {
        /// The outbox limit in bytes.
        limit: usize,
    },
    /// The room has a history, which an ordinary emit would bypass: whoever joins later would never
    /// receive the event. Nothing was sent.
    HasHistory {
        /// The room.
        room: String,
    },
    /// The session is over.
    Closed,
}

impl fmt::Display for EmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Encode(error) => write!(f, "the payload cannot be written as JSON: {error}"),
            Self::Invalid(error) => error.fmt(f),
            Self::Full { limit } => write!(
                f,
                "the session's outbox of {limit} bytes is full and it was closed as a slow consumer; \
                 send less, use emit_volatile, or raise outbox_limit"
            ),
            Self::HasHistory { room } => write!(
                f,
                "the room {room:?} has a history: emit with Bowline::history, which keeps the event, or \
                 with emit_volatile, which never does"
            ),
            Self::Closed => f.write_str("the session is closed"),
        }
    }
}

impl std::error::Error for EmitError {}

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

/// Why a request to a client has no reply. Every request ends with a reply or with one of these, once.
#[derive(Debug)]
#[non_exhaustive]
pub enum RequestError {
    /// The client answered with a failure.
    Failed(Failure),
    /// No answer came within the timeout.
    TimedOut {
        /// False if the request was never sent to the client: it is withdrawn, and may be asked again without
        /// being handled twice. True if the client may have handled it, or may still handle it.
        sent: bool,
    },
    /// The session ended first.
    SessionLost {
        /// As for [`Self::TimedOut`].
        sent: bool,
    },
    /// The request was not sent.
    Emit(EmitError),
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
            Self::Emit(error) => write!(f, "the request was not sent: {error}"),
            Self::Decode(error) => write!(f, "the reply is not of the expected type: {error}"),
        }
    }
}

impl std::error::Error for RequestError {}

impl From<AnswerError> for RequestError {
    fn from(error: AnswerError) -> Self {
        match error {
            AnswerError::Failed(failure) => Self::Failed(Failure::from_wire(failure)),
            AnswerError::TimedOut { sent } => Self::TimedOut { sent },
            AnswerError::SessionLost { sent } => Self::SessionLost { sent },
        }
    }
}

/// What the caller can tell its own users.
const fn whether_handled(sent: bool) -> &'static str {
    if sent { "the client may have handled the request" } else { "the request was never sent" }
}

/// A room that was not joined.
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
    /// The session is over.
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
