//! The native client of Bowline: a real-time session that outlives its connections.
//!
//! A [`Client`] connects to a Bowline server over WebSocket when it is available, and over
//! Server-Sent Events and POST or long polling when it is not. It chooses the transport and
//! reconnects by itself, and loses, repeats and reorders no message within the server's resume
//! window.
//!
//! ```no_run
//! use bowline_client::Client;
//! use futures::StreamExt;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::builder("https://example.org/bowline").auth("my token").build()?;
//!
//! // Subscribe first, to miss no event.
//! let mut said = client.on::<_, String>("said");
//! client.connect().await?;
//!
//! // The client stores events until the server confirms them, also without a connection.
//! client.emit("say", "hello")?;
//! // A request ends exactly once: with a reply, a failure, a timeout or the loss of the session.
//! let members: Vec<String> = client.request("members", "lobby").await?;
//! println!("{members:?}");
//!
//! while let Some(line) = said.next().await {
//!     println!("{}", line?.payload);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # The typed contract
//!
//! The value of a type that implements [`Event`](protocol::Event) can replace any event name.
//! Server and client then compile the same contract, and a wrong payload does not compile.
//!
//! ```no_run
//! use bowline_client::event;
//!
//! event! {
//!     /// Stores a line of chat. The reply is its number.
//!     Say = "say" to server (String) -> u64;
//! }
//!
//! # async fn say(client: bowline_client::Client) -> Result<(), bowline_client::RequestError> {
//! let number = client.request(Say, &"hello".to_owned()).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//!
//! - `native` (default): the platform of native programs, on tokio, reqwest and rustls. Proxies
//!   come from `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`, certificate roots from the
//!   operating system. The application must call [`Client::connect`] within a tokio runtime.
//! - `json` (implied by `native`): payloads as types. Without it payloads are JSON text and bytes,
//!   through the operations with `raw` in their names.
//! - `http2`: streams, polls and POSTs over HTTP/2 where a server offers it with TLS. WebSockets
//!   stay on HTTP/1.1.
//!
//! Without features the crate compiles for `wasm32-unknown-unknown`, and another host implements
//! [`platform::Platform`]. For browsers there is `bowline-client-wasm`.

#![cfg_attr(
    target_arch = "wasm32",
    allow(
        clippy::arc_with_non_send_sync,
        reason = "the same code shares between threads elsewhere, and there is one thread here"
    )
)]

mod auth;
mod builder;
mod carrier;
mod client;
mod diagnostics;
mod driver;
mod endpoint;
// For `bowline-client-wasm` only, which drives the engine from JavaScript.
#[doc(hidden)]
pub mod engine;
mod error;
mod events;
mod handler;
mod headers;
mod inlet;
#[cfg_attr(not(feature = "json"), allow(dead_code, reason = "joining needs JSON"))]
mod memberships;
#[cfg(feature = "json")]
mod namespace;
mod options;
mod pending;
pub mod platform;
mod request;
mod setup;
mod shared;
mod status;
#[cfg(feature = "json")]
mod stream;
#[cfg_attr(not(feature = "json"), path = "streams/without_json.rs")]
mod streams;
#[cfg(feature = "json")]
mod subscription;
#[cfg_attr(not(feature = "json"), path = "topics/without_json.rs")]
mod topics;
#[cfg(feature = "json")]
mod typed;

pub use bowline_protocol as protocol;
#[cfg(feature = "json")]
pub use bowline_protocol::{
    Kept, Missing, PRESENCE, Position, PresenceChange, Present, Recovered, Since,
};

pub use bowline_protocol::{Transport, event};
pub use builder::ClientBuilder;
pub use client::Client;
pub use diagnostics::{Diagnostics, Found};
pub use engine::{Backoff, Cause, End, OnSessionLost, Refused, Verdict};
pub use error::{BuildError, ConnectError, DecodeError, EmitError, RequestError, TryRecvError};
pub use events::RawEvents;
pub use handler::Failure;
pub use memberships::NamespaceEnd;
#[cfg(feature = "json")]
pub use namespace::Namespace;
pub use request::{RawAnswer, RawRequest};
pub use setup::Setup;
pub use status::{Stats, Status, StatusStream};
#[cfg(feature = "json")]
pub use stream::{ItemStream, OpenStream, RawItemStream, StreamSender, Upload};
#[cfg(feature = "json")]
pub use streams::StreamError;
#[cfg(feature = "json")]
pub use subscription::{Publish, Subscribe, SubscribeError, Subscription};
#[cfg(feature = "json")]
pub use topics::{Published, TopicItem};
#[cfg(feature = "json")]
pub use typed::{Answer, Events, Received, Request};
#[cfg(feature = "json")]
pub use uuid::Uuid;
