//! Batches as events of an SSE stream.
//!
//! Spec: 02-carriers, "SSE". The decoder follows WHATWG HTML section 9.2.6.

use bytes::{BufMut, BytesMut};

use crate::{Limits, ProtocolError};

/// Appends one event: the number of the last tracked packet sent on the stream, then the lines of a
/// batch.
pub fn write_sse_event(last_number: u64, batch: &[u8], out: &mut BytesMut) {
    out.reserve(batch.len() + 48);
    out.put_slice(b"id: ");
    out.put_slice(last_number.to_string().as_bytes());
    for line in batch.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        out.put_slice(b"\ndata: ");
        out.put_slice(line);
    }
    out.put_slice(b"\n\n");
}

/// One event of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SseEvent {
    /// The `id:` of the event, empty when it has none.
    pub id: String,
    /// The `data:` lines, joined by newlines.
    pub data: String,
}

/// Converts the chunks of a stream to events, wherever the chunks were cut.
#[derive(Debug)]
pub struct SseDecoder {
    /// Bytes received and not yet decoded.
    buffer: Vec<u8>,
    /// The start of the next line; everything before it is decoded.
    start: usize,
    /// The decoder has searched up to here without finding the end of the next line.
    searched: usize,
    max_event: usize,
    event: SseEvent,
    has_data: bool,
    started: bool,
}

impl SseDecoder {
    /// Creates a decoder that accepts batches within these limits.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self {
            buffer: Vec::new(),
            start: 0,
            searched: 0,
            max_event: limits.batch.saturating_mul(2),
            event: SseEvent { id: String::new(), data: String::new() },
            has_data: false,
            started: false,
        }
    }

    /// Adds the next bytes of the stream.
    pub fn push(&mut self, chunk: &[u8]) {
        self.buffer.extend_from_slice(chunk);
    }

    /// The next complete event, or `None` when it needs more bytes.
    ///
    /// # Errors
    /// [`ProtocolError::TooLarge`] for an event without end, [`ProtocolError::InvalidUtf8`] for one
    /// that is not text.
    pub fn next_event(&mut self) -> Result<Option<SseEvent>, ProtocolError> {
        while let Some(line) = self.next_line()? {
            if line.is_empty() {
                if std::mem::take(&mut self.has_data) {
                    let id = self.event.id.clone();
                    return Ok(Some(SseEvent { id, data: std::mem::take(&mut self.event.data) }));
                }
                continue;
            }
            self.read_field(&line);
            if self.event.data.len() > self.max_event {
                return Err(ProtocolError::TooLarge);
            }
        }
        Ok(None)
    }

    fn read_field(&mut self, line: &str) {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
            }
            "id" => value.clone_into(&mut self.event.id),
            // Comments (an empty field name) keep the stream alive; the protocol uses no other
            // fields.
            _ => {}
        }
    }

    /// The next line without its end, which may be LF, CR or CR LF.
    fn next_line(&mut self) -> Result<Option<String>, ProtocolError> {
        let end =
            self.buffer[self.searched..].iter().position(|&byte| byte == b'\n' || byte == b'\r');
        let Some(end) = end.map(|end| end + self.searched) else {
            return self.wait_for_more(self.buffer.len());
        };
        let next = match (self.buffer[end], self.buffer.get(end + 1)) {
            (b'\r', Some(b'\n')) => end + 2,
            // A CR at the end of the buffer may be the first half of a CR LF: wait for the second
            // half.
            (b'\r', None) => return self.wait_for_more(end),
            _ => end + 1,
        };
        let line = std::str::from_utf8(&self.buffer[self.start..end])
            .map_err(|_| ProtocolError::InvalidUtf8)?;
        let line = if self.started { line } else { line.strip_prefix('\u{feff}').unwrap_or(line) }
            .to_owned();
        self.started = true;
        self.start = next;
        self.searched = next;
        Ok(Some(line))
    }

    fn wait_for_more(&mut self, searched: usize) -> Result<Option<String>, ProtocolError> {
        self.buffer.drain(..self.start);
        self.searched = searched - self.start;
        self.start = 0;
        if self.buffer.len() > self.max_event { Err(ProtocolError::TooLarge) } else { Ok(None) }
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::{SseDecoder, write_sse_event};
    use crate::{Limits, ProtocolError};

    fn events(chunks: &[&[u8]]) -> Vec<(String, String)> {
        let mut decoder = SseDecoder::new(&Limits::default());
        let mut events = Vec::new();
        for chunk in chunks {
            decoder.push(chunk);
            while let Some(event) = decoder.next_event().unwrap() {
                events.push((event.id, event.data));
            }
        }
        events
    }

    #[test]
    fn a_batch_survives_being_cut_at_every_byte() {
        let mut stream = BytesMut::new();
        write_sse_event(7, "e say \"grüße\"\ne say 2".as_bytes(), &mut stream);
        write_sse_event(8, b"h", &mut stream);
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        let expected = [("7".into(), "e say \"grüße\"\ne say 2".into()), ("8".into(), "h".into())];
        assert_eq!(events(&bytes), expected);
        assert_eq!(events(&[&stream]), expected);
    }

    #[test]
    fn every_line_end_comments_foreign_fields_and_a_byte_order_mark_are_understood() {
        let stream = "\u{feff}: hello\r\nevent: x\rdata: a\rdata:b\r\n\r\n\
                      retry: 5\nid: 3\ndata\n\ndata: unfinished";
        assert_eq!(
            events(&[stream.as_bytes()]),
            [(String::new(), "a\nb".into()), ("3".into(), String::new())]
        );
        let one_by_one: Vec<&[u8]> = stream.as_bytes().chunks(1).collect();
        assert_eq!(events(&one_by_one).len(), 2);
    }

    #[test]
    fn an_event_without_end_is_refused_before_it_fills_the_memory() {
        let limits = Limits { batch: 64, packet: 64 };
        let mut decoder = SseDecoder::new(&limits);
        decoder.push(&[b'x'; 129]);
        assert_eq!(decoder.next_event(), Err(ProtocolError::TooLarge));

        let mut decoder = SseDecoder::new(&limits);
        decoder.push("data: 0123456789\n".repeat(20).as_bytes());
        assert_eq!(decoder.next_event(), Err(ProtocolError::TooLarge));
    }
}
