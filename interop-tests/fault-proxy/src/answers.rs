//! As much of HTTP/1.1 as the proxy must see of a server: where an answer begins and ends.

use bytes::{Buf as _, Bytes, BytesMut};
use httparse::{Response, Status};

use crate::headers::{MAX_HEAD, NO_HEADERS, find};

/// Cuts the bytes of a server into answers. Bytes that do not look like HTTP, and everything after
/// an upgrade, are passed on as they are.
#[derive(Debug)]
pub(crate) struct Answers {
    input: BytesMut,
    state: State,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Head(Bytes),
    /// As it was sent, chunk headers included.
    Body(Bytes),
    /// The answer is complete.
    End,
    /// Not HTTP, or no longer.
    Raw(Bytes),
}

#[derive(Debug, Clone, Copy)]
enum State {
    Head,
    /// So many bytes are missing.
    Sized(usize),
    Chunked(Chunk),
    /// The end of the connection is the end of the body.
    Endless,
    /// The end is still to be told.
    Complete,
    Raw,
}

#[derive(Debug, Clone, Copy)]
enum Chunk {
    /// The line that says its size, so far.
    Size(usize),
    /// Extensions behind the size, which say nothing here.
    Extension(usize),
    /// Bytes that are missing, the line end behind them included.
    Data(usize),
    /// After the last chunk: true while the line that is being read is empty.
    Trailer(bool),
}

impl Answers {
    pub(crate) fn new() -> Self {
        Self { input: BytesMut::new(), state: State::Head }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
    }

    /// The next part. For each head that is not an interim one it asks whether a body follows if
    /// the head tells of one: what answers a HEAD has none.
    pub(crate) fn next_part(&mut self, has_a_body: impl FnOnce() -> bool) -> Option<Part> {
        if matches!(self.state, State::Complete) {
            self.state = State::Head;
            return Some(Part::End);
        }
        if self.input.is_empty() {
            return None;
        }
        match self.state {
            State::Head => self.head(has_a_body),
            State::Sized(missing) => {
                let bytes = self.input.split_to(missing.min(self.input.len())).freeze();
                self.state = sized(missing - bytes.len());
                Some(Part::Body(bytes))
            }
            State::Chunked(chunk) => Some(self.chunked(chunk)),
            State::Endless => Some(Part::Body(self.rest())),
            State::Raw => Some(Part::Raw(self.rest())),
            State::Complete => unreachable!("returned above"),
        }
    }

    /// What is left when the server has ended.
    pub(crate) fn rest(&mut self) -> Bytes {
        self.input.split().freeze()
    }

    fn head(&mut self, has_a_body: impl FnOnce() -> bool) -> Option<Part> {
        let mut headers = NO_HEADERS;
        let mut response = Response::new(&mut headers);
        match response.parse(&self.input) {
            Ok(Status::Complete(size)) => {
                self.state = body_of(&response, has_a_body);
                Some(Part::Head(self.input.split_to(size).freeze()))
            }
            Ok(Status::Partial) if self.input.len() <= MAX_HEAD => None,
            _ => {
                self.state = State::Raw;
                Some(Part::Raw(self.rest()))
            }
        }
    }

    /// As much of a chunked body as is there. httparse reads a chunk's size only from a whole line,
    /// which would hold back a part of the body that the server has sent.
    fn chunked(&mut self, mut chunk: Chunk) -> Part {
        let mut at = 0;
        while let Some(&byte) = self.input.get(at) {
            let (next, step) = match (chunk, byte) {
                (Chunk::Data(missing), _) => {
                    let step = missing.min(self.input.len() - at);
                    let left = missing - step;
                    (if left == 0 { Chunk::Size(0) } else { Chunk::Data(left) }, step)
                }
                (Chunk::Size(0) | Chunk::Extension(0), b'\n') => (Chunk::Trailer(true), 1),
                (Chunk::Size(size) | Chunk::Extension(size), b'\n') => (Chunk::Data(size + 2), 1),
                (Chunk::Size(size), _) => match char::from(byte).to_digit(16) {
                    Some(digit) => (Chunk::Size(size.saturating_mul(16) + digit as usize), 1),
                    None => (Chunk::Extension(size), 1),
                },
                (Chunk::Trailer(true), b'\n') => {
                    self.state = State::Complete;
                    return Part::Body(self.input.split_to(at + 1).freeze());
                }
                (Chunk::Trailer(_), b'\n') => (Chunk::Trailer(true), 1),
                (Chunk::Trailer(is_empty), b'\r') => (Chunk::Trailer(is_empty), 1),
                (Chunk::Trailer(_), _) => (Chunk::Trailer(false), 1),
                (Chunk::Extension(size), _) => (Chunk::Extension(size), 1),
            };
            chunk = next;
            at += step;
        }
        self.state = State::Chunked(chunk);
        Part::Body(self.input.copy_to_bytes(at))
    }
}

