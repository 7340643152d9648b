//! What nodes say to each other.
//!
//! A message is a head of 26 bytes, which is the same in all versions, a description in JSON behind
//! its length, and whatever bytes belong to it: an encoded packet, as it goes to the clients, or a
//! part of a request. A receiver needs only the head to refuse what it does not understand.
//!
//! ```text
//! "BW" version flags node(6) call(8) ordinal(8) | length(4) json | bytes
//! ```

mod values;

use std::net::IpAddr;

use bowline_protocol::{NodeId, SessionId};
use bytes::{BufMut as _, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use crate::delivery::Membership;
pub(crate) use crate::snapshot::{Hidden, Id};
pub(crate) use values::{Ending, Luggage, Outcome, PresenceMessage, Target, To, Told};

/// The version of the messages that this build speaks.
pub(crate) const VERSION: u8 = 1;

/// Who said it, and what about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) version: u8,
    pub(crate) wants_answer: bool,
    pub(crate) node: NodeId,
    /// What an answer refers to; chosen by the node that asks.
    pub(crate) call: u64,
    /// The how-manieth message of the node on this channel it is, from 1; 0 for one that may be
    /// lost.
    pub(crate) ordinal: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Message {
    /// The packet in the bytes goes to everyone in the audience.
    Emit {
        to: Target,
        volatile: bool,
        /// Of a volatile packet: one of the same key that waits is dropped.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<String>,
    },
    /// The packet in the bytes is a request to everyone in the audience.
    Ask {
        to: Target,
        timeout: u64,
    },
    /// The sessions that the node has asked; their answers follow.
    Asked {
        sessions: Vec<Id<SessionId>>,
    },
    /// The answer of one; bytes beside it are in the bytes.
    Answered {
        session: Id<SessionId>,
        outcome: Outcome,
    },
    /// Who belongs to the audience?
    Find {
        to: Target,
    },
    Members {
        sessions: Vec<Id<SessionId>>,
    },
    Disconnect {
        to: Target,
        close: Ending,
    },
    /// Who is in a room changes, for the sessions of the audience.
    Membership {
        to: Target,
        change: Membership,
        room: String,
    },
    /// The node lives. With `hello` it has just begun, and wants to know who else does.
    Alive {
        hello: bool,
        serving: bool,
        draining: bool,
        /// Presence is used.
        #[serde(default)]
        presence: bool,
    },
    /// Means nothing: the sender receives it behind everything that was sent on the channel before.
    Mark,
    /// The node is about to stop, and its sessions are elsewhere.
    Leaving,
    /// Nothing more comes to it for them.
    Farewell,
    /// The node has stopped on purpose, and nothing of it is missing.
    Left,
    /// Another node is gone, as far as the sender knows. What comes behind this may be of sessions
    /// that were lost with it.
    Gone {
        node: Id<NodeId>,
    },
    /// The node may have missed something on these channels.
    Resync {
        channels: Vec<String>,
    },
    /// The last ordinals of the sender on these channels.
    Positions {
        channels: Vec<(String, u64)>,
    },
    /// The node does not speak the version of a message that wanted an answer.
    Refused,
    /// A carrier of a session of the receiver, or of one that it has opened by this key: see
    /// `relay`.
    Carry {
        endpoint: String,
        session: Option<Id<SessionId>>,
        key: Option<Hidden>,
        /// Where the client is.
        #[serde(default)]
        address: Option<IpAddr>,
    },
    /// Whose session is it? With its secret, or with the key that opened it.
    Whose {
        session: Option<Id<SessionId>>,
        secret: Option<Hidden>,
        key: Option<Hidden>,
    },
    /// It is this one, and somebody's; none if it is not known, or not open.
    Owned {
        session: Option<Id<SessionId>>,
        user: Option<String>,
        /// It is there, open or not, and the secret is right.
        #[serde(default)]
        proven: bool,
    },
    /// The receiver of `Carry` serves it.
    Carried,
    /// The beginning of the answer, and all of it if it is `whole`.
    Answer {
        status: u16,
        headers: Vec<(String, String)>,
        whole: bool,
    },
    /// The next piece of the answer.
    Piece {
        number: u64,
    },
    /// The answer is complete.
    Over {
        number: u64,
    },
    /// The owner serves the carrier no longer.
    Broken,
    /// So many bytes from the edge were used up.
    Taken {
        bytes: u64,
    },
    /// The next piece of the request.
    Up {
        number: u64,
    },
    /// So many bytes of the answer were used up.
    UpTaken {
        bytes: u64,
    },
    /// The client is gone.
    UpOver,
    /// The session is elsewhere now. The receiver itself: it may open it. The sender: ask again.
    Moved {
        node: Id<NodeId>,
    },
    /// Sessions that are in these rooms are about to come.
    Prepare {
        rooms: Vec<String>,
    },
    /// The rooms are listened to, and from this place on notes are taken.
    Prepared {
        mark: u64,
    },
    /// A session; its packets are in the bytes.
    Hand {
        luggage: Box<Luggage>,
    },
    /// It has arrived.
    Handed {
        taken: bool,
    },
    /// Who is present in a room.
    Presence(PresenceMessage),
}

impl Head {
    /// `None` when the message is none of ours.
    pub(crate) fn read(message: &[u8]) -> Option<Self> {
        let head = message.get(..HEAD)?;
        let number = |at: usize| head[at..at + 8].try_into().map(u64::from_be_bytes).ok();
        (head[..2] == MAGIC).then_some(())?;
        Some(Self {
            version: head[2],
            wants_answer: head[3] & 1 != 0,
            node: NodeId::from_bytes(head[4..10].try_into().ok()?),
            call: number(10)?,
            ordinal: number(18)?,
        })
    }

    pub(crate) fn write(&self, message: &Message, bytes: &[u8]) -> Bytes {
        let json = serde_json::to_vec(message).expect("a message is plain data");
        let mut out = BytesMut::with_capacity(HEAD + 4 + json.len() + bytes.len());
        out.put_slice(&MAGIC);
        out.put_u8(self.version);
        out.put_u8(u8::from(self.wants_answer));
        out.put_slice(self.node.as_bytes());
        out.put_u64(self.call);
        out.put_u64(self.ordinal);
        out.put_u32(u32::try_from(json.len()).expect("a description is small"));
        out.put_slice(&json);
        out.put_slice(bytes);
        out.freeze()
    }
}

impl Message {
    /// The one session that it is for.
    pub(crate) const fn session(&self) -> Option<SessionId> {
        match self {
            Self::Emit { to, .. } | Self::Disconnect { to, .. } | Self::Membership { to, .. } => {
                match to.to {
                    To::Session(Id(session)) => Some(session),
                    To::All | To::Rooms(_) => None,
                }
            }
            _ => None,
        }
    }

    /// The session that it asks for, if it asks for one.
    pub(crate) const fn asks_for(&self) -> Option<SessionId> {
        match self {
            Self::Ask { to, .. } | Self::Find { to } => match to.to {
                To::Session(Id(session)) => Some(session),
                To::All | To::Rooms(_) => None,
            },
            _ => None,
        }
    }

    /// These sessions have received it already.
    pub(crate) fn leave_out(&mut self, sessions: Vec<SessionId>) {
        if let Self::Emit { to, .. }
        | Self::Ask { to, .. }
        | Self::Disconnect { to, .. }
        | Self::Membership { to, .. } = self
        {
            to.except_sessions.extend(sessions.into_iter().map(Id));
        }
    }

    /// What follows the head; `None` when this version does not know it.
    pub(crate) fn read(message: &Bytes) -> Option<(Self, Bytes)> {
        let length = message.get(HEAD..HEAD + 4)?.try_into().map(u32::from_be_bytes).ok()?;
        let end = (HEAD + 4).checked_add(usize::try_from(length).ok()?)?;
        let json = message.get(HEAD + 4..end)?;
        Some((serde_json::from_slice(json).ok()?, message.slice(end..)))
    }
}

const MAGIC: [u8; 2] = *b"BW";
const HEAD: usize = 26;

#[cfg(test)]
mod tests {
    use bowline_protocol::{NodeId, SessionId};
    use bytes::Bytes;

    use super::{Head, Hidden, Id, Message, Target, To, VERSION};

    #[test]
    fn a_message_is_read_as_it_was_written_and_nothing_else_is() {
        let node = NodeId::from_bytes([7; 6]);
        let head = Head { version: VERSION, wants_answer: true, node, call: 3, ordinal: 9 };
        let to = Target {
            to: To::Session(Id(SessionId::new(node, [1; 12]))),
            except_rooms: vec!["a \u{0} room".to_owned()],
            except_sessions: Vec::new(),
        };
        let message = Message::Emit { to, volatile: true, key: Some("a key".to_owned()) };
        let bytes = head.write(&message, b"e say\xff");
        assert_eq!(Head::read(&bytes), Some(head));
        assert_eq!(Message::read(&bytes), Some((message, Bytes::from_static(b"e say\xff"))));
        for end in 0..bytes.len() - 6 {
            assert_eq!(Message::read(&bytes.slice(..end)), None, "{end}");
        }
        assert_eq!(Head::read(b"PING PING PING PING PING PING"), None);
    }

    #[test]
    fn a_secret_between_nodes_is_in_no_log() {
        let key = Some(Hidden("a2V5LWtleS1rZXktMDAwMQ".to_owned()));
        let carry =
            Message::Carry { endpoint: "poll".to_owned(), session: None, key, address: None };
        assert!(!format!("{carry:?}").contains("a2V5"), "{carry:?}");
        let json = serde_json::to_string(&carry).unwrap();
        assert!(json.contains("\"a2V5LWtleS1rZXktMDAwMQ\""), "it travels: {json}");
    }
}
