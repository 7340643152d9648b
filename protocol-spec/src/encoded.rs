//! Packets in the form in which they are sent: encoded once, shared by all receivers.
//!
//! Spec: 02-carriers, "Text and binary"; 04-packets.

use std::fmt;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use crate::base64;
use crate::error::ProtocolError;
use crate::form::KeptPacket;
use crate::invalid::InvalidMessage;
use crate::limits::Limits;
use crate::message::{Failure, Payload};
use crate::scan::has_control_characters;
use crate::write::{DIGITS, NO_BYTES, digits_of};

/// A tracked or volatile packet in its wire form. A clone shares the buffer: the server encodes a
/// broadcast once and stores it once, whatever the number of members.
#[derive(Clone)]
pub struct Encoded(Repr);

#[derive(Clone)]
enum Repr {
    /// The line, without its newline.
    Text(Bytes),
    Binary(Arc<Binary>),
}

/// A packet with bytes: raw for binary carriers. The base64 form for text carriers is made when the
/// first of them needs it.
struct Binary {
    /// Line, newline, raw bytes.
    message: Bytes,
    /// The position of the base64 field on a text carrier.
    field_at: usize,
    /// The end of the line.
    line_end: usize,
    text: OnceLock<Bytes>,
}

impl Encoded {
    /// Encodes an event.
    ///
    /// # Errors
    /// When the name or the JSON contains a character that no line may contain.
    pub fn event(name: &str, payload: &Payload) -> Result<Self, InvalidMessage> {
        encode(b'e', None, name, &payload.json, payload.bytes.as_deref())
    }

    /// Encodes a request.
    ///
    /// # Errors
    /// When the name or the JSON contains a character that no line may contain.
    pub fn request(name: &str, payload: &Payload) -> Result<Self, InvalidMessage> {
        encode(b'q', None, name, &payload.json, payload.bytes.as_deref())
    }

    /// Encodes a volatile event, which may be dropped.
    ///
    /// # Errors
    /// When the name or the JSON contains a character that no line may contain.
    pub fn volatile(name: &str, payload: &Payload) -> Result<Self, InvalidMessage> {
        encode(b'v', None, name, &payload.json, payload.bytes.as_deref())
    }

    /// Encodes the reply to a request.
    ///
    /// # Errors
    /// When the JSON contains a character that no line may contain.
    pub fn reply(request: u64, payload: &Payload) -> Result<Self, InvalidMessage> {
        encode(b'r', Some(request), "", &payload.json, payload.bytes.as_deref())
    }

    /// Encodes a reply without bytes, as [`Self::reply`] does, from JSON that is not in a buffer of
    /// its own.
    ///
    /// # Errors
    /// When the JSON contains a character that no line may contain.
    pub fn json_reply(request: u64, json: &str) -> Result<Self, InvalidMessage> {
        encode(b'r', Some(request), "", json, None)
    }

    /// Encodes the failure of a request.
    ///
    /// # Errors
    /// When the code or the JSON contains a character that no line may contain.
    pub fn failure(request: u64, failure: &Failure) -> Result<Self, InvalidMessage> {
        let Failure { code, payload } = failure;
        encode(b'f', Some(request), code, &payload.json, payload.bytes.as_deref())
    }

    /// Restores a packet that another process encoded with [`Self::as_bytes`]. The packet uses the
    /// buffer without a copy.
    ///
    /// # Errors
    /// When the bytes are not a tracked or volatile packet.
    pub fn from_bytes(packet: Bytes) -> Result<Self, ProtocolError> {
        let kind = packet.first().copied().unwrap_or_default();
        // The number of fields before the base64 field on a text carrier.
        let fields = match kind.to_ascii_uppercase() {
            b'E' | b'Q' | b'V' | b'R' => 1,
            b'F' => 2,
            _ => return Err(ProtocolError::UnknownPacket),
        };
        let end =
            packet.iter().position(|&byte| byte == b'\n').filter(|_| kind.is_ascii_uppercase());
        let line_end = end.unwrap_or(packet.len());
        let line =
            std::str::from_utf8(&packet[..line_end]).map_err(|_| ProtocolError::InvalidUtf8)?;
        if has_control_characters(line.as_bytes()) || kind.is_ascii_uppercase() != end.is_some() {
            return Err(ProtocolError::Malformed("not a packet with a number"));
        }
        if end.is_none() {
            return Ok(Self(Repr::Text(packet)));
        }
        let mut spaces = line.match_indices(' ').map(|(at, _)| at);
        let field_at = spaces.nth(fields).unwrap_or(line_end);
        let text = OnceLock::new();
        Ok(Self(Repr::Binary(Arc::new(Binary { message: packet, field_at, line_end, text }))))
    }

