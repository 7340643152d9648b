//! HTTP/1.1, just enough for load.

use httparse::Status;

/// A head at the beginning of the input.
pub(crate) struct Head {
    pub(crate) status: u16,
    /// Bytes of the body, if the head states them.
    length: Option<usize>,
    /// Bytes that it takes.
    pub(crate) size: usize,
}

/// The first head of the input, `None` while it is not all there.
///
/// # Errors
/// When the input is no response.
pub(crate) fn head(input: &[u8]) -> Result<Option<Head>, String> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut head = httparse::Response::new(&mut headers);
    let parsed = head.parse(input).map_err(|error| format!("no response: {error}"))?;
    let Status::Complete(size) = parsed else { return Ok(None) };
    let length = head.headers.iter().find(|h| h.name.eq_ignore_ascii_case("content-length"));
    let length = length.and_then(|length| std::str::from_utf8(length.value).ok()?.parse().ok());
    Ok(Some(Head { status: head.code.unwrap_or_default(), length, size }))
}

/// A whole response at the beginning of the input.
pub(crate) struct Response<'a> {
    pub(crate) status: u16,
    pub(crate) body: &'a [u8],
    /// Bytes that it takes.
    pub(crate) size: usize,
}

/// The first response of the input, `None` while it is not all there.
///
/// # Errors
/// When its length is not stated, and as [`head`].
pub(crate) fn read(input: &[u8]) -> Result<Option<Response<'_>>, String> {
    let Some(Head { status, length, size: head }) = head(input)? else { return Ok(None) };
    let size = head + length.ok_or("no length is stated")?;
    Ok(input.get(head..size).map(|body| Response { status, body, size }))
}

/// Appends a request that upgrades.
pub(crate) fn upgrade(path: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"GET ");
    out.extend_from_slice(path.as_bytes());
    out.extend_from_slice(
        b" HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
          Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
    );
}

/// Appends a GET.
pub(crate) fn get(path: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"GET ");
    out.extend_from_slice(path.as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
}

/// Appends a POST.
pub(crate) fn post(path: &str, body: &[&[u8]], out: &mut Vec<u8>) {
    let length: usize = body.iter().map(|part| part.len()).sum();
    out.extend_from_slice(b"POST ");
    out.extend_from_slice(path.as_bytes());
    out.extend_from_slice(
        b" HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: \
            text/plain;charset=UTF-8\r\nContent-Length: ",
    );
    out.extend_from_slice(length.to_string().as_bytes());
    out.extend_from_slice(b"\r\n\r\n");
    body.iter().for_each(|part| out.extend_from_slice(part));
}

/// Takes the framing off a chunked body that never ends, and hands on the lines that begin with
/// `data: `.
#[derive(Debug, Default)]
pub(crate) struct Events {
    /// Bytes that the current chunk still has, the newline that ends it included.
    chunk: usize,
    line: Vec<u8>,
}

impl Events {
    /// Returns how much of the input was used; what is left is the beginning of a chunk's length.
    pub(crate) fn read(
        &mut self,
        input: &[u8],
        mut data: impl FnMut(&[u8]) -> Result<(), String>,
    ) -> Result<usize, String> {
        let mut at = 0;
        while at < input.len() {
            if self.chunk == 0 {
                let size = httparse::parse_chunk_size(&input[at..]);
                let size = size.map_err(|_| "a chunk has no length")?;
                let Status::Complete((header, length)) = size else { break };
                self.chunk = length as usize + 2;
                at += header;
                continue;
            }
            // The newline behind a chunk belongs to nobody.
            let ends = self.chunk <= 2;
            let wanted = if ends { self.chunk } else { self.chunk - 2 };
            let part = &input[at..(at + wanted).min(input.len())];
            (at, self.chunk) = (at + part.len(), self.chunk - part.len());
            if ends {
                continue;
            }
            for piece in part.split_inclusive(|byte| *byte == b'\n') {
                self.line.extend_from_slice(piece);
                if piece.ends_with(b"\n") {
                    if let Some(line) = self.line.strip_prefix(b"data: ") {
                        data(line.trim_ascii_end())?;
                    }
                    self.line.clear();
                }
            }
        }
        Ok(at)
    }
}

#[cfg(test)]
mod tests {
    use super::{Events, read};

    #[test]
    fn a_response_is_read_once_it_is_whole() {
        let bytes = b"HTTP/1.1 200 OK\r\ncontent-Length: 2\r\n\r\nokHTTP";
        let response = read(bytes).unwrap().unwrap();
        assert_eq!((response.status, response.body), (200, &b"ok"[..]));
        assert_eq!(response.size, bytes.len() - 4);
        assert!(read(&bytes[..bytes.len() - 5]).unwrap().is_none());
    }

    #[test]
    fn events_are_read_wherever_the_stream_is_cut() {
        let bytes = b"6\r\ndata: \r\n9\r\none\n\nid: \r\n7\r\n1\ndata:\r\n6\r\n two\n\n\r\n";
        for cut in 0..bytes.len() {
            let (mut events, mut seen) = (Events::default(), Vec::new());
            let mut see = |line: &[u8]| {
                seen.push(line.to_vec());
                Ok(())
            };
            let used = events.read(&bytes[..cut], &mut see).unwrap();
            events.read(&bytes[used..], &mut see).unwrap();
            assert_eq!(seen, [b"one", b"two"], "cut at {cut}");
        }
    }
}
