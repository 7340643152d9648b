//! Why a client is not subscribed.

use std::fmt;

use bowline_protocol::Payload;
use bytestring::ByteString;

use crate::error::RequestError;

/// Why a client is not subscribed to a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubscribeError {
    /// The name is no topic and no pattern: it is 1 to 128 bytes, in segments that are separated by
    /// one `/` each, and has no spaces.
    InvalidTopic,
    /// The server has opened no topic of this name.
    NoTopic,
    /// The server's application refuses. The payload is its reason.
    NotGranted {
        /// The reason, for programs or people.
        reason: Payload,
    },
    /// Another failure of the server, such as `too-many-rooms`, or `unavailable`, after which the
    /// application may try again later.
    Failed {
        /// A short word that programs compare.
        code: ByteString,
    },
    /// The server has not answered in time, or the client cannot send the request.
    Request(RequestError),
    /// The source of grants has failed; the text is that of its error.
    Grant(String),
    /// The client was closed.
    Closed,
}

impl From<RequestError> for SubscribeError {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::Failed { code, payload } => match &*code {
                "invalid-topic" => Self::InvalidTopic,
                "no-topic" | "no-handler" => Self::NoTopic,
                "not-granted" => Self::NotGranted { reason: payload },
                _ => Self::Failed { code },
            },
            other => Self::Request(other),
        }
    }
}

impl SubscribeError {
    /// True if the same request may succeed later.
    pub(super) fn is_temporary(&self) -> bool {
        match self {
            Self::Failed { code } => &**code == "unavailable",
            Self::Grant(_) => true,
            Self::Request(RequestError::TimedOut { .. } | RequestError::SessionLost { .. }) => true,
            Self::Request(RequestError::Send(error)) => error.is_temporary(),
            _ => false,
        }
    }

    /// The word for [`TopicItem::Ended`](crate::TopicItem::Ended).
    pub(super) fn code(&self) -> ByteString {
        match self {
            Self::InvalidTopic => "invalid-topic".into(),
            Self::NoTopic => "no-topic".into(),
            Self::NotGranted { .. } => "not-granted".into(),
            Self::Failed { code } => code.clone(),
            Self::Request(_) | Self::Grant(_) | Self::Closed => "closed".into(),
        }
    }
}

impl fmt::Display for SubscribeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidTopic => f.write_str(
                "a topic is 1 to 128 bytes in segments separated by one / each, without spaces",
            ),
            Self::NoTopic => f.write_str(
                "the server has opened no topic of this name: BowlineBuilder::topic opens some",
            ),
            Self::NotGranted { reason } => {
                write!(f, "the server's application refuses: {}", reason.json_or_null())
            }
            Self::Failed { code } => write!(f, "the server answered with the failure {code}"),
            Self::Request(error) => error.fmt(f),
            Self::Grant(why) => write!(f, "there is no grant to present: {why}"),
            Self::Closed => f.write_str("the client is closed"),
        }
    }
}

impl std::error::Error for SubscribeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Request(error) => Some(error),
            _ => None,
        }
    }
}
