//! What the clients of a fleet speak.

mod bowline;
mod raw;
mod socketio;

use bowline_raw_client::{Frame, write_masked};

use super::http;

pub(crate) use bowline::Bowline;
pub(crate) use raw::Raw;
pub(crate) use socketio::SocketIo;

/// One client's part of a conversation. It never sees a socket: it is given whole messages and
/// writes whole messages.
pub(crate) trait Dialect: std::fmt::Debug {
    /// Where WebSockets are upgraded.
    fn socket_path(&self) -> &'static str;

    /// The WebSocket is open.
    fn opened(&mut self, out: &mut Outgoing, seen: &mut dyn FnMut(Seen<'_>));

    /// A whole message has come, or the body of a poll, or the data of an event.
    ///
    /// # Errors
    /// What is wrong with it.
    fn message(
        &mut self,
        message: &[u8],
        out: &mut Outgoing,
        seen: &mut dyn FnMut(Seen<'_>),
    ) -> Result<(), String>;

    /// Asks for an echo.
    fn request(&mut self, payload: &[u8], out: &mut Outgoing);

    /// Says something to the room.
    fn publish(&mut self, payload: &[u8], out: &mut Outgoing);

    /// What stands between the messages of one batch; `None` where each is a message of its own.
    fn separator(&self, transport: Transport) -> Option<u8>;

    /// Appends the request that opens a stream or the first poll.
    fn open(&mut self, transport: Transport, out: &mut Vec<u8>);

    /// Appends the next poll.
    fn poll(&mut self, out: &mut Vec<u8>);

    /// Appends the request that contains a batch.
    fn post(&mut self, batch: &[u8], out: &mut Vec<u8>);

    /// The connection is gone, and the next one shall continue the session.
    fn resume(&mut self) {}
}

/// How a fleet reaches the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// One connection, both ways.
    WebSocket,
    /// A stream of events, and POSTs on a second connection.
    Events,
    /// Long polls, and POSTs on a second connection.
    Polling,
}

/// What a client is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Sends requests, or nothing.
    Caller,
    /// As a caller that sends each request as a message of its own, as clients do that join
    /// nothing.
    Apart,
    /// Joins the room.
    Member,
    /// Speaks to the room.
    Publisher,
}

/// What a dialect has found in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen<'a> {
    /// The session can send and receive; a member has joined.
    Ready,
    /// The oldest request was answered with this.
    Answer(&'a [u8]),
    /// What was said to the room.
    Delivery(&'a [u8]),
}

/// What a client is about to send.
#[derive(Debug)]
pub(crate) struct Outgoing {
    separator: Option<u8>,
    /// Messages of one batch, or frames.
    pub(crate) bytes: Vec<u8>,
}

impl Outgoing {
    pub(crate) const fn new(separator: Option<u8>) -> Self {
        Self { separator, bytes: Vec::new() }
    }

    /// Appends a message.
    pub(crate) fn message(&mut self, parts: &[&[u8]]) {
        let Some(separator) = self.separator else {
            return write_masked(Frame::FIN | Frame::TEXT, parts, &mut self.bytes);
        };
        if !self.bytes.is_empty() {
            self.bytes.push(separator);
        }
        parts.iter().for_each(|part| self.bytes.extend_from_slice(part));
    }

    /// Moves everything to a WebSocket.
    pub(crate) fn send_to_socket(&mut self, output: &mut Vec<u8>) {
        if self.bytes.is_empty() {
            return;
        }
        match self.separator {
            Some(_) => write_masked(Frame::FIN | Frame::TEXT, &[&self.bytes], output),
            None => output.extend_from_slice(&self.bytes),
        }
        self.bytes.clear();
    }
}

/// What follows `key` in a text, up to one of the characters that may end it.
fn field(text: &[u8], key: &str, end: &[u8]) -> Result<String, String> {
    let text = String::from_utf8_lossy(text);
    let (_, value) = text.split_once(key).ok_or_else(|| format!("{key:?} is missing in {text}"))?;
    let ends = |c: char| u8::try_from(c).is_ok_and(|byte| end.contains(&byte));
    Ok(value.split(ends).next().unwrap_or_default().to_owned())
}
