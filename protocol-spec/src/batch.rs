//! The lines of one message or body, and the numbers they imply.
//!
//! Spec: 02-carriers, "Batches"; 05-delivery-and-resume, "Numbers".

use bytes::Bytes;
use bytestring::ByteString;

use crate::{Limits, Packet, ProtocolError};

/// Reads a batch line by line and counts its tracked packets.
///
/// The counter starts where the first line of the attachment (or of the body) says, so a packet
/// needs no number of its own. The default has no lines.
#[derive(Debug, Default)]
pub struct Batch {
    text: ByteString,
    at: usize,
    max_packet: usize,
}

impl Batch {
    /// A batch from a message or body that was received whole.
    ///
    /// # Errors
    /// [`ProtocolError::TooLarge`] over `limits.batch`, [`ProtocolError::InvalidUtf8`] for bytes
    /// that are not text.
    pub fn new(body: Bytes, limits: &Limits) -> Result<Self, ProtocolError> {
        if body.len() > limits.batch {
            return Err(ProtocolError::TooLarge);
        }
        let text = ByteString::try_from(body).map_err(|_| ProtocolError::InvalidUtf8)?;
        Ok(Self { text, at: 0, max_packet: limits.packet })
    }

    /// The first line of an attachment or a body, whose own limit takes the place of the packet
    /// limit; `None` when there is none.
    ///
    /// # Errors
    /// As [`Self::next_packet`].
    pub fn first_line(&mut self) -> Option<Result<Packet, ProtocolError>> {
        let line = self.next_line()?;
        Some(parse(&line, Limits::FIRST_LINE))
    }

    /// The next packet, or `None` at the end. A newline after the last line is allowed, an empty
    /// line elsewhere is not.
    ///
    /// # Errors
    /// What is wrong with the line. The rest of the batch must not be used then.
    pub fn next_packet(&mut self) -> Option<Result<Packet, ProtocolError>> {
        let line = self.next_line()?;
        // Base64 makes a text line longer than the packet it carries.
        let allowed = if line.starts_with(|c: char| c.is_ascii_uppercase()) {
            self.max_packet.saturating_mul(4) / 3 + 4
        } else {
            self.max_packet
        };
        Some(parse(&line, allowed))
    }

    fn next_line(&mut self) -> Option<ByteString> {
        let rest = self.text.get(self.at..).filter(|rest| !rest.is_empty())?;
        let line = rest.split('\n').next().unwrap_or(rest);
        self.at += line.len() + 1;
        Some(self.text.slice_ref(line))
    }
}

fn parse(line: &ByteString, allowed: usize) -> Result<Packet, ProtocolError> {
    if line.len() > allowed { Err(ProtocolError::TooLarge) } else { Packet::parse(line) }
}
