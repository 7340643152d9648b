//! What may not have reached clients, and how they are notified.

use bowline_protocol::{Encoded, Payload, SessionId};
use serde_json::json;

/// The name of the event that tells clients of a gap: something said to a room, to their user or to
/// everyone may not have reached them. Its payload is `{"room": …}`, `{"user": …}` or `{}`, with
/// the number that is `missed` where it is known.
///
/// Spec: 06-rooms-and-requests, "Gaps".
pub const GAP: &str = "bowline.gap";

/// Messages between nodes that were lost on their way.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gap {
    /// Whom they were for.
    pub scope: GapScope,
    /// How many, where it is known.
    pub missed: Option<u64>,
}

/// Whom lost messages were for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GapScope {
    /// Everyone, or an audience of several rooms; or anybody whom a node that died had something to
    /// say to.
    Everyone,
    /// A room.
    Room(String),
    /// A user.
    User(String),
    /// Single sessions of this node; which is not known.
    Sessions,
    /// This session: it was handed over too late, or what this node had to tell it could not be
    /// sent because nobody could be asked where it is.
    Session(SessionId),
}

impl Gap {
    /// What clients are told.
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
