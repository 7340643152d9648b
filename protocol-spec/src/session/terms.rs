//! The types that a session and its driver exchange.

use std::fmt;

use crate::{Buffers, Close, CloseCode, Failure, Form, Message, Packet, Take};

/// An attachment: a carrier that is to serve a session.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Attachment {
    /// The client's attach counter.
    pub counter: u64,
    /// How many of this end's tracked packets the peer has received.
    pub peer_received: u64,
    /// The number of the last tracked packet that the peer has sent on any carrier.
    pub peer_sent: u64,
    /// The instance of the client; 0 for an instance without a name.
    pub instance: u64,
    /// The take-over, if this instance continues the session of another one.
    pub take: Option<Take>,
}

/// Identifies an accepted attachment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CarrierId(pub(super) u64);

impl CarrierId {
    /// The sequence number of the attachment among those that this end has accepted, from 1.
    #[must_use]
    pub const fn place(self) -> u64 {
        self.0
    }
}

/// The next packet to send on the current carrier. `P` is a packet of the outbox, or a reference to
/// it.
#[derive(Debug, Clone)]
pub enum Transmit<F: Form = Buffers, P = <F as Form>::Packet> {
    /// A packet with a number.
    Tracked {
        /// Its number.
        number: u64,
        /// The shared bytes.
        packet: P,
    },
    /// A packet without a number that may be dropped.
    Volatile(F::Packet),
    /// A confirmation, heartbeat, answer to one, or close.
    Control(Packet<F>),
}

/// What became of a volatile event with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LatestOutcome {
    /// It is sent when the carrier is ready.
    Queued,
    /// The same; an older event of its key that waited was dropped.
    Replaced,
    /// It was dropped: no carrier is attached.
    Dropped,
}

impl<F: Form> Transmit<F, &F::Packet> {
    /// The same, with a clone of the borrowed packet.
    #[must_use]
    pub fn share(self) -> Transmit<F> {
        match self {
            Self::Tracked { number, packet } => {
                Transmit::Tracked { number, packet: packet.clone() }
            }
            Self::Volatile(packet) => Transmit::Volatile(packet),
            Self::Control(packet) => Transmit::Control(packet),
        }
    }
}

/// An event for the application's side of the driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionEvent<F: Form = Buffers> {
    /// The peer sent a message. An answer to a request refers to its `number`.
    Message {
        /// Event, request or volatile.
        kind: MessageKind,
        /// The packet's number; 0 for a volatile one.
        number: u64,
        /// Its name and payload.
        message: Message<F>,
    },
    /// A request has ended. Each request ends exactly once.
    Answered {
        /// The id that [`Session::request`](crate::Session::request) returned.
        request: u64,
        /// The reply, or why there is none.
        outcome: Result<F::Payload, AnswerError<F>>,
    },
    /// The peer answered the heartbeat with this token.
    Alive(Box<str>),
    /// The peer ended the carrier, not the session. The code of the close decides whether to attach
    /// again ([`Retry::Attach`](crate::Retry::Attach), [`Retry::Later`](crate::Retry::Later)), to
    /// do nothing, or to call [`Session::reopen`](crate::Session::reopen).
    Dismissed(Close),
    /// The session is over. No event follows.
    Ended(Close),
}

/// How a message was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageKind {
    /// Expects no answer.
    Event,
    /// Expects an answer.
    Request,
    /// Expects no answer, and could have been dropped.
    Volatile,
}

/// Why a request has no reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnswerError<F: Form = Buffers> {
    /// The peer answered with a failure.
    Failed(Failure<F>),
    /// Its deadline passed.
    TimedOut {
        /// Whether a carrier has sent the request, so that the peer may have handled it. A request
        /// that was not sent is withdrawn: the peer never receives it.
        sent: bool,
    },
    /// The session ended first.
    SessionLost {
        /// Whether a carrier has sent the request, or still sends it before the close, so that the
        /// peer may have handled it.
        sent: bool,
    },
}

/// Why an attachment was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttachError {
    /// A newer attachment is known.
    Replaced,
    /// The session belongs to another instance of the client.
    Taken {
        /// The number of the last packet that the other instance took over.
        last: u64,
    },
    /// The instance that asks to take the session over lacks packets, or their numbers.
    Gap,
    /// The session was restored from a checkpoint, and the peer has sent or received packets since.
    Stale,
    /// The session is over, for this reason.
    Over(Close),
    /// The peer claims to have received packets that were never sent.
    Violation,
}

/// Why a carrier cannot transmit any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CarrierGone {
    /// A newer attachment took over.
    Replaced,
    /// Another instance of the client took the session over.
    Taken {
        /// The number of the last packet that it took over from this one.
        last: u64,
    },
    /// The peer was silent for too long.
    TimedOut,
    /// The carrier was detached, or the session is over and has sent its close.
    Detached,
}

/// Why a packet was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendError {
    /// The outbox has no room for it.
    Full {
        /// The outbox limit in bytes.
        limit: usize,
    },
    /// The session is over or about to end.
    Closed,
}

/// The packets of a session that could not be resumed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reopened {
    /// How many packets the peer had confirmed.
    pub confirmed: u64,
    /// How many packets were sent and not confirmed: the peer may or may not have handled them.
    pub unknown: u64,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full { limit } => write!(f, "the outbox limit of {limit} bytes is reached"),
            Self::Closed => f.write_str("the session is closed"),
        }
    }
}

impl std::error::Error for SendError {}

impl fmt::Display for AttachError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.close().code.meaning())
    }
}

impl std::error::Error for AttachError {}

impl AttachError {
    /// The close code to send to the peer.
    #[must_use]
    pub fn close(&self) -> Close {
        Close::new(match self {
            Self::Taken { last } => return Close::taken(*last),
            Self::Over(close) => return close.clone(),
            Self::Replaced => CloseCode::REPLACED,
            Self::Gap => CloseCode::SESSION_GAP,
            Self::Stale => CloseCode::SESSION_RESTARTED,
            Self::Violation => CloseCode::PROTOCOL_VIOLATION,
        })
    }
}

impl CarrierGone {
    /// The close packet to send to the peer of the carrier, `None` when there is none to send.
    #[must_use]
    pub fn close(self) -> Option<Close> {
        match self {
            Self::Replaced => Some(Close::new(CloseCode::REPLACED)),
            Self::Taken { last } => Some(Close::taken(last)),
            Self::TimedOut => Some(Close::new(CloseCode::HEARTBEAT_TIMEOUT)),
            Self::Detached => None,
        }
    }
}