    /// The packet as one buffer, for storing it or passing it to another process: its line and,
    /// after a newline, its raw bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &Bytes {
        match &self.0 {
            Repr::Text(line) => line,
            Repr::Binary(binary) => &binary.message,
        }
    }

    /// The size of the packet in bytes, line and raw bytes, as the limits count it.
    #[must_use]
    pub fn size(&self) -> usize {
        match &self.0 {
            Repr::Text(line) => line.len(),
            Repr::Binary(binary) => binary.message.len(),
        }
    }

    /// The message for a carrier with binary messages, or `None` when the packet has no bytes.
    #[must_use]
    pub fn binary_message(&self) -> Option<&Bytes> {
        match &self.0 {
            Repr::Text(_) => None,
            Repr::Binary(binary) => Some(&binary.message),
        }
    }

    /// The line for a text carrier, UTF-8 without its newline.
    #[must_use]
    pub fn text_line(&self) -> &Bytes {
        match &self.0 {
            Repr::Text(line) => line,
            Repr::Binary(binary) => binary.text.get_or_init(|| binary.to_text()),
        }
    }

    /// True if both share one buffer; equal bytes in two buffers are not enough.
    #[must_use]
    pub fn shares_buffer_with(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Repr::Text(a), Repr::Text(b)) => a.as_ptr() == b.as_ptr() && a.len() == b.len(),
            (Repr::Binary(a), Repr::Binary(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }
}

impl KeptPacket for Encoded {
    type Key = Arc<str>;

    fn size(&self) -> usize {
        self.size()
    }

    fn is_answer(&self) -> bool {
        let first = match &self.0 {
            Repr::Text(line) => line.first(),
            Repr::Binary(binary) => binary.message.first(),
        };
        matches!(first, Some(b'r' | b'R' | b'f' | b'F'))
    }
}

impl Binary {
    fn to_text(&self) -> Bytes {
        let raw = &self.message[self.line_end + 1..];
        let mut line = Vec::with_capacity(self.line_end + 1 + raw.len().div_ceil(3) * 4);
        line.extend_from_slice(&self.message[..self.field_at]);
        line.push(b' ');
        match raw {
            [] => line.extend_from_slice(NO_BYTES.as_bytes()),
            _ => base64::encode(raw, &mut line),
        }
        line.extend_from_slice(&self.message[self.field_at..self.line_end]);
        line.into()
    }
}

impl fmt::Debug for Encoded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.text_line()))
    }
}

fn encode(
    kind: u8,
    request: Option<u64>,
    name: &str,
    json: &str,
    raw: Option<&[u8]>,
) -> Result<Encoded, InvalidMessage> {
    // A reply has no name.
    if kind != b'r' {
        check_name(name)?;
    }
    if has_control_characters(json.as_bytes()) {
        return Err(InvalidMessage::Json);
    }
    let mut digits = [0; DIGITS];
    let request = request.map(|request| digits_of(request, &mut digits));
    let name = (!name.is_empty()).then_some(name.as_bytes());
    let json = (!json.is_empty()).then_some(json.as_bytes());
    let field = |field: Option<&[u8]>| field.map_or(0, |field| 1 + field.len());
    // The exact size: with spare capacity, `Bytes` allocates a separate record of it.
    let size = 1 + field(request) + field(name) + field(json) + field(raw);
    let mut line = Vec::with_capacity(size);
    line.push(if raw.is_some() { kind.to_ascii_uppercase() } else { kind });
    let put = |line: &mut Vec<u8>, separator, field: Option<&[u8]>| {
        if let Some(field) = field {
            line.push(separator);
            line.extend_from_slice(field);
        }
    };
    put(&mut line, b' ', request);
    put(&mut line, b' ', name);
    let field_at = line.len();
    put(&mut line, b' ', json);
    let line_end = line.len();
    put(&mut line, b'\n', raw);
    let line = Bytes::from(line);
    Ok(Encoded(match raw {
        None => Repr::Text(line),
        Some(_) => {
            let text = OnceLock::new();
            Repr::Binary(Arc::new(Binary { message: line, field_at, line_end, text }))
        }
    }))
}

/// Checks a name or a failure code.
pub(crate) fn check_name(name: &str) -> Result<(), InvalidMessage> {
    let fits = (1..=Limits::NAME).contains(&name.len());
    if fits && !name.contains(' ') && !has_control_characters(name.as_bytes()) {
        Ok(())
    } else {
        Err(InvalidMessage::Name)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::Encoded;
    use crate::{Failure, Payload};

    #[test]
    fn a_packet_that_went_through_another_process_is_the_same_on_every_carrier() {
        let json = Payload::json("{\"a\":1}");
        let both = json.clone().with_bytes(Bytes::from_static(b"\x00\n\xff"));
        let bytes = Payload::default().with_bytes(Bytes::new());
        let failure = Failure { code: "no".into(), payload: both.clone() };
        let packets = [
            Encoded::event("say", &json),
            Encoded::event("say", &both),
            Encoded::request("say", &bytes),
            Encoded::volatile("say", &Payload::default()),
            Encoded::reply(7, &both),
            Encoded::failure(7, &failure),
        ];
        for packet in packets.map(Result::unwrap) {
            let again = Encoded::from_bytes(packet.as_bytes().clone()).unwrap();
            assert_eq!(again.text_line(), packet.text_line());
            assert_eq!(again.binary_message(), packet.binary_message());
        }
        for wrong in ["", "h", "welcome sid=", "e say\n", "E say AAEC", "e a\u{1}b"] {
            assert!(
                Encoded::from_bytes(Bytes::from_static(wrong.as_bytes())).is_err(),
                "{wrong:?}"
            );
        }
    }
}
