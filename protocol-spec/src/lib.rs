//! The Bowline session protocol, without I/O.
//!
//! A **session** is a logical conversation between a client and a server. It outlives the
//! **carriers** (a WebSocket, an SSE stream with POSTs, a long poll) that serve it one after another,
//! and inside its resume window it loses, repeats and reorders nothing, in either direction.
//!
//! This crate holds everything both ends must agree on, and nothing that touches a socket, a clock
//! or a random number generator:
//!
//! - [`Packet`] and [`Encoded`]: one line of text, parsed from and shared as slices of a buffer;
//! - [`Batch`]: the lines of one message or body, and the numbers they imply;
//! - [`Session`]: the state machine that numbers, keeps, replays, confirms and times out;
//! - [`CloseCode`]: the registry of reasons to part, each with what to do next;
//! - [`Event`]: the typed contract that a server and its clients compile in common.
//!
//! # Driving a session
//!
//! Time and bytes go in, outputs come out. Every driver has the same loop: after each call that
//! changes the session, drain [`Session::poll_event`] and [`Session::poll_transmit`] until both are
//! empty, then wait for input or for [`Session::poll_timeout`].
//!
//! ```
//! use bowline_protocol::{Attachment, Encoded, Payload, Session, SessionConfig, Time, Transmit};
//!
//! let now = Time::ZERO;
//! let mut session = Session::new(SessionConfig::server(), 7, now);
//! session.emit(Encoded::event("greet", &Payload::json("\"hello\""))?, now)?;
//!
//! let carrier = session.attach(Attachment { counter: 1, ..Attachment::default() }, now)?;
//! let Ok(Some(Transmit::Tracked { number: 1, packet })) = session.poll_transmit(carrier, now) else {
//!     panic!("what was emitted before is replayed to the new carrier")
//! };
//! assert_eq!(packet.text_line(), "e greet \"hello\"");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The feature `serde`, off unless asked for, adds the payloads that the specification itself gives a form:
//! `PresenceChange`.
//!
//! The text of the specification is in the folder `spec` beside this crate, its vectors in `vectors`.

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
mod nested;
mod packet;
#[cfg(feature = "serde")]
mod presence;
mod scan;
mod session;
mod sse;
mod time;
mod transport;
mod write;

pub use batch::Batch;
pub use buffers::BufferedLine;
pub use close::{Close, CloseCode, Retry};
pub use encoded::Encoded;
pub use error::ProtocolError;
pub use event::{Answers, Carries, Dynamic, Event, EventName, ToClient, ToServer};
pub use form::{Buffers, Form, KeptPacket};
pub use handshake::{AUTH, Attach, Open, Take, Welcome};
#[cfg(feature = "serde")]
pub use history::{Kept, Missing, Position, Recovered, Since};
pub use ids::{NodeId, OpenKey, Secret, SessionId, Ticket, Token};
pub use invalid::InvalidMessage;
pub use limits::{Limits, VERSION};
pub use message::{Failure, Message, Payload};
pub use nested::Nested;
pub use packet::Packet;
#[cfg(feature = "serde")]
pub use presence::{PRESENCE, PresenceChange, Present};
pub use session::{
    AnswerError, AttachError, Attachment, CarrierGone, CarrierId, MessageKind, Ownership, Reopened,
    SendError, Session, SessionConfig, SessionEvent, Taken, Transmit,
};
pub use sse::{SseDecoder, SseEvent, write_sse_event};
pub use time::{Millis, Time};
pub use transport::Transport;
