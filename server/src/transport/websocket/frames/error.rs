//! The faults of a client in WebSocket frames.

use std::error::Error;
use std::fmt;

use bowline_protocol::ProtocolError;

/// Why a WebSocket conversation cannot continue. The client is always at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FrameError {
    ReservedBits,
    UnknownOpcode,
    Unmasked,
    FragmentedControl,
    LongControl,
    LengthTopBit,
    NothingToContinue,
    UnfinishedMessage,
    ShortClose,
    CloseCode,
    TextNotUtf8,
    ReasonNotUtf8,
    TooLarge,
    TooManyFragments,
}

impl FrameError {
    /// The same fault in our protocol, if it is one there.
    pub(crate) fn as_protocol_error(self) -> Option<ProtocolError> {
        match self {
            Self::TextNotUtf8 => Some(ProtocolError::InvalidUtf8),
            Self::TooLarge | Self::TooManyFragments => Some(ProtocolError::TooLarge),
            _ => None,
        }
    }

    /// The code of the close frame that the client receives. RFC 6455, section 7.4.1.
    pub(crate) fn close_code(self) -> u16 {
        match self {
            Self::TextNotUtf8 | Self::ReasonNotUtf8 => 1007,
            Self::TooLarge | Self::TooManyFragments => 1009,
            _ => 1002,
        }
    }
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ReservedBits => "a reserved bit is set, but no extension was negotiated",
            Self::UnknownOpcode => "the opcode is unknown",
            Self::Unmasked => "a client must mask its frames",
            Self::FragmentedControl => "a control frame is fragmented",
            Self::LongControl => "a control frame is longer than 125 bytes",
            Self::LengthTopBit => "the top bit of a length is set",
            Self::NothingToContinue => "a continuation frame without a message to continue",
            Self::UnfinishedMessage => "a new message before the end of the last one",
            Self::ShortClose => "a close frame holds half a close code",
            Self::CloseCode => "a close code that may not be sent",
            Self::TextNotUtf8 => "a text message is not UTF-8",
            Self::ReasonNotUtf8 => "the reason of a close frame is not UTF-8",
            Self::TooLarge => "a message is larger than the limit",
            Self::TooManyFragments => "a message has too many fragments",
        })
    }
}

impl Error for FrameError {}
