//! What a peer can do wrong.

use std::fmt;

use crate::{Close, CloseCode};

/// A peer broke the protocol. The carrier, and mostly the session, ends with [`Self::close_code`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProtocolError {
    /// A line does not follow the grammar; the text says which part.
    Malformed(&'static str),
    /// A packet type that this version does not know.
    UnknownPacket,
    /// A line, packet or batch over its limit.
    TooLarge,
    /// Text that is not UTF-8.
    InvalidUtf8,
    /// A packet in a place where it may not stand; the text says which rule it breaks.
    Violation(&'static str),
    /// The peer speaks another version.
    UnsupportedVersion,
}

impl ProtocolError {
    /// True always: this type names nothing but faults of the peer. Asked through the same question
    /// as other errors, so that callers need no special case.
    #[must_use]
    pub const fn is_peer_fault(self) -> bool {
        true
    }

    /// The code that tells the peer.
    #[must_use]
    pub const fn close_code(self) -> CloseCode {
        match self {
            Self::Malformed(_) => CloseCode::MALFORMED,
            Self::UnknownPacket => CloseCode::UNKNOWN_PACKET,
            Self::TooLarge => CloseCode::TOO_LARGE,
            Self::InvalidUtf8 => CloseCode::INVALID_UTF8,
            Self::Violation(_) => CloseCode::PROTOCOL_VIOLATION,
            Self::UnsupportedVersion => CloseCode::UNSUPPORTED_VERSION,
        }
    }

    /// The close packet that tells the peer, with the detail as its reason.
    #[must_use]
    pub fn close(self) -> Close {
        match self {
            Self::Malformed(detail) | Self::Violation(detail) => {
                let mut reason = String::from("\"");
                reason.push_str(detail);
                reason.push('"');
                Close::with(self.close_code(), reason)
            }
            _ => Close::new(self.close_code()),
        }
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(detail) | Self::Violation(detail) => {
                write!(f, "{}: {detail}", self.close_code().meaning())
            }
            _ => f.write_str(self.close_code().meaning()),
        }
    }
}

impl std::error::Error for ProtocolError {}
