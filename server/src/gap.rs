//! What may not have reached clients, and how they are notified.

use bowline_protocol::{Encoded, Payload, SessionId};
use serde_json::json;

/// The name of the event that notifies clients of a gap: they may have missed something that was
/// sent to a room, to their user or to everyone. Its payload is `{"room": …}`, `{"user": …}` or
/// `{}`, with the number that is `missed` where it is known.
///
/// Spec: 06-rooms-and-requests, "Gaps".
pub const GAP: &str = "bowline.gap";

/// Messages between nodes that were lost on their way.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gap {
    /// The sessions to which they were sent.
    pub scope: GapScope,
    /// How many, where it is known.
    pub missed: Option<u64>,
}

/// The sessions to which lost messages were sent.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GapScope {
    /// All sessions, or an audience of several rooms; also when a node that died may have had
    /// something to send.
    Everyone,
    /// A room.
    Room(String),
    /// A user.
    User(String),
    /// Some sessions of this node; which ones is unknown.
    Sessions,
    /// This session: it was handed over too late, or this node could not send to it because no node
    /// responded with its place.
    Session(SessionId),
}

impl Gap {
    /// What clients receive.
    pub(crate) fn packet(&self) -> Encoded {
        let mut payload = match &self.scope {
            GapScope::Room(room) => json!({ "room": room }),
            GapScope::User(user) => json!({ "user": user }),
            GapScope::Everyone | GapScope::Sessions | GapScope::Session(_) => json!({}),
        };
        if let Some(missed) = self.missed {
            payload["missed"] = missed.into();
        }
        let packet = Encoded::event(GAP, &Payload::json(payload.to_string()));
        packet.expect("the name and the payload are plain")
    }
}
