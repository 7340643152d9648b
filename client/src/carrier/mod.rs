//! The carriers: one WebSocket, or one kind of HTTP downlink with POSTs.
//!
//! A carrier moves bytes. It reads none of the protocol except the two lines that end a session.

mod http;
mod websocket;

use std::task::{Context, Poll};

use bowline_protocol::{Batch, Limits, Packet, Transmit};
use bytes::{BufMut, Bytes, BytesMut};

use crate::engine::{Cause, End, FirstLine, Outgoing, Refused, Route};
use crate::platform::{Head, HostError};
use crate::shared::Shared;
use http::Http;
use websocket::WebSocket;

#[derive(Debug)]
pub(crate) enum Carrier {
    WebSocket(WebSocket),
    Http(Http),
}

/// What a carrier has received.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Incoming {
    /// Nothing, but the carrier is ready to send.
    Ready,
    /// The lines of a batch.
    Batch(Bytes),
    /// A binary message: one packet.
    Binary(Bytes),
    /// The response to a poll.
    Polled(Bytes),
    /// The response to a POST.
    Posted(Bytes),
    /// The end of the carrier.
    Ended(End),
}

impl Carrier {
    /// Starts to open a WebSocket. Dropping a carrier cancels or closes it.
    pub(crate) fn socket(shared: &Shared) -> Self {
        let limits = shared.lock().engine.inbound_limits();
        Self::WebSocket(WebSocket::open(&shared.platform, &shared.options, limits))
    }

    /// Sends on the present carrier; HTTP transports begin with the first request.
    pub(crate) fn send(
        carrier: Option<Self>,
        route: Route,
        outgoing: &Outgoing,
        shared: &Shared,
    ) -> Self {
        let mut http = match carrier {
            Some(Self::WebSocket(mut socket)) => {
                socket.send(outgoing);
                return Self::WebSocket(socket);
            }
            Some(Self::Http(http)) => http,
            None => {
                let limits = shared.lock().engine.inbound_limits();
                Http::new(&shared.platform, &shared.options, limits)
            }
        };
        http.send(route, body(outgoing));
        Self::Http(http)
    }

    /// Sends on an open WebSocket.
    pub(crate) fn write(&mut self, outgoing: &Outgoing) {
        if let Self::WebSocket(socket) = self {
            socket.send(outgoing);
        }
    }

    /// Makes progress. Reads nothing while `read` is false.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, read: bool) -> Poll<Incoming> {
        match self {
            Self::WebSocket(socket) => socket.poll(cx, read),
            Self::Http(http) => http.poll(cx, read),
        }
    }
}

impl From<HostError> for End {
    fn from(error: HostError) -> Self {
        match error {
            HostError::Status(head, body) => refusal(&head, body),
            HostError::Refused(cause, words) => Self::Refused(Refused::new(cause, words)),
            HostError::Failed(words) => Self::Lost(words),
        }
    }
}

/// Parses the close packet in the body of an HTTP error, if a Bowline server sent it; otherwise
/// interprets the status.
fn refusal(head: &Head, body: Bytes) -> End {
    let says_tls = asks_for_tls(head.status, &body);
    let first = Batch::new(body, &Limits::default()).ok().and_then(|mut b| b.next_packet());
    if let Some(Ok(Packet::Close(close))) = first {
        return End::Close(close);
    }
    let mut words = format!("HTTP {}", head.status);
    let cause =
        if says_tls { Some(Cause::TlsExpected) } else { Cause::of_status(head.status.into()) };
    let Some(cause) = cause else { return End::Lost(words) };
    if let (Cause::Redirected, Some(to)) = (cause, &head.location) {
        words = format!("{words} to {}", shown(to));
    }
    End::Refused(Refused { cause, detail: words.into(), retry_after: head.retry_after })
}

/// True for the responses of servers to a plain request at a port for TLS: no status is reserved
/// for it.
fn asks_for_tls(status: u16, body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(&body[..body.len().min(LONGEST_WORDS)]).to_lowercase();
    status == 400 && ["https port", "https server", "ssl-enabled"].iter().any(|w| text.contains(w))
}

/// The URL without query and fragment, which may contain secrets, and cut to a limit.
fn shown(location: &str) -> &str {
    let address = location.split(['?', '#']).next().unwrap_or_default();
    let end = address.char_indices().nth(LONGEST_ADDRESS).map_or(address.len(), |(at, _)| at);
    address.get(..end).unwrap_or_default()
}

/// The most bytes of an error's body that are searched for its cause.
const LONGEST_WORDS: usize = 4096;
/// The most characters of a URL that are shown.
const LONGEST_ADDRESS: usize = 200;

/// The line that names the session, empty without one.
fn first_line(outgoing: &Outgoing) -> String {
    outgoing.line.as_ref().map_or_else(String::new, FirstLine::reveal)
}

/// The lines of an HTTP body.
fn body(outgoing: &Outgoing) -> Bytes {
    let mut body = BytesMut::from(first_line(outgoing).as_str());
    for packet in &outgoing.packets {
        if !body.is_empty() {
            body.put_u8(b'\n');
        }
        write_line(packet, &mut body);
    }
    body.freeze()
}

/// Appends the line of a packet, in its text form.
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
