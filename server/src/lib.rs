//! Real-time sessions for actix-web: acknowledgements, rooms and reconnection over WebSocket when
//! it is available, over Server-Sent Events + POST or long polling when it is not.
//!
//! A [`Bowline`] is built once, outside the application factory, and added to every worker's
//! application, as a service or as middleware. Handlers are async functions of extractors; what
//! they return is the acknowledgement.
//!
//! ```no_run
//! use actix_web::{App, HttpServer};
//! use bowline_server::{Bowline, Failure, Socket, event};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize)]
//! struct Line { room: String, text: String }
//!
//! // The contract: the same definition is compiled into the clients.
//! event! {
//!     Say = "say" to server (Line) -> usize;
//!     Said = "said" to client (String);
//! }
//!
//! async fn join(socket: Socket, room: String) -> Result<(), Failure> {
//!     Ok(socket.join(&room)?)
//! }
//!
//! async fn say(socket: Socket, line: Line) -> Result<usize, Failure> {
//!     Ok(socket.to(&line.room).emit(Said, &line.text)?)
//! }
//!
//! #[actix_web::main]
//! async fn main() -> std::io::Result<()> {
//!     let bowline = Bowline::builder().on("join", join).on(Say, say).build();
//!     let mounted = bowline.clone();
//!     let server = HttpServer::new(bowline.watch(move || App::new().service(mounted.service())))
//!         .on_connect(bowline.guard())
//!         .bind(("127.0.0.1", 8080))?
//!         .run();
//!     // On SIGTERM and Ctrl-C it notifies every client when to come back, and ends.
//!     bowline.run(server).await
//! }
//! ```
//!
//! # Settings of actix that matter
//!
//! - `HttpServer::tcp_nodelay(true)`: actix leaves Nagle's algorithm on, which delays small
//!   messages.
//! - `HttpServer::h1_allow_half_closed(false)`: a browser that closes an idle stream is then
//!   noticed at once; otherwise at the next heartbeat.
//! - Over HTTP/2 a stream or poll that a client has given up is noticed with what is sent next on
//!   it, the heartbeat at the latest: actix looks at a stream only when it writes. WebSockets stay
//!   on HTTP/1.1.
//! - `HttpServer::max_connections`: 25,000 per worker unless set.
//!
//! # Where things live
//!
//! `transport` moves bytes; `session` is the protocol's core and what the server needs around it;
//! `rooms` and `delivery` decide who receives an event; `node` holds one process together;
//! `cluster` connects it with others, and `keeper` stores its sessions. `handler` and `extract`
//! call the application, which uses `handles`. No transport names a handler or a room, and no two
//! of these modules need each other.

mod address;
mod bowline;
pub mod broker;
mod budget;
mod builder;
mod clock;
mod cluster;
mod complaints;
mod config;
mod cut;
mod delivery;
mod error;
mod extract;
mod failure;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod gap;
mod guard;
mod guesses;
mod handler;
mod handles;
mod history;
mod ids;
mod keeper;
mod local;
mod locks;
mod memory;
mod message;
mod middleware;
mod mounted;
mod names;
mod namespaces;
mod node;
mod origin;
mod presence;
mod publish;
mod random;
mod rates;
mod refusal;
mod rooms;
mod service;
mod session;
mod shutdown;
mod snapshot;
mod stats;
mod store;
mod streams;
#[cfg(feature = "test-util")]
pub mod test_util;
mod topics;
mod transport;
mod turn;

pub use bowline::Bowline;
pub use bowline_protocol::{
    Answers, Carries, Close, CloseCode, Dynamic, Event, EventName, InvalidMessage, Kept, Missing,
    PRESENCE, Payload, Position, PresenceChange, Present, Recovered, Retry, SessionId, Since,
    ToClient, ToServer, Transport, Window, event,
};
pub use builder::{BowlineBuilder, NamespaceBuilder};
pub use cluster::ClusterStats;
pub use delivery::Emitted;
pub use error::{
    ClusterError, EmitError, EnterError, HistoryError, JoinError, ListError, PublishError,
    RequestError, UserError,
};
pub use extract::{
    Auth, Ext, FromConnect, FromMessage, FromRefresh, FromSession, FromStream, FromTopic,
    MessageName,
};
pub use failure::Failure;
pub use gap::{GAP, Gap, GapScope};
pub use guard::{Watched, WatchedBody, WatchedService};
pub use handler::{
    Answer, AwayHandler, Binary, ConnectHandler, DisconnectHandler, Handler, Inbound,
    IntoAdmission, IntoGrant, IntoReply, IntoStream, Json, Next, Outlet, RefreshHandler,
    ReturnsValue, SendsItems, StreamHandler, TopicHandler,
};
pub use handles::{
    Audience, Chunks, History, ItemStream, Items, Namespace, Presence, Recipient, Replies, Request,
    RequestAll, Socket, Topic,
};
pub use history::{HistoryPage, StoredMessage};
pub use middleware::{BowlineMiddleware, Mounted};
pub use node::{
    Attaching, ConnectContext, Grant, MessageContext, Outbound, Prepared, RefreshContext,
    SessionContext, StreamContext, TopicContext, Verdict,
};
pub use rates::{RateLimit, RateLimits};
pub use refusal::Refusal;
pub use service::BowlineService;
pub use shutdown::Running;
pub use stats::Stats;
#[cfg(feature = "redis")]
pub use store::RedisStore;
pub use store::{FileStore, Store};
pub use topics::{SignedGrant, TopicKey};
pub use uuid::Uuid;
