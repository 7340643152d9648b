//! What can go wrong, and whose turn it is then.

use std::fmt;

use bowline_protocol::{Close, CloseCode, Failure, InvalidMessage, Payload, SendError};
use bytestring::ByteString;

/// A client that cannot be built.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildError {
    /// The URL is not `http`, `https`, `ws` or `wss` with a host and a path; the text says why.
    Url(&'static str),
    /// A header with this name cannot be sent.
    Header(String),
    /// The list of transports is empty.
    NoTransports,
    /// The authentication cannot be written as JSON.
    Auth(String),
    /// The host cannot supply what a client needs, such as certificate roots.
    Host(String),
}

/// Why [`Client::connect`](crate::Client::connect) gave up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectError {
    /// The code of the class [`Retry::Stop`](bowline_protocol::Retry::Stop) that ended the session.
    pub code: CloseCode,
    /// What the server said about it: JSON, empty when the code says it all.
    pub reason: Box<str>,
}

/// A message that was not taken. Nothing was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum EmitError {
    /// The outbox is full: wait until the connection is back or the server has caught up, drop
    /// what is no longer worth sending, or set a higher
    /// [`outbox_limit`](crate::ClientBuilder::outbox_limit).
    Full {
        /// The limit in bytes.
        limit: usize,
    },
    /// The server accepts no packet of this size: send the content in parts.
    TooLarge {
        /// The server's limit in bytes.
        limit: usize,
    },
    /// The client was closed.
    Closed,
    /// The session that this was to set up is gone, or its set-up was given up: it begins anew.
    SetupOver,
    /// The name or the JSON cannot stand in a line of the protocol.
    Invalid(InvalidMessage),
    /// The payload cannot be written as JSON; the text is serde's.
    Encode(String),
}

/// Why a request has no reply.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestError {
    /// The server answered with a failure.
    Failed {
        /// A short word that programs compare, such as `not-found`.
        code: ByteString,
        /// Anything more.
        payload: Payload,
    },
    /// The time was over.
    TimedOut {
        /// False if the request was never sent to the server: it is withdrawn, and may be asked again without
        /// being handled twice. True if the server may have handled it, or may still handle it.
        sent: bool,
    },
    /// The session ended first.
    SessionLost {
        /// As for [`Self::TimedOut`].
        sent: bool,
    },
    /// It was not sent.
    Send(EmitError),
    /// There is a reply, but not one of the expected type.
    Decode(DecodeError),
}

/// A payload that is not of the expected type; the text is serde's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodeError(pub String);

impl EmitError {
    /// True if the same message may be taken later.
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        matches!(self, Self::Full { .. })
    }
}

impl RequestError {
    /// The code of the failure with which the server answered, if it did.
    #[must_use]
    pub fn failure_code(&self) -> Option<&str> {
        match self {
            Self::Failed { code, .. } => Some(code),
            _ => None,
        }
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

impl From<InvalidMessage> for EmitError {
    fn from(error: InvalidMessage) -> Self {
        Self::Invalid(error)
    }
}

impl From<EmitError> for RequestError {
    fn from(error: EmitError) -> Self {
        Self::Send(error)
    }
}

impl From<Failure> for RequestError {
    fn from(failure: Failure) -> Self {
        Self::Failed { code: failure.code, payload: failure.payload }
    }
}

impl From<Close> for ConnectError {
    fn from(close: Close) -> Self {
        Self { code: close.code, reason: close.reason }
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(why) => write!(f, "the URL cannot be used: {why}"),
            Self::Header(name) => write!(f, "the header {name:?} cannot be sent"),
            Self::NoTransports => f.write_str("the list of transports is empty"),
            Self::Auth(why) => write!(f, "the authentication cannot be written as JSON: {why}"),
            Self::Host(why) => f.write_str(why),
        }
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Close::with_reason(self.code, self.reason.clone()))
    }
}

impl fmt::Display for EmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full { limit } => write!(
                f,
                "the outbox limit of {limit} bytes is reached: send less until the server confirms"
            ),
            Self::TooLarge { limit } => {
                write!(f, "the server accepts packets of {limit} bytes at most")
            }
            Self::Closed => f.write_str("the client is closed"),
            Self::SetupOver => f.write_str("the session that this was to set up is gone"),
            Self::Invalid(error) => fmt::Display::fmt(error, f),
            Self::Encode(why) => write!(f, "the payload cannot be written as JSON: {why}"),
        }
    }
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed { code, payload } if payload.json.is_empty() => {
                write!(f, "the request failed: {code}")
            }
            Self::Failed { code, payload } => {
                write!(f, "the request failed: {code} ({})", payload.json)
            }
            Self::TimedOut { sent } => {
                write!(f, "no answer came in time; {}", whether_handled(*sent))
            }
            Self::SessionLost { sent } => {
                write!(f, "the session ended before the answer came; {}", whether_handled(*sent))
            }
            Self::Send(error) => fmt::Display::fmt(error, f),
            Self::Decode(error) => fmt::Display::fmt(error, f),
        }
    }
}

/// What the caller can tell its own users.
const fn whether_handled(sent: bool) -> &'static str {
    if sent { "the server may have handled the request" } else { "the request was never sent" }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the payload is not of the expected type: {}", self.0)
    }
}

impl std::error::Error for BuildError {}
impl std::error::Error for ConnectError {}
impl std::error::Error for EmitError {}
impl std::error::Error for DecodeError {}

impl std::error::Error for RequestError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Send(error) => Some(error),
            Self::Decode(error) => Some(error),
            _ => None,
        }
    }
}
