//! The words in which a session and its driver talk.

use std::fmt;

use crate::{Buffers, Close, CloseCode, Failure, Form, Message, Packet, Take};

/// A carrier that asks to serve a session.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Attachment {
    /// The client's attach counter.
    pub counter: u64,
    /// How many of our tracked packets the peer has received.
    pub peer_received: u64,
    /// The number of the last tracked packet that the peer has sent on any carrier.
    pub peer_sent: u64,
    /// Which instance of the client it is; 0 for one without a name.
    pub instance: u64,
    /// The instance that it continues, if the session was another one's.
    pub take: Option<Take>,
}

/// Names an attachment that was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CarrierId(pub(super) u64);

impl CarrierId {
    /// Its place among the attachments that this end has accepted, from 1.
    #[must_use]
    pub const fn place(self) -> u64 {
        self.0
    }
}

/// What to send next on the current carrier. `P` is the kept packet, or a reference to it.
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

impl<F: Form> Transmit<F, &F::Packet> {
    /// The same, with a share of the packet that is kept.
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

/// What happened, for the application's side of the driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionEvent<F: Form = Buffers> {
    /// The peer sent a message. `number` is what answers a request.
    Message {
        /// Event, request or volatile.
        kind: MessageKind,
        /// The packet's number; 0 for a volatile one.
        number: u64,
        /// What it says.
        message: Message<F>,
    },
    /// A request is over, for the one and only time.
    Answered {
        /// Which: what [`Session::request`](crate::Session::request) returned.
        request: u64,
        /// How.
        outcome: Result<F::Payload, AnswerError<F>>,
    },
    /// The peer answered the heartbeat that carried this token.
    Alive(Box<str>),
    /// The peer ended the carrier, not the session: its code says whether to attach again
    /// ([`Retry::Attach`](crate::Retry::Attach), [`Retry::Later`](crate::Retry::Later)), to do nothing,
    /// or to call [`Session::reopen`](crate::Session::reopen).
    Dismissed(Close),
    /// The session is over. No event follows.
    Ended(Close),
}

/// How a message was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageKind {
    /// Wants no answer.
    Event,
    /// Wants an answer.
    Request,
    /// Wants no answer, and might have been dropped.
    Volatile,
}

/// Why a request has no reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnswerError<F: Form = Buffers> {
    /// The peer answered with a failure.
    Failed(Failure<F>),
    /// Its deadline passed.
    TimedOut {
        /// Whether it went out on some carrier, so that the peer may have handled it. One that did not is
        /// withdrawn: the peer never gets it.
        sent: bool,
    },
    /// The session ended first.
    SessionLost {
        /// Whether it went out on some carrier, or still goes out before the close, so that the peer may
        /// have handled it.
        sent: bool,
    },
}

/// Why an attachment was not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttachError {
    /// A newer attachment is known.
    Replaced,
    /// The session belongs to another instance of the client, which had its packets up to this number.
    Taken {
        /// The number of the last of them.
        last: u64,
    },
    /// The instance that would take the session over lacks packets, or their numbers.
    Gap,
    /// The session goes on from a checkpoint, and the peer has sent or received something since.
    Stale,
    /// The session is over, and this is why.
    Over(Close),
    /// The peer claims to have received what was never sent.
    Violation,
}

/// Why a carrier may no longer transmit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CarrierGone {
    /// A newer attachment took over.
    Replaced,
    /// Another instance of the client took the session over.
    Taken {
        /// The number of the last packet that it had of this one.
        last: u64,
    },
    /// Nothing was heard for too long.
    TimedOut,
    /// It was detached, or the session is over and has said so.
    Detached,
}

/// A message that was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendError {
    /// The outbox has no room for it.
    Full {
        /// The outbox limit in bytes.
        limit: usize,
    },
    /// The session is over or about to be.
    Closed,
}

/// What became of a session's packets when it could not be resumed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reopened {
    /// How many packets the peer had confirmed.
    pub confirmed: u64,
    /// How many were sent and not confirmed: the peer may or may not have handled them.
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
    /// What tells the peer.
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
    /// What tells the carrier's peer, `None` when there is nothing to tell.
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
