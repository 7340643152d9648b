//! Faults of a peer.

use std::fmt;

use crate::{Close, CloseCode};

/// A peer violated the protocol. The carrier, and usually the session, ends with
/// [`Self::close_code`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProtocolError {
    /// A line does not follow the grammar; the text names the part.
    Malformed(&'static str),
    /// A packet type that this version does not know.
    UnknownPacket,
    /// A line, packet or batch exceeds its limit.
    TooLarge,
    /// Text that is not UTF-8.
    InvalidUtf8,
    /// A packet is not allowed at this point; the text names the rule.
    Violation(&'static str),
    /// The peer uses another version of the protocol.
    UnsupportedVersion,
}

impl ProtocolError {
    /// Always true: each value of this type is a fault of the peer. Other error types have the same
    /// method, so callers need no special case.
    #[must_use]
    pub const fn is_peer_fault(self) -> bool {
        true
    }

    /// The close code to send to the peer.
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

    /// The close packet to send to the peer, with the detail as its reason.
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
