//! What serves the session: one WebSocket, or one kind of HTTP downlink with POSTs.
//!
//! A carrier moves bytes. It knows nothing of sessions beyond the two lines that end one.

mod http;
mod websocket;

use std::sync::Arc;
use std::task::{Context, Poll};

use bowline_protocol::{Batch, Close, Limits, Packet, Transmit};
use bytes::{BufMut, Bytes, BytesMut};

use crate::Transport;
use crate::builder::Options;
use crate::platform::{HostError, Platform};
use http::Http;
use websocket::WebSocket;

#[derive(Debug)]
pub(crate) enum Carrier {
    WebSocket(WebSocket),
    Http(Http),
}

/// What a carrier brings.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Incoming {
    /// Nothing to read, but something may be sent now.
    Ready,
    /// The lines of a batch.
    Batch(Bytes),
    /// A binary message: one packet.
    Binary(Bytes),
    /// The answer to a body whose last tracked packet had this number.
    Answer { body: Bytes, last: u64 },
    /// Nothing follows.
    Ended(End),
}

/// Why a carrier ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The server said so.
    Close(Close),
    /// The network, or something between; in words for a person.
    Lost(String),
}

/// What goes out together.
#[derive(Debug)]
pub(crate) struct Outgoing {
    /// The first line, where one is needed.
    pub(crate) line: Option<String>,
    /// The number of the last tracked packet so far.
    pub(crate) last: u64,
    pub(crate) packets: Vec<Transmit>,
}

impl Carrier {
    /// Begins to open a carrier. Dropping it cancels or closes.
    pub(crate) fn open(
        transport: Transport,
        platform: &Arc<dyn Platform>,
        options: &Options,
        limits: Limits,
    ) -> Self {
        match transport {
            Transport::WebSocket => Self::WebSocket(WebSocket::open(&**platform, options, limits)),
            Transport::Sse => Self::Http(Http::sse(platform, options, limits)),
            Transport::Polling => Self::Http(Http::polling(platform, options, limits)),
        }
    }

    /// True if [`Self::send`] may be called.
    pub(crate) fn is_ready(&self) -> bool {
        match self {
            Self::WebSocket(socket) => socket.is_ready(),
            Self::Http(http) => http.is_ready(),
        }
    }

    /// True if every body begins with a line that says which session it speaks for.
    pub(crate) const fn is_http(&self) -> bool {
        matches!(self, Self::Http(_))
    }

    /// True if [`Self::poll_again`] is wanted.
    pub(crate) const fn wants_poll(&self) -> bool {
        match self {
            Self::WebSocket(_) => false,
            Self::Http(http) => http.wants_poll(),
        }
    }

    /// Sends. The first time this starts the carrier.
    pub(crate) fn send(&mut self, outgoing: Outgoing) {
        match self {
            Self::WebSocket(socket) => socket.send(outgoing),
            Self::Http(http) => http.send(&outgoing),
        }
    }

    /// Sends the next long poll.
    pub(crate) fn poll_again(&mut self, line: String) {
        if let Self::Http(http) = self {
            http.poll_again(line.into());
        }
    }

    /// Makes progress. Does not read further while `read` is false.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, read: bool) -> Poll<Incoming> {
        match self {
            Self::WebSocket(socket) => socket.poll(cx, read),
            Self::Http(http) => http.poll(cx, read),
        }
    }
}

impl Outgoing {
    /// The lines of an HTTP body.
    fn body(&self) -> Bytes {
        let mut body = BytesMut::from(self.line.as_deref().unwrap_or_default());
        for packet in &self.packets {
            if !body.is_empty() {
                body.put_u8(b'\n');
            }
            write_line(packet, &mut body);
        }
        body.freeze()
    }
}

impl End {
    /// Reads the close out of an HTTP error, if it is one of ours.
    fn from_status(status: u16, body: Bytes) -> Self {
        let first = Batch::new(body, &Limits::default()).ok().and_then(|mut b| b.next_packet());
        match first {
            Some(Ok(Packet::Close(close))) => Self::Close(close),
            _ => Self::Lost(format!("the server answered with the status {status}")),
        }
    }
}

impl From<HostError> for End {
    fn from(error: HostError) -> Self {
        match error {
            HostError::Status(status, body) => Self::from_status(status, body),
            HostError::Failed(words) => Self::Lost(words),
        }
    }
}

/// Appends the line of a packet, as text carriers have it.
fn write_line(packet: &Transmit, out: &mut BytesMut) {
    match packet {
        Transmit::Tracked { packet, .. } | Transmit::Volatile(packet) => {
            out.put_slice(packet.text_line());
        }
        Transmit::Control(packet) => {
            packet.write_line(out).expect("a control packet can always be written");
        }
    }
}
