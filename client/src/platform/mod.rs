//! The platform: everything that a host must supply.
//!
//! All other modules (the ladder, the carriers, the driver) run unchanged in native programs and in
//! browsers. A host implements [`Platform`] and passes it to
//! [`ClientBuilder::build_on`](crate::ClientBuilder::build_on).

#[cfg(feature = "native")]
mod native;
mod send;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bowline_protocol::Time;
use bytes::Bytes;
use bytestring::ByteString;

use crate::engine::{Cause, Verdict};

#[cfg(feature = "native")]
pub(crate) use native::Native;
pub use send::{BoxFuture, BoxSink, BoxStream, MaybeSend, MaybeSync};

/// A host: its clock, its randomness, its tasks and its network.
///
/// Dropping the return value of a method cancels it: a dropped request is aborted, a dropped socket
/// or body is closed.
pub trait Platform: MaybeSend + MaybeSync + 'static {
    /// The present moment, from a monotonic clock that continues while the machine sleeps.
    fn now(&self) -> Time;

    /// Resolves after `duration`, not before.
    fn sleep(&self, duration: Duration) -> BoxFuture<()>;

    /// Runs the future in the background.
    fn spawn(&self, future: BoxFuture<()>);

    /// 128 bits that an attacker cannot guess.
    fn random(&self) -> [u8; 16];

    /// True if the host can send headers of the application with every request, WebSockets
    /// included. True by default; browsers cannot.
    fn sends_headers(&self) -> bool {
        true
    }

    /// Opens a WebSocket. The host refuses inbound messages of more than `max_message` bytes.
    fn open_socket(
        &self,
        target: Target,
        max_message: usize,
    ) -> BoxFuture<Result<Socket, HostError>>;

    /// Notifications that the host sleeps, wakes or ends: for hosts whose programs can be
    /// suspended. The default is a host that never is.
    fn lifecycle(&self) -> BoxStream<Lifecycle> {
        Box::pin(futures::stream::pending())
    }

    /// The stored verdict for the server mounted at this URL, if it is still valid. The default is
    /// a host that stores nothing.
    fn recall(&self, _url: &str) -> Option<Verdict> {
        None
    }

    /// Stores a verdict for a later client, or removes the stored one.
    fn remember(&self, _url: &str, _verdict: Option<Verdict>) {}

    /// Sends a POST with the content type `text/plain; charset=utf-8` and resolves as soon as the
    /// response's status is known.
    fn post(&self, target: Target, body: Bytes) -> BoxFuture<Result<Response, HostError>>;
}

/// The URL of a request and the headers that the application adds.
#[derive(Debug, Clone)]
pub struct Target {
    /// The whole URL: `ws` or `wss` for sockets, otherwise `http` or `https`.
    pub url: String,
    /// Headers of the application.
    pub headers: Headers,
}

/// Headers of an application, names and values, all valid. Debug output masks the values.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers(Arc<[(String, String)]>);

/// A change of the host's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifecycle {
    /// It was asleep, or its network has changed: see [`Client::wake`](crate::Client::wake).
    Wake,
    /// It is about to sleep, and may wake: see [`Client::suspend`](crate::Client::suspend).
    Suspend,
    /// It ends, and the session with it: see [`Client::close`](crate::Client::close).
    Leave,
}

/// An open WebSocket, in two halves.
pub struct Socket {
    /// Sends messages; flushed when the network has accepted them.
    pub sink: BoxSink<SocketMessage>,
    /// The received messages. Ends when the socket is closed.
    pub stream: BoxStream<Result<SocketMessage, HostError>>,
}

/// A message of a WebSocket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SocketMessage {
    /// A text message.
    Text(ByteString),
    /// A binary message.
    Binary(Bytes),
    /// A close frame with its code, 1005 when it had none.
    Close(u16),
}

/// The response to a POST. Hosts never follow a redirect: the body, with its secrets, would be sent
/// there.
pub struct Response {
    /// The head.
    pub head: Head,
    /// The body as it arrives.
    pub body: BoxStream<Result<Bytes, HostError>>,
}

/// The parts of an HTTP response's head that the client uses. A host leaves out what it cannot
/// know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Head {
    /// The HTTP status.
    pub status: u16,
    /// The header `Content-Type`.
    pub content_type: Option<String>,
    /// The header `Location`.
    pub location: Option<String>,
    /// The time of the header `Retry-After`, counted from now on.
    pub retry_after: Option<Duration>,
}

/// Why a request failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostError {
    /// The server responded to a WebSocket handshake with this head and body.
    Status(Head, Bytes),
    /// The request was refused for this known cause; with a text for people.
    Refused(Cause, String),
    /// Any other failure, with a text for people.
    Failed(String),
}

impl Headers {
    /// Checks the headers: all must be valid, and the client must not set them itself.
    ///
    /// # Errors
    /// The name of the first invalid header.
    pub fn new(headers: Vec<(String, String)>) -> Result<Self, String> {
        match headers.iter().find(|(name, value)| !is_header(name, value)) {
            Some((name, _)) => Err(name.clone()),
            None => Ok(Self(headers.into())),
        }
    }

    /// True if there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Names and values, in the order of the application.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket").finish_non_exhaustive()
    }
}

impl fmt::Debug for Headers {
    /// Names only: values are often secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response").field("head", &self.head).finish_non_exhaustive()
    }
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(head, _) => write!(f, "HTTP {}", head.status),
            Self::Refused(_, words) | Self::Failed(words) => f.write_str(words),
        }
    }
}

impl std::error::Error for HostError {}

/// RFC 9110: a name is a token, a value is visible ASCII, spaces and tabs.
pub(crate) fn is_header(name: &str, value: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let is_value = |byte: u8| byte == b'\t' || (b' '..=b'~').contains(&byte);
    let lower = name.to_ascii_lowercase();
    let is_own = OWN.contains(&lower.as_str()) || lower.starts_with("sec-websocket-");
    !name.is_empty() && name.bytes().all(is_token) && value.bytes().all(is_value) && !is_own
}

/// The headers that the client or its host sets itself.
const OWN: [&str; 11] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
