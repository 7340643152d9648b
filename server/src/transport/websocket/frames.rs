//! WebSocket frames as a server reads and writes them, without I/O.
//!
//! Reading is [`FrameReader`]: chunks of bytes in, whole messages out. Writing appends to a buffer:
//! server frames are never masked, so an encoded message can be shared by everyone who receives it.
//!
//! RFC 6455, sections 5 to 8. No extension is negotiated, so the reserved bits are always zero.

mod error;
mod reader;
#[cfg(test)]
mod tests;

use bytes::{Buf as _, BufMut, BytesMut};

use crate::cut::cut;

pub(crate) use error::FrameError;
pub(crate) use reader::{FrameReader, Inbound};

/// The kind of a frame. RFC 6455, section 5.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opcode {
    Continuation = 0x0,
    Text = 0x1,
    Binary = 0x2,
    Close = 0x8,
    Ping = 0x9,
    Pong = 0xA,
}

impl Opcode {
    fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xA => Self::Pong,
            _ => return None,
        })
    }

    fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

/// Appends one whole, unfragmented, unmasked frame. The payload of a control frame has at most
/// [`MAX_CONTROL`] bytes.
pub(crate) fn write_frame(opcode: Opcode, payload: &[u8], out: &mut BytesMut) {
    out.reserve(MAX_SERVER_HEADER + payload.len());
    frame_header(opcode, payload.len(), out);
    out.put_slice(payload);
}

/// A whole text message as a client would send it, masked with zeros: for a node that reads what
/// another has received.
pub(crate) fn client_text(payload: &[u8]) -> BytesMut {
    let mut frame = BytesMut::with_capacity(MAX_SERVER_HEADER + MASK.len() + payload.len());
    frame_header(Opcode::Text, payload.len(), &mut frame);
    frame[1] |= MASKED;
    frame.put_slice(&MASK);
    frame.put_slice(payload);
    frame
}

/// Makes a frame of a buffer that begins with [`MAX_SERVER_HEADER`] bytes to spare and ends with
/// the payload, which stays where it is.
pub(crate) fn finish_frame(opcode: Opcode, buffer: &mut BytesMut) {
    let mut header = [0; MAX_SERVER_HEADER];
    let mut room = &mut header[..];
    frame_header(opcode, buffer.len() - MAX_SERVER_HEADER, &mut room);
    let left = room.len();
    buffer.advance(left);
    buffer[..MAX_SERVER_HEADER - left].copy_from_slice(&header[..MAX_SERVER_HEADER - left]);
}

/// Appends the header of an unfragmented, unmasked frame. Exactly `length` payload bytes must
/// follow: for a payload that is written piece by piece or kept in a buffer of its own.
pub(crate) fn frame_header(opcode: Opcode, length: usize, out: &mut impl BufMut) {
    debug_assert!(!opcode.is_control() || length <= MAX_CONTROL, "a control frame is short");
    out.put_u8(FIN | opcode as u8);
    match length {
        0..=MAX_CONTROL => out.put_u8(length as u8),
        126..=0xFFFF => {
            out.put_u8(LENGTH_16);
            out.put_u16(length as u16);
        }
        _ => {
            out.put_u8(LENGTH_64);
            out.put_u64(length as u64);
        }
    }
}

/// Appends a close frame. The reason is cut to the 123 bytes that fit, at a character's end.
pub(crate) fn write_close(code: u16, reason: &str, out: &mut BytesMut) {
    let reason = cut(reason, MAX_CONTROL - 2);
    frame_header(Opcode::Close, 2 + reason.len(), out);
    out.put_u16(code);
    out.put_slice(reason.as_bytes());
}

/// The most payload bytes of a control frame.
pub(crate) const MAX_CONTROL: usize = 125;

/// The most bytes of a frame header without a masking key.
pub(crate) const MAX_SERVER_HEADER: usize = 10;

/// A masking key that changes nothing.
const MASK: [u8; 4] = [0; 4];

const FIN: u8 = 0x80;
const RESERVED: u8 = 0x70;
const OPCODE: u8 = 0x0F;
const MASKED: u8 = 0x80;
const LENGTH: u8 = 0x7F;
const LENGTH_16: u8 = 126;
const LENGTH_64: u8 = 127;
