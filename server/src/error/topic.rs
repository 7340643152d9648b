//! The errors of topics.

use std::fmt;

use super::{EmitError, HistoryError};

/// Why a message was not published to a topic.
#[derive(Debug)]
#[non_exhaustive]
pub enum PublishError {
    /// The name is no topic: it is 1 to 128 bytes, in segments that are separated by `/`, and has
    /// no spaces and no wildcards.
    InvalidTopic,
    /// The event has an id and is not stored: the topic has no history, or the event is volatile.
    NotKept,
    /// The message cannot be encoded.
    Emit(EmitError),
    /// The topic has a history, and what keeps it does not answer. The message may or may not have
    /// been stored.
    Unavailable,
}

impl fmt::Display for PublishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidTopic => f.write_str(
                "a topic is 1 to 128 bytes in segments separated by one / each, without spaces; \
                 nobody publishes to a pattern",
            ),
            Self::NotKept => f.write_str(
                "only a history recognizes ids, and this event is stored in none; \
                 BowlineBuilder::history sets which topics have one",
            ),
            Self::Emit(error) => error.fmt(f),
            Self::Unavailable => HistoryError::Unavailable.fmt(f),
        }
    }
}

impl std::error::Error for PublishError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Emit(error) => Some(error),
            Self::InvalidTopic | Self::NotKept | Self::Unavailable => None,
        }
    }
}

impl<E: Into<EmitError>> From<E> for PublishError {
    fn from(error: E) -> Self {
        Self::Emit(error.into())
    }
}
