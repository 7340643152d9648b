//! WebSocket frames as a client sends and reads them: the one codec of all tests from outside.
//!
//! No library is used, because tests send unknown opcodes, reserved bits and fragmented control
//! frames. tungstenite's `FrameHeader` writes these, but it reads masked frames of servers and
//! lengths that are longer than they must be without an error, so the checks below would stay.

use bytes::Bytes;

/// A frame from a server: unmasked, without reserved bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame<P = Bytes> {
    /// True for the last frame of a message.
    pub fin: bool,
    /// One of [`Self::TEXT`], [`Self::BINARY`], [`Self::CLOSE`], [`Self::PING`], [`Self::PONG`],
    /// or zero for a continuation.
    pub opcode: u8,
    /// The payload.
    pub payload: P,
}

impl Frame {
    /// The bit of the first byte that marks the last frame of a message.
    pub const FIN: u8 = 0x80;
    /// The opcode of a text message.
    pub const TEXT: u8 = 0x1;
    /// The opcode of a binary message.
    pub const BINARY: u8 = 0x2;
    /// The opcode of a close frame.
    pub const CLOSE: u8 = 0x8;
    /// The opcode of a ping.
    pub const PING: u8 = 0x9;
    /// The opcode of a pong.
    pub const PONG: u8 = 0xA;
}

impl<P: AsRef<[u8]>> Frame<P> {
    /// The payload of a whole text message, `None` for any other frame.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        let is_text = self.fin && self.opcode == Frame::TEXT;
        std::str::from_utf8(self.payload.as_ref()).ok().filter(|_| is_text)
    }

    /// The code of a close frame that has one, `None` for any other frame.
    #[must_use]
    pub fn close_code(&self) -> Option<u16> {
        let code = self.payload.as_ref().first_chunk().filter(|_| self.opcode == Frame::CLOSE);
        code.map(|code| u16::from_be_bytes(*code))
    }
}

impl<'a> Frame<&'a [u8]> {
    /// The first frame of the input and the bytes it takes, `None` while it is incomplete.
    ///
    /// # Errors
    /// For a frame that no server may send.
    pub fn parse(input: &'a [u8]) -> Result<Option<(Self, usize)>, &'static str> {
        let Some(&[first, second]) = input.first_chunk() else { return Ok(None) };
        let (fin, opcode) = (first & Frame::FIN != 0, first & 0x0F);
        match opcode {
            _ if first & 0x70 != 0 => return Err("a reserved bit is set"),
            _ if second & MASKED != 0 => return Err("a server masked its frame"),
            3..=7 | 11..=15 => return Err("an unknown opcode"),
            8..=10 if !fin || second > 125 => return Err("a control frame is fragmented or long"),
            _ => {}
        }
        let Some((length, at)) = length(input, second)? else { return Ok(None) };
        let Some(payload) = input.get(at..at.saturating_add(length)) else { return Ok(None) };
        Ok(Some((Self { fin, opcode, payload }, at + length)))
    }
}

/// The length of the payload, and where it begins.
fn length(input: &[u8], second: u8) -> Result<Option<(usize, usize)>, &'static str> {
    let rest = &input[2..];
    let length = match second {
        126 => rest.first_chunk().map(|bytes| (u64::from(u16::from_be_bytes(*bytes)), 4, 126)),
        127 => rest.first_chunk().map(|bytes| (u64::from_be_bytes(*bytes), 10, 65_536)),
        short => Some((u64::from(short), 2, 0)),
    };
    let Some((length, at, least)) = length else { return Ok(None) };
    if length < least {
        return Err("a length is longer than it must be");
    }
    usize::try_from(length).map(|length| Some((length, at))).map_err(|_| "a huge frame")
}

/// A masked frame with this first byte, which may be as wrong as a test wants it. Its length is
/// written right; a test that wants it wrong changes the bytes.
#[must_use]
pub fn masked_frame(first: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    write_masked(first, &[payload.as_ref()], &mut out);
    out
}

/// Appends the [`masked_frame`] of a payload in parts.
pub fn write_masked(first: u8, parts: &[&[u8]], out: &mut Vec<u8>) {
    out.push(first);
    match parts.iter().map(|part| part.len()).sum() {
        short @ 0..=125 => out.push(MASKED | short as u8),
        medium @ 126..=0xFFFF => {
            out.push(MASKED | 126);
            out.extend((medium as u16).to_be_bytes());
        }
        long => {
            out.push(MASKED | 127);
            out.extend((long as u64).to_be_bytes());
        }
    }
    out.extend(KEY);
    let begin = out.len();
    parts.iter().for_each(|part| out.extend_from_slice(part));
    mask(&mut out[begin..]);
}

/// Masks eight bytes at once, because the load generator must not cost more than the server.
fn mask(payload: &mut [u8]) {
    let [a, b, c, d] = KEY;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = payload.as_chunks_mut();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    rest.iter_mut().zip(KEY.iter().cycle()).for_each(|(byte, key)| *byte ^= key);
}

const MASKED: u8 = 0x80;

/// Any key will do: masking protects proxies, not peers.
const KEY: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];
