//! Why a stream has no more items.

use std::fmt;

use bowline_protocol::{Payload, STREAM_INTERRUPTED};
use bytestring::ByteString;

use crate::error::{DecodeError, RequestError};

/// Why a stream is not opened, or has ended before it is complete.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamError {
    /// The server has no streams of this name.
    NoStream,
    /// The server's application has ended the stream with a failure, or refused it.
    Failed {
        /// A short word that programs compare, such as `not-found`.
        code: ByteString,
        /// Details, for programs or people.
        payload: Payload,
    },
    /// The session has moved to another node or process of the server, and the work on the stream
    /// did not move with it: open another one, from where this one is.
    Interrupted,
    /// The session was lost, and the stream with it.
    SessionLost,
    /// The client was closed.
    Closed,
    /// The application has dropped the stream.
    Cancelled,
    /// No item of this stream may have more bytes: half of what the server receives ahead. Send the
    /// content in parts.
    ItemTooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The server has sent more than the window allows: it does not keep to the protocol.
    WindowExceeded,
    /// The server has not answered the request that opens the stream, or the client could not send
    /// it.
    Request(RequestError),
    /// An item, or the value with which the stream has ended, is not of the expected type.
    Decode(DecodeError),
    /// An item cannot be sent: it cannot be serialized as JSON, or is larger than the packets that
    /// the server accepts. The text states why.
    Encode(String),
    /// The source of an upload has failed; the text is that of its error.
    Source(String),
}

impl StreamError {
    /// The error for a failure that the server has sent.
    pub(super) fn of_failure(code: ByteString, payload: Payload) -> Self {
        if &*code == STREAM_INTERRUPTED {
            Self::Interrupted
        } else {
            Self::Failed { code, payload }
        }
    }

    /// The code of the failure that the server has sent, if it did.
    #[must_use]
    pub fn failure_code(&self) -> Option<&str> {
        match self {
            Self::Failed { code, .. } => Some(code),
            _ => None,
        }
    }
}

impl From<RequestError> for StreamError {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::Failed { code, .. } if matches!(&*code, "no-stream" | "no-handler") => {
                Self::NoStream
            }
            RequestError::Failed { code, payload } => Self::Failed { code, payload },
            RequestError::SessionLost { .. } => Self::SessionLost,
            other => Self::Request(other),
        }
    }
}

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoStream => f.write_str(
                "the server has no streams of this name: BowlineBuilder::stream serves some",
            ),
            Self::Failed { code, payload } => {
                write!(f, "the server has ended the stream: {code} {}", payload.json_or_null())
            }
            Self::Interrupted => {
                f.write_str("the server's process has changed: open the stream again")
            }
            Self::SessionLost => f.write_str("the session was lost: open the stream again"),
            Self::Closed => f.write_str("the client is closed"),
            Self::Cancelled => f.write_str("the application has dropped the stream"),
            Self::ItemTooLarge { limit } => {
                write!(f, "an item of this stream has at most {limit} bytes: send it in parts")
            }
            Self::WindowExceeded => f.write_str("the server has sent more than the window allows"),
            Self::Request(error) => error.fmt(f),
            Self::Decode(error) => error.fmt(f),
            Self::Encode(why) => write!(f, "the item cannot be sent: {why}"),
            Self::Source(why) => write!(f, "the source has failed: {why}"),
        }
    }
}

impl std::error::Error for StreamError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Request(error) => Some(error),
            Self::Decode(error) => Some(error),
            _ => None,
        }
    }
}
