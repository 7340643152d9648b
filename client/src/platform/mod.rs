//! The seam: what a host must supply, and nothing else.
//!
//! Everything above it (the ladder, the carriers, the driver) runs unchanged in native programs and in
//! browsers. A host implements [`Platform`] and hands it to
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

use crate::engine::Verdict;

#[cfg(feature = "native")]
pub(crate) use native::Native;
pub use send::{BoxFuture, BoxSink, BoxStream, MaybeSend, MaybeSync};

/// A host: its clock, its randomness, its tasks and its network.
///
/// Whatever a method returns is cancelled by dropping it: a dropped request is aborted, a dropped
/// socket or body is closed.
pub trait Platform: MaybeSend + MaybeSync + 'static {
    /// The present moment, from a clock that never goes back and goes on while the machine sleeps.
    fn now(&self) -> Time;

    /// Resolves after `duration`, not before.
    fn sleep(&self, duration: Duration) -> BoxFuture<()>;

    /// Runs the future in the background.
    fn spawn(&self, future: BoxFuture<()>);

    /// 128 bits that nobody can guess.
    fn random(&self) -> [u8; 16];

    /// Opens a WebSocket. `max_message` is the size in bytes above which an inbound message is
    /// refused.
    fn open_socket(
        &self,
        target: Target,
        max_message: usize,
    ) -> BoxFuture<Result<Socket, HostError>>;

    /// What becomes of the host, as it happens: for hosts whose programs are put to sleep. The default
    /// is one that stays awake.
    fn lifecycle(&self) -> BoxStream<Lifecycle> {
        Box::pin(futures::stream::pending())
    }

    /// The verdict that was left for the server mounted at this URL, if it is still valid. The default is
    /// a host that keeps nothing.
    fn recall(&self, _url: &str) -> Option<Verdict> {
        None
    }

    /// Keeps a verdict for a later client, or forgets the one that was kept.
    fn remember(&self, _url: &str, _verdict: Option<Verdict>) {}

    /// Sends a POST with the content type `text/plain; charset=utf-8` and resolves as soon as the
    /// response's status is known.
    fn post(&self, target: Target, body: Bytes) -> BoxFuture<Result<Response, HostError>>;
}

/// Where a request goes and what the application adds to it.
#[derive(Debug, Clone)]
pub struct Target {
    /// The whole URL: `ws` or `wss` for sockets, else `http` or `https`.
    pub url: String,
    /// Headers of the application, names and values. Hosts that cannot send them ignore them.
    pub headers: Arc<[(String, String)]>,
}

/// What becomes of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifecycle {
    /// It was asleep, or its network has changed: see [`Client::wake`](crate::Client::wake).
    Wake,
    /// It is about to sleep, and may wake: see [`Client::suspend`](crate::Client::suspend).
    Suspend,
    /// It ends, and the session with it: see [`Client::close`](crate::Client::close).
    Leave,
}

/// An open WebSocket.
pub struct Socket {
    /// Takes what is sent; flushed when the network has it.
    pub sink: BoxSink<SocketMessage>,
    /// Yields what is received. Ends when the socket is closed.
    pub stream: BoxStream<Result<SocketMessage, HostError>>,
}

/// What goes through a WebSocket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SocketMessage {
    /// A text message.
    Text(ByteString),
    /// A binary message.
    Binary(Bytes),
    /// A close frame with its code, 1005 when it had none.
    Close(u16),
}

/// The answer to a POST.
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The body as it arrives.
    pub body: BoxStream<Result<Bytes, HostError>>,
}

/// Why the network did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostError {
    /// A WebSocket handshake was answered with this HTTP status and body.
    Status(u16, Bytes),
    /// Anything else, in words for a person.
    Failed(String),
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket").finish_non_exhaustive()
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response").field("status", &self.status).finish_non_exhaustive()
    }
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status, _) => write!(f, "the server answered with the status {status}"),
            Self::Failed(words) => f.write_str(words),
        }
    }
}

impl std::error::Error for HostError {}
