//! How a host holds what applications say.
//!
//! The core numbers, keeps and replays packets and never looks into them, so it does not ask where
//! their bytes are: in shared buffers ([`Buffers`], the default everywhere), or on the heap of a
//! JavaScript engine, where they would have to be copied twice to be looked at.

use std::fmt;

use crate::error::ProtocolError;
use crate::scan::has_control_characters;

/// A way to hold names, payloads and encoded packets.
pub trait Form: fmt::Debug + Clone + PartialEq + Eq {
    /// A line that is being read, with the bytes that came beside it.
    type Line;
    /// The name of a message, or the code of a failure.
    type Name: fmt::Debug + Clone + PartialEq + Eq;
    /// What a message says.
    type Payload: fmt::Debug + Clone + PartialEq + Eq;
    /// A packet that is kept until it is confirmed. A clone is cheap.
    type Packet: KeptPacket;

    /// False for hosts that are only ever clients: what only servers do and read is left out.
    const SERVES: bool = true;

    /// The text of a line.
    fn text(line: &Self::Line) -> &str;

    /// True if the line holds a character that no line may hold.
    fn has_control_characters(line: &Self::Line) -> bool {
        has_control_characters(Self::text(line).as_bytes())
    }

    /// Takes the name, a part of the line's text, out of the line.
    fn name(line: &Self::Line, name: &str) -> Self::Name;

    /// Takes the payload out of the line: `rest` is the part of its text that follows the last field,
    /// `None` when the line ends there. `with_bytes` says that the type of the packet carries bytes.
    ///
    /// # Errors
    /// [`ProtocolError::Malformed`] when the bytes do not follow the grammar of 04-packets.
    fn payload(
        line: &Self::Line,
        rest: Option<&str>,
        with_bytes: bool,
    ) -> Result<Self::Payload, ProtocolError>;

    /// Bytes that a payload occupies.
    fn size(payload: &Self::Payload) -> usize;
}

/// What an outbox needs to know of a packet.
pub trait KeptPacket: fmt::Debug + Clone {
    /// Bytes of the packet: its line and its raw bytes, as the limits count them.
    fn size(&self) -> usize;

    /// True for a reply or a failure.
    fn is_answer(&self) -> bool;
}

// The trait is implemented in `buffers.rs`, above `Encoded`; messages need only the name of the form.
/// Slices of shared buffers: what servers and native clients use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Buffers;
