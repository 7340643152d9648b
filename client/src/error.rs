//! What can go wrong, and whose turn it is then.

use std::fmt;
use std::time::Duration;

use bowline_protocol::{Close, CloseCode, Failure, InvalidMessage, Payload, SendError};
use bytestring::ByteString;

use crate::engine::{Cause, End, Refused};

/// A client that cannot be built.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildError {
    /// The URL is not `http`, `https`, `ws` or `wss` with a host and a path; the text says why.
    Url(&'static str),
    /// A header with this name cannot be sent: the name is no token, the value holds more than visible
    /// ASCII, or the client sets it itself.
    Header(String),
    /// Headers were given, and this host cannot send them with a WebSocket: no browser can. Send what the
    /// server is to know with [`auth`](crate::ClientBuilder::auth), or in a cookie of the page.
    NoHeaders,
    /// The list of transports is empty.
    NoTransports,
    /// The authentication cannot be written as JSON.
    Auth(String),
    /// The host cannot supply what a client needs, such as certificate roots.
    Host(String),
}

/// Why [`Client::connect`](crate::Client::connect) failed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectError {
    /// The server closed the session for good, or the application has closed the client.
    Closed {
        /// The code of the class [`Retry::Stop`](bowline_protocol::Retry::Stop) that ended the session.
        code: CloseCode,
        /// What the server said about it: JSON, empty when the code says it all.
        reason: Box<str>,
    },
    /// Every transport is refused by something that is no Bowline server or stands before one, and that will
    /// not change by waiting: the client has ended with [`CloseCode::NO_CARRIER`].
    Refused(Refused),
    /// The [`connect_deadline`](crate::ClientBuilder::connect_deadline) is over. The client goes on trying.
    Deadline {
        /// The deadline.
        after: Duration,
        /// What the last attempt met, if one is over; [`diagnostics`](crate::Client::diagnostics) say more.
        last: Option<End>,
    },
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

impl ConnectError {
    /// The code with which the client has ended, if it has.
    #[must_use]
    pub const fn close_code(&self) -> Option<CloseCode> {
        match self {
            Self::Closed { code, .. } => Some(*code),
            Self::Refused(_) => Some(CloseCode::NO_CARRIER),
            Self::Deadline { .. } => None,
        }
    }

    /// What refused the client, if something did.
    #[must_use]
    pub const fn cause(&self) -> Option<Cause> {
        match self {
            Self::Closed { .. } => None,
            Self::Refused(refused) => Some(refused.cause),
            Self::Deadline { last: Some(end), .. } => end.cause(),
            Self::Deadline { last: None, .. } => None,
        }
    }

    /// The end of a client that was closed so, and whose last attempt met this.
    pub(crate) fn of_end(code: CloseCode, reason: &str, last: Option<&End>) -> Self {
        match last.and_then(End::refusal) {
            Some(refused) if code == CloseCode::NO_CARRIER => Self::Refused(refused),
            _ => Self::Closed { code, reason: reason.into() },
        }
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(why) => write!(f, "the URL cannot be used: {why}"),
            Self::Header(name) => {
                write!(
                    f,
                    "the header {name:?} cannot be sent, or is one that the client sets itself"
                )
            }
            Self::NoHeaders => f.write_str(
                "browsers send no headers with a WebSocket: use auth, or a cookie of the page",
            ),
            Self::NoTransports => f.write_str("the list of transports is empty"),
            Self::Auth(why) => write!(f, "the authentication cannot be written as JSON: {why}"),
            Self::Host(why) => f.write_str(why),
        }
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed { code, reason } => Close::with_json(*code, reason)
                .unwrap_or_else(|_| Close::with_reason(*code, reason))
                .fmt(f),
            Self::Refused(refused) => refused.fmt(f),
            Self::Deadline { after, last } => {
                write!(f, "not connected after {} s, and still trying", after.as_secs_f64())?;
                match last {
                    Some(end) => write!(f, "; the last attempt met: {end}"),
                    None => Ok(()),
                }
            }
        }
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
