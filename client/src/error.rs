//! The errors of a client. Each names the cause and what to do next.

use std::fmt;
use std::time::Duration;

use bowline_protocol::{Close, CloseCode, Failure, InvalidMessage, Payload, SendError};
use bytestring::ByteString;

use crate::engine::{Cause, End, Refused};

/// A client that cannot be built.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildError {
    /// The URL is not `http`, `https`, `ws` or `wss` with a host and a path; the text states the
    /// fault.
    Url(&'static str),
    /// A header with this name cannot be sent: the name is not a token, the value has characters
    /// other than visible ASCII, or the client sets the header itself.
    Header(String),
    /// This host cannot send headers with a WebSocket: no browser can. Send the values with
    /// [`auth`](crate::ClientBuilder::auth), or in a cookie of the page.
    NoHeaders,
    /// The list of transports is empty.
    NoTransports,
    /// The authentication cannot be serialized as JSON.
    Auth(String),
    /// The host cannot supply something that a client needs, such as certificate roots.
    Host(String),
}

/// Why [`Client::connect`](crate::Client::connect) failed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectError {
    /// The server closed the session for good, or the application closed the client.
    Closed {
        /// The code of the class [`Retry::Stop`](bowline_protocol::Retry::Stop) that ended the
        /// session.
        code: CloseCode,
        /// The reason that the server sent: JSON, empty when there is none.
        reason: Box<str>,
    },
    /// Every transport was refused by something that is not a Bowline server or stands before one,
    /// and waiting will not change that: the client has ended with [`CloseCode::NO_CARRIER`].
    Refused(Refused),
    /// The [`connect_deadline`](crate::ClientBuilder::connect_deadline) has passed. The client
    /// keeps trying.
    Deadline {
        /// The deadline.
        after: Duration,
        /// How the last attempt ended, if one has; [`diagnostics`](crate::Client::diagnostics) has
        /// the details.
        last: Option<End>,
    },
}

/// Why the client refused a message. The message was not sent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum EmitError {
    /// The outbox is full: wait until the client is connected and the server has caught up, drop
    /// messages that are no longer needed, or set a higher
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
    /// The session that this set-up belongs to is lost, or the set-up has timed out: the client
    /// calls the hook again.
    SetupOver,
    /// The name or the JSON contains a character that no line of the protocol may contain.
    Invalid(InvalidMessage),
    /// The payload cannot be serialized as JSON; the text is serde's.
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
        /// Details, for programs or people.
        payload: Payload,
    },
    /// The timeout has passed.
    TimedOut {
        /// False if the client never sent the request and has withdrawn it, so that the caller may
        /// send it again. True if the server may have handled it, or may still handle it.
        sent: bool,
    },
    /// The session ended first.
    SessionLost {
        /// As for [`Self::TimedOut`].
        sent: bool,
    },
    /// The client refused to send it.
    Send(EmitError),
    /// The reply is not of the expected type.
    Decode(DecodeError),
}

/// A payload that is not of the expected type; the text is serde's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodeError(pub String);

/// Why [`Events::try_recv`](crate::Events::try_recv) returns no event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TryRecvError {
    /// No event waits. Try again later.
    Empty,
    /// The client is closed, and all its events were read.
    Closed,
}

impl EmitError {
    /// True if the client may accept the same message later.
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        matches!(self, Self::Full { .. })
    }
}

impl RequestError {
    /// The code of the failure that the server sent, if it did.
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

    /// The refusal that ended the attempts, if one did.
    #[must_use]
    pub const fn cause(&self) -> Option<Cause> {
        match self {
            Self::Closed { .. } => None,
            Self::Refused(refused) => Some(refused.cause),
            Self::Deadline { last: Some(end), .. } => end.cause(),
            Self::Deadline { last: None, .. } => None,
        }
    }

    /// The error for a client that ended with this code, and whose last attempt ended in this way.
    pub(crate) fn of_end(code: CloseCode, reason: &str, last: Option<&End>) -> Self {
        match last.and_then(End::refusal) {
            Some(refused) if code == CloseCode::NO_CARRIER => Self::Refused(refused),
            _ => Self::Closed { code, reason: reason.into() },
        }
    }
}

impl fmt::Display for TryRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "no event waits",
            Self::Closed => "the client is closed, so no event will come",
        })
    }
}

impl std::error::Error for TryRecvError {}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(why) => write!(f, "the URL is invalid: {why}"),
            Self::Header(name) => {
                write!(f, "remove the header {name:?}: it is invalid, or the client sets it itself")
            }
            Self::NoHeaders => f.write_str(
                "browsers send no headers with a WebSocket: use auth, or a cookie of the page",
            ),
            Self::NoTransports => f.write_str("the list of transports is empty: add at least one"),
            Self::Auth(why) => write!(f, "the authentication cannot be serialized as JSON: {why}"),
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
                write!(
                    f,
                    "not connected after {} s, and still trying: wait, or close the client",
                    after.as_secs_f64()
                )?;
                match last {
                    Some(end) => write!(f, "; the last attempt failed: {end}"),
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
                write!(f, "the server accepts at most {limit} bytes in a packet: split the content")
            }
            Self::Closed => f.write_str("the client is closed: build a new one"),
            Self::SetupOver => {
                f.write_str("the session of this set-up is lost: the client calls the hook again")
            }
            Self::Invalid(error) => fmt::Display::fmt(error, f),
            Self::Encode(why) => write!(f, "the payload cannot be serialized as JSON: {why}"),
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
                write!(f, "no answer arrived in time; {}", whether_handled(*sent))
            }
            Self::SessionLost { sent } => {
                write!(f, "the session ended before the answer arrived; {}", whether_handled(*sent))
            }
            Self::Send(error) => fmt::Display::fmt(error, f),
            Self::Decode(error) => fmt::Display::fmt(error, f),
        }
    }
}

/// What the caller may report to its own users.
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
