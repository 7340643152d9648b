//! Names, payloads and packets as slices of shared buffers.

use bytes::Bytes;
use bytestring::ByteString;

use crate::base64;
use crate::encoded::Encoded;
use crate::error::ProtocolError;
use crate::form::{Buffers, Form, Lines};
use crate::message::Payload;
use crate::scan::{has_control_characters, split};
use crate::write::NO_BYTES;

/// A line as a carrier hands it to [`Buffers`]: a part of a batch, or a whole text.
#[derive(Debug, Default)]
pub struct BufferedLine {
    batch: ByteString,
    /// The position of the line in the batch, without its newline.
    range: std::ops::Range<usize>,
    /// True if the line is known to contain no control characters.
    clean: bool,
    /// The raw bytes that follow the line in a binary message.
    raw: Option<Bytes>,
}

impl BufferedLine {
    /// Treats a whole text as one line.
    #[must_use]
    pub fn new(text: ByteString, raw: Option<Bytes>) -> Self {
        Self { range: 0..text.len(), batch: text, clean: false, raw }
    }

    /// Moves to the line that begins at this byte of the batch. Names and payloads share the buffer
    /// of the batch; the line itself is borrowed, since most lines are read once.
    pub(crate) fn move_to(&mut self, begin: usize) -> &str {
        let rest = self.batch.get(begin..).unwrap_or_default();
        // A newline is a control character, so one pass finds the end of the line and checks its
        // characters.
        let control = first_control_character(rest.as_bytes());
        self.clean = control.is_none_or(|at| rest.as_bytes()[at] == b'\n');
        let end = if self.clean { control } else { rest.find('\n') };
        self.range = begin..begin + end.unwrap_or(rest.len());
        self.text()
    }

    /// The size of the batch in bytes.
    pub(crate) fn batch_len(&self) -> usize {
        self.batch.len()
    }

    fn text(&self) -> &str {
        self.batch.get(self.range.clone()).unwrap_or_default()
    }
}

/// The position of the first character that no line may contain.
fn first_control_character(text: &[u8]) -> Option<usize> {
    let (chunks, _) = text.as_chunks::<CHUNK>();
    let clean = chunks.iter().take_while(|chunk| !has_control_characters(*chunk)).count() * CHUNK;
    text[clean..].iter().position(|byte| *byte < 0x20).map(|at| clean + at)
}

impl Form for Buffers {
    type Name = ByteString;
    type Payload = Payload;
    type Packet = Encoded;

    fn size(payload: &Payload) -> usize {
        payload.size()
    }
}

impl Lines for Buffers {
    type Line = BufferedLine;

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
}

/// Decodes the field in which text carriers send bytes.
fn bytes(field: &str) -> Result<Bytes, ProtocolError> {
    match field {
        NO_BYTES => Ok(Bytes::new()),
        "" => Err(ProtocolError::Malformed("an empty field is written '-'")),
        text => base64::decode(text.as_bytes())
            .map(Bytes::from)
            .ok_or(ProtocolError::Malformed("not canonical base64 with padding")),
    }
}

/// Bytes of a line that are checked together.
const CHUNK: usize = 32;
