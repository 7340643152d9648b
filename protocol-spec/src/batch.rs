//! The lines of one message or body, and the packet numbers that follow from their order.
//!
//! Spec: 02-carriers, "Batches"; 05-delivery-and-resume, "Numbers".

use bytes::Bytes;
use bytestring::ByteString;

use crate::{BufferedLine, Limits, Packet, ProtocolError};

/// Reads a batch line by line and counts its tracked packets.
///
/// The count starts at the number that the first line of the attachment (or of the body) states, so
/// packets do not contain their numbers. The default batch has no lines.
#[derive(Debug, Default)]
pub struct Batch {
    line: BufferedLine,
    /// Where the next line begins.
    at: usize,
    max_packet: usize,
}

impl Batch {
    /// Creates a batch from a message or body that was received as a whole.
    ///
    /// # Errors
    /// [`ProtocolError::TooLarge`] over `limits.batch`, [`ProtocolError::InvalidUtf8`] for bytes
    /// that are not text.
    pub fn new(body: Bytes, limits: &Limits) -> Result<Self, ProtocolError> {
        if body.len() > limits.batch {
            return Err(ProtocolError::TooLarge);
        }
        let text = ByteString::try_from(body).map_err(|_| ProtocolError::InvalidUtf8)?;
        Self::of_text(text, limits)
    }

    /// Creates a batch as [`Self::new`] does, from bytes that are known to be UTF-8.
    ///
    /// # Errors
    /// [`ProtocolError::TooLarge`] over `limits.batch`.
    pub fn of_text(text: ByteString, limits: &Limits) -> Result<Self, ProtocolError> {
        if text.len() > limits.batch {
            return Err(ProtocolError::TooLarge);
        }
        Ok(Self { line: BufferedLine::new(text, None), at: 0, max_packet: limits.packet })
    }

    /// The size of the whole batch in bytes, including the lines already read.
    #[must_use]
    pub fn size(&self) -> usize {
        self.line.batch_len()
    }

    /// The first line of an attachment or a body, `None` when the batch is empty. The limit of
    /// first lines applies to it instead of the packet limit.
    ///
    /// # Errors
    /// As [`Self::next_packet`].
    pub fn first_line(&mut self) -> Option<Result<Packet, ProtocolError>> {
        let is_larger = self.next_line()?.len() > Limits::FIRST_LINE;
        Some(if is_larger { Err(ProtocolError::TooLarge) } else { Packet::read(&self.line) })
    }

    /// The next packet, or `None` at the end. A newline after the last line is allowed; an empty
    /// line elsewhere is an error.
    ///
    /// # Errors
    /// The fault in the line. The caller must not use the rest of the batch then.
    pub fn next_packet(&mut self) -> Option<Result<Packet, ProtocolError>> {
        let max = self.max_packet;
        let line = self.next_line()?;
        let is_within = line.len() <= max || is_within(line, max);
        Some(if is_within { Packet::read(&self.line) } else { Err(ProtocolError::TooLarge) })
    }

    fn next_line(&mut self) -> Option<&str> {
        if self.at >= self.line.batch_len() {
            return None;
        }
        let line = self.line.move_to(self.at);
        self.at += line.len() + 1;
        Some(line)
    }
}

/// True if the packet is within the limit although its line is longer: base64 is longer than the
/// bytes that it encodes, by an amount that depends on the bytes.
fn is_within(line: &str, max: usize) -> bool {
    let field = match line.as_bytes() {
        [b'F', ..] => line.split(' ').nth(3),
        [b'A'..=b'Z', ..] => line.split(' ').nth(2),
        _ => None,
    };
    let padding = |field: &str| field.bytes().rev().take_while(|&byte| byte == b'=').count();
    let bytes = |field: &str| (field.len() / 4 * 3).saturating_sub(padding(field));
    // A newline replaces the field and the space before it.
    field.is_some_and(|field| line.len() - field.len() + bytes(field) <= max)
}
