//! How a host stores the names, payloads and packets of applications.
//!
//! The core numbers, stores and replays packets and never reads their payloads. It therefore does
//! not depend on where their bytes are: in shared buffers ([`Buffers`], the default everywhere), or
//! on the heap of a JavaScript engine, from which WebAssembly could read them only after two
//! copies.

use std::fmt;

use crate::error::ProtocolError;
use crate::scan::has_control_characters;

/// A way to store names, payloads and encoded packets.
pub trait Form: fmt::Debug + Clone + PartialEq + Eq {
    /// The name of a message, or the code of a failure.
    type Name: fmt::Debug + Clone + PartialEq + Eq;
    /// The payload of a message.
    type Payload: fmt::Debug + Clone + PartialEq + Eq;
    /// A packet that an outbox stores until it is confirmed. A clone is cheap.
    type Packet: KeptPacket;

    /// False for hosts that only run clients: the compiler leaves out what only servers need.
    const SERVES: bool = true;

    /// The size of a payload in bytes.
    fn size(payload: &Self::Payload) -> usize;
}

/// A form whose lines this crate parses. The npm package parses its lines in JavaScript.
pub trait Lines: Form {
    /// A received line, with the raw bytes beside it.
    type Line;

    /// The text of a line.
    fn text(line: &Self::Line) -> &str;

    /// True if the line contains a character that no line may contain.
    fn has_control_characters(line: &Self::Line) -> bool {
        has_control_characters(Self::text(line).as_bytes())
    }

    /// Converts the name, a part of the line's text, to the host's form.
    fn name(line: &Self::Line, name: &str) -> Self::Name;

    /// Converts the payload to the host's form: `rest` is the part of the text after the last
    /// field, `None` when the line ends there. `with_bytes` is true when the type of the packet has
    /// raw bytes.
    ///
    /// # Errors
    /// [`ProtocolError::Malformed`] when the bytes do not follow the grammar of 04-packets.
    fn payload(
        line: &Self::Line,
        rest: Option<&str>,
        with_bytes: bool,
    ) -> Result<Self::Payload, ProtocolError>;
}

/// What an outbox needs to know about a packet.
pub trait KeptPacket: fmt::Debug + Clone {
    /// The key by which a volatile packet replaces an earlier one; [`NoKey`] for hosts that send
    /// none.
    type Key: fmt::Debug + Clone + PartialEq + AsRef<str>;

    /// The size of the packet in bytes, line and raw bytes, as the limits count it.
    fn size(&self) -> usize;

    /// True for a reply or a failure.
    fn is_answer(&self) -> bool;
}

/// There is no key: the compiler leaves out what only keys need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoKey {}

impl AsRef<str> for NoKey {
    fn as_ref(&self) -> &str {
        match *self {}
    }
}

// `buffers.rs`, above `Encoded`, implements the trait; messages need only the name of the form.
/// Slices of shared buffers: the form that servers and native clients use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Buffers;
