//! The Bowline session protocol, without I/O.
//!
//! A **session** is a logical conversation between a client and a server. Several **carriers** (a
//! WebSocket, an SSE stream with POSTs, a long poll) serve it one after another. Within its resume
//! window the session loses, repeats and reorders no packet, in either direction.
//!
//! This crate contains everything on which both ends must agree, and nothing that touches a socket,
//! a clock or a random number generator:
//!
//! - [`Packet`] and [`Encoded`]: one line of text; received packets are slices of a buffer, sent
//!   packets share one;
//! - [`Batch`]: the lines of one message or body, and the packet numbers that follow from their
//!   order;
//! - [`Session`]: the state machine that numbers, stores, replays and confirms packets, and times
//!   out;
//! - [`CloseCode`]: the registry of close codes, each with what the client does next;
//! - [`Event`]: the typed contract that a server and its clients share.
//!
//! # Driving a session
//!
//! Time and bytes are the input, packets and events the output. Every driver has the same loop:
//! after each call that changes the session, drain [`Session::poll_event`] and
//! [`Session::poll_transmit`] until both are empty, then wait for input or until
//! [`Session::poll_timeout`].
//!
//! ```
//! use bowline_protocol::{Attachment, Encoded, Payload, Session, SessionConfig, Time, Transmit};
//!
//! let now = Time::ZERO;
//! let mut session = Session::new(SessionConfig::server(), 7, now);
//! session.emit(Encoded::event("greet", &Payload::json("\"hello\""))?, now)?;
//!
//! let carrier = session.attach(Attachment { counter: 1, ..Attachment::default() }, now)?;
//! let Ok(Some(Transmit::Tracked { packet, .. })) = session.poll_transmit(carrier, now) else {
//!     panic!("the session replays earlier events to the new carrier")
//! };
//! assert_eq!(packet.text_line(), "e greet \"hello\"");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The feature `serde`, off by default, adds the payloads whose form the specification defines,
//! such as `PresenceChange`.
//!
//! The folder `spec` beside this crate contains the specification, the folder `vectors` its test
//! vectors.

mod base64;
mod batch;
mod buffers;
mod close;
mod encoded;
mod error;
mod event;
mod form;
mod handshake;
#[cfg(feature = "serde")]
mod history;
mod ids;
mod invalid;
mod json;
mod limits;
mod message;
#[cfg(feature = "serde")]
mod namespace;
mod nested;
mod packet;
#[cfg(feature = "serde")]
mod presence;
mod scan;
mod session;
mod sse;
mod stream;
mod time;
#[cfg(feature = "serde")]
mod topic;
mod transport;
mod write;

pub use batch::Batch;
pub use buffers::BufferedLine;
pub use close::{Close, CloseCode, Retry};
pub use encoded::Encoded;
pub use error::ProtocolError;
pub use event::{Answers, Carries, Dynamic, Event, EventName, ToClient, ToServer};
pub use form::{Buffers, Form, KeptPacket, Lines, NoKey};
pub use handshake::{AUTH, Attach, Open, Take, Welcome};
#[cfg(feature = "serde")]
pub use history::{Kept, Missing, Position, Recovered, Since};
pub use ids::{NodeId, OpenKey, Secret, SessionId, Ticket, Token};
pub use invalid::InvalidMessage;
pub use limits::{Limits, VERSION};
pub use message::{Failure, Message, Payload};
#[cfg(feature = "serde")]
pub use namespace::{
    JOIN, JoinNamespace, LEAVE, LEFT, LeaveNamespace, NamespaceLeft, NamespaceRefused,
    is_namespace, split_namespace,
};
pub use nested::Nested;
pub use packet::Packet;
#[cfg(feature = "serde")]
pub use presence::{PRESENCE, PresenceChange, Present};
pub use session::{
    AnswerError, AttachError, Attachment, CarrierGone, CarrierId, LatestOutcome, MessageKind,
    Ownership, Reopened, SendError, Session, SessionConfig, SessionEvent, Taken, Transmit,
};
pub use sse::{SseDecoder, SseEvent, write_sse_event};
pub use stream::{ItemTooLarge, ReceiveWindow, SendWindow, Window, WindowExceeded, item_size};
#[cfg(feature = "serde")]
pub use stream::{
    STREAM, STREAM_CANCEL, STREAM_CREDIT, STREAM_END, STREAM_INTERRUPTED, STREAM_ITEM,
    StreamCancel, StreamCredit, StreamEnd, StreamFailure, StreamOpen, StreamOpened,
};
pub use time::{Millis, Time};
#[cfg(feature = "serde")]
pub use topic::{
    Granted, PUBLISH, PublishTo, Published, SUBSCRIBE, Subscribe, TOPIC, TOPIC_ENDED, TopicEnded,
    TopicEvent, TopicMessage, TopicName, UNSUBSCRIBE, is_pattern, is_topic, matches,
};
pub use transport::Transport;
