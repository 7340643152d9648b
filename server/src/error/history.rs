//! The errors of histories.

use std::fmt;

use super::{EmitError, JoinError};

/// Why a call on a history failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum HistoryError {
    /// The room has no history: [`BowlineBuilder::history`](crate::BowlineBuilder::history) sets
    /// which rooms have one.
    NotKept,
    /// The message cannot be encoded.
    Emit(EmitError),
    /// The session cannot join the room.
    Join(JoinError),
    /// The broker cannot be reached, or the disk refuses. The message may or may not have been
    /// stored.
    Unavailable,
}

impl From<EmitError> for HistoryError {
    fn from(error: EmitError) -> Self {
        Self::Emit(error)
    }
}

impl fmt::Display for HistoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotKept => f.write_str(
                "this room has no history; BowlineBuilder::history says which rooms have one",
            ),
            Self::Emit(error) => error.fmt(f),
            Self::Join(error) => error.fmt(f),
            Self::Unavailable => f.write_str(
                "what keeps the history, the broker or the disk, does not answer or \
                 refuses; try again later",
            ),
        }
    }
}

impl std::error::Error for HistoryError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Emit(error) => Some(error),
            Self::Join(error) => Some(error),
            Self::NotKept | Self::Unavailable => None,
        }
    }
}
