//! Names, payloads and packets as slices of shared buffers.

use bytes::Bytes;
use bytestring::ByteString;

use crate::base64;
use crate::encoded::Encoded;
use crate::error::ProtocolError;
use crate::form::{Buffers, Form};
use crate::message::Payload;
use crate::scan::{has_control_characters, split};
use crate::write::NO_BYTES;

/// A line as a carrier brings it to [`Buffers`]: a part of a batch, or all of a text.
#[derive(Debug, Default)]
pub struct BufferedLine {
    batch: ByteString,
    /// Where the line is, without its newline.
    range: std::ops::Range<usize>,
    /// The line is known to be without control characters.
    clean: bool,
    /// The bytes that a binary message has beside its line.
    raw: Option<Bytes>,
}

impl BufferedLine {
    /// A whole text as a line.
    #[must_use]
    pub fn new(text: ByteString, raw: Option<Bytes>) -> Self {
        Self { range: 0..text.len(), batch: text, clean: false, raw }
    }

    /// The line that begins so many bytes into the batch. A part of the line shares the buffer of the batch; the line
    /// itself is only looked at, since most are looked at once.
    pub(crate) fn move_to(&mut self, begin: usize) -> &str {
        let rest = self.batch.get(begin..).unwrap_or_default();
        // A newline is a control character, so the end of a line is found while its characters are checked.
        let control = first_control_character(rest.as_bytes());
        self.clean = control.is_none_or(|at| rest.as_bytes()[at] == b'\n');
        let end = if self.clean { control } else { rest.find('\n') };
        self.range = begin..begin + end.unwrap_or(rest.len());
        self.text()
    }

    /// Bytes of the batch.
    pub(crate) fn batch_len(&self) -> usize {
        self.batch.len()
    }

    fn text(&self) -> &str {
        self.batch.get(self.range.clone()).unwrap_or_default()
    }
}

/// Where the first character is that no line may hold.
fn first_control_character(text: &[u8]) -> Option<usize> {
    let (chunks, _) = text.as_chunks::<CHUNK>();
    let clean = chunks.iter().take_while(|chunk| !has_control_characters(*chunk)).count() * CHUNK;
    text[clean..].iter().position(|byte| *byte < 0x20).map(|at| clean + at)
}

impl Form for Buffers {
    type Line = BufferedLine;
    type Name = ByteString;
    type Payload = Payload;
    type Packet = Encoded;

    fn text(line: &BufferedLine) -> &str {
        line.text()
    }

    fn has_control_characters(line: &BufferedLine) -> bool {
        !line.clean && has_control_characters(line.text().as_bytes())
    }

    fn name(line: &BufferedLine, name: &str) -> ByteString {
        line.batch.slice_ref(name)
    }

    fn payload(
        line: &BufferedLine,
        rest: Option<&str>,
        with_bytes: bool,
    ) -> Result<Payload, ProtocolError> {
        let json = |rest: Option<&str>| {
            rest.map_or_else(ByteString::new, |rest| line.batch.slice_ref(rest))
        };
        match (&line.raw, with_bytes) {
            (_, false) => Ok(Payload::json(json(rest))),
            (Some(raw), true) => Ok(Payload::json(json(rest)).with_bytes(raw.clone())),
            (None, true) => {
                let rest = rest.ok_or(ProtocolError::Malformed("the base64 field is missing"))?;
                let (field, rest) = split(rest);
                Ok(Payload::json(json(rest)).with_bytes(bytes(field)?))
            }
        }
    }

    fn size(payload: &Payload) -> usize {
        payload.size()
    }
}

/// Reads the field in which text carriers have bytes.
fn bytes(field: &str) -> Result<Bytes, ProtocolError> {
    match field {
        NO_BYTES => Ok(Bytes::new()),
        "" => Err(ProtocolError::Malformed("no bytes are written as '-'")),
        text => base64::decode(text.as_bytes())
            .map(Bytes::from)
            .ok_or(ProtocolError::Malformed("not canonical base64 with padding")),
    }
}

/// Bytes of a line that are looked at together.
const CHUNK: usize = 32;
