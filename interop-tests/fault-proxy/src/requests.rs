//! As much of HTTP/1.1 as the proxy must see: where a request begins and ends.

use bytes::{Bytes, BytesMut};
use httparse::{Request, Status};

use crate::headers::{MAX_HEAD, NO_HEADERS, find};

/// Cuts the bytes of a client into requests. Bytes that do not look like HTTP, and everything after
/// a chunked body or an upgrade, are passed on as they are.
pub(crate) struct Requests {
    input: BytesMut,
    state: State,
}

pub(crate) enum Part {
    Head(Head),
    Body(Bytes),
    /// Not HTTP, or no longer.
    Raw(Bytes),
}

pub(crate) struct Head {
    pub(crate) bytes: Bytes,
    pub(crate) is_post: bool,
    /// The answer has no body.
    pub(crate) is_head: bool,
    pub(crate) is_upgrade: bool,
    /// Bytes of the body that follows, if the head says it.
    pub(crate) body: Option<usize>,
}

enum State {
    Head,
    /// So many bytes are missing.
    Body(usize),
    Raw,
}

impl Requests {
    pub(crate) fn new() -> Self {
        Self { input: BytesMut::new(), state: State::Head }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
    }

    pub(crate) fn next_part(&mut self) -> Option<Part> {
        if self.input.is_empty() {
            return None;
        }
        match self.state {
            State::Head => self.head(),
            State::Body(missing) => {
                let bytes = self.input.split_to(missing.min(self.input.len())).freeze();
                self.state = body_of(missing - bytes.len());
                Some(Part::Body(bytes))
            }
            State::Raw => Some(Part::Raw(self.rest())),
        }
    }

    /// What follows is not HTTP.
    pub(crate) fn give_up(&mut self) {
        self.state = State::Raw;
    }

    /// What is left when the client has ended.
    pub(crate) fn rest(&mut self) -> Bytes {
        self.input.split().freeze()
    }

    fn head(&mut self) -> Option<Part> {
        let mut headers = NO_HEADERS;
        let mut request = Request::new(&mut headers);
        // httparse accepts methods in lower case, which no client of HTTP sends.
        let is_http = self.input[0].is_ascii_uppercase();
        match request.parse(&self.input) {
            Ok(Status::Complete(size)) if is_http => {
                let head = Head::of(&request);
                self.state = head.body.map_or(State::Raw, body_of);
                Some(Part::Head(Head { bytes: self.input.split_to(size).freeze(), ..head }))
            }
            Ok(Status::Partial) if is_http && self.input.len() <= MAX_HEAD => None,
            _ => {
                self.give_up();
                Some(Part::Raw(self.rest()))
            }
        }
    }
}

fn body_of(length: usize) -> State {
    if length == 0 { State::Head } else { State::Body(length) }
}

impl Head {
    /// What a request says of itself, still without its bytes.
    fn of(request: &Request) -> Self {
        let header = |name| find(request.headers, name);
        let body = match header("content-length") {
            _ if header("transfer-encoding").is_some() => None,
            Some(length) => length.parse().ok(),
            None => Some(0),
        };
        Self {
            bytes: Bytes::new(),
            is_post: request.method == Some("POST"),
            is_head: request.method == Some("HEAD"),
            is_upgrade: header("upgrade").is_some() && body == Some(0),
            body,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::pieces::{self, Pieces};
    use super::{MAX_HEAD, Part, Requests};

    fn read(input: &[u8], step: usize) -> Pieces {
        let mut requests = Requests::new();
        pieces::read(input, step, |bytes| {
            requests.push(bytes);
            std::iter::from_fn(|| requests.next_part())
                .map(|part| match part {
                    Part::Head(head) if head.is_upgrade => ('u', head.bytes),
                    Part::Head(head) if head.is_post => ('p', head.bytes),
                    Part::Head(head) => ('h', head.bytes),
                    Part::Body(bytes) => ('b', bytes),
                    Part::Raw(bytes) => ('r', bytes),
                })
                .collect()
        })
    }

    #[test]
    fn requests_are_found_wherever_the_bytes_are_cut() {
        let parts = [
            ('h', "GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
            ('p', "POST /p HTTP/1.1\r\ncontent-LENGTH: 6\r\n\r\n"),
            ('b', "a\r\n\r\nb"),
            ('u', "GET /ws HTTP/1.1\r\nupgrade: websocket\r\n\r\n"),
            ('p', "POST /p HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"),
            ('r', "A\r\n\r\nGET /\r\n\r\n0\r\n\r\n"),
        ];
        pieces::are_found(&parts, read);
    }

    #[test]
    fn what_is_not_http_is_passed_on_at_once() {
        assert_eq!(read(b"hello", 1), [('r', "hello".to_owned())]);
    }

    #[test]
    fn a_head_without_end_is_passed_on() {
        let endless = "A".repeat(MAX_HEAD + 1);
        assert_eq!(read(endless.as_bytes(), 1000), [('r', endless)]);
    }
}