fn body_of(response: &Response, has_a_body: impl FnOnce() -> bool) -> State {
    let header = |name| find(response.headers, name);
    match response.code.unwrap_or_default() {
        101 => State::Raw,
        100..=199 => State::Head,
        _ if !has_a_body() => State::Complete,
        204 | 304 => State::Complete,
        _ if header("transfer-encoding").is_some() => State::Chunked(Chunk::Size(0)),
        _ => match header("content-length").map(str::parse) {
            Some(Ok(length)) => sized(length),
            _ => State::Endless,
        },
    }
}

const fn sized(length: usize) -> State {
    if length == 0 { State::Complete } else { State::Sized(length) }
}

#[cfg(test)]
mod tests {
    use super::super::pieces::{self, Pieces};
    use super::{Answers, Part};

    /// What came out when each request was a GET.
    fn read(input: &[u8], step: usize) -> Pieces {
        read_answers_to(input, step, "")
    }

    /// The same when those requests with an h were a HEAD.
    fn read_answers_to(input: &[u8], step: usize, requests: &str) -> Pieces {
        let (mut answers, mut requests) = (Answers::new(), requests.chars());
        pieces::read(input, step, |bytes| {
            answers.push(bytes);
            std::iter::from_fn(|| answers.next_part(|| requests.next() != Some('h')))
                .map(|part| match part {
                    Part::Head(bytes) => ('h', bytes),
                    Part::Body(bytes) => ('b', bytes),
                    Part::Raw(bytes) => ('r', bytes),
                    Part::End => ('.', "".into()),
                })
                .collect()
        })
    }

    #[test]
    fn answers_are_found_wherever_the_bytes_are_cut() {
        let parts = [
            ('h', "HTTP/1.1 200 OK\r\ncontent-LENGTH: 6\r\n\r\n"),
            ('b', "a\r\n\r\nb"),
            ('.', ""),
            ('h', "HTTP/1.1 204 No Content\r\n\r\n"),
            ('.', ""),
            ('h', "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
            ('b', "3\r\na\r\n\r\n1A;b=c\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\nTrailer: a\r\n\r\n"),
            ('.', ""),
            ('h', "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 Switching Protocols\r\n\r\n"),
            ('r', "HTTP/1.1 200 OK\r\n\r\n"),
        ];
        pieces::are_found(&parts, read);
    }

    #[test]
    fn the_answer_to_a_head_has_no_body_whatever_its_head_says() {
        let parts = [
            ('h', "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n"),
            ('.', ""),
            (
                'h',
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: \
                    chunked\r\n\r\n",
            ),
            ('.', ""),
            ('h', "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"),
            ('b', "ab"),
            ('.', ""),
        ];
        pieces::are_found(&parts, |input, step| read_answers_to(input, step, "hhg"));
    }

    #[test]
    fn a_body_without_a_length_ends_with_its_connection() {
        let parts = [('h', "HTTP/1.0 200 OK\r\n\r\n"), ('b', "anything\r\n\r\n")];
        pieces::are_found(&parts, read);
    }

    #[test]
    fn what_is_not_http_is_passed_on_at_once() {
        assert_eq!(read(b"hello", 1), [('r', "hello".to_owned())]);
        assert_eq!(read(b"HTTP is", 1), [('r', "HTTP is".to_owned())]);
    }
}
