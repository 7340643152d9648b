//! Why a message cannot be encoded.

use std::fmt;

/// The reason why a message cannot be encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidMessage {
    /// The name (or failure code) is empty, longer than 128 bytes, or holds a space or a control
    /// character.
    Name,
    /// The JSON text contains a control character, which compact JSON never does.
    Json,
}

impl fmt::Display for InvalidMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "a name is 1 to 128 bytes without spaces and control characters",
            Self::Json => {
                "the payload must be compact JSON, without newlines or other control characters"
            }
        })
    }
}

impl std::error::Error for InvalidMessage {}
