//! What may not have reached clients, and how they are notified.

use bowline_protocol::{Encoded, Payload, SessionId};
use serde_json::json;

use crate::names::message_in;

/// The name of the event that notifies clients of a gap: they may have missed something that was
/// sent to a room, to their user or to everyone. Its payload is `{"room": …}`, `{"user": …}` or
/// `{}`, with the number that is `missed` where it is known. Clients receive it in the namespace in
/// which it was sent.
///
/// Spec: 06-rooms-and-requests, "Gaps".
pub const GAP: &str = "bowline.gap";

/// Messages between nodes that were lost on their way.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gap {
    /// The namespace in which they were sent; `None` for the main one. See
    /// [`BowlineBuilder::namespace`](crate::BowlineBuilder::namespace).
    pub namespace: Option<String>,
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
    /// A gap in the main namespace.
    pub(crate) const fn new(scope: GapScope, missed: Option<u64>) -> Self {
        Self { namespace: None, scope, missed }
    }

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
        let packet = Encoded::event(
            &message_in(self.namespace.as_deref(), GAP),
            &Payload::json(payload.to_string()),
        );
        packet.expect("the name and the payload are plain")
    }
}

#[cfg(test)]
mod tests {
    use super::{Gap, GapScope};

    #[test]
    fn a_gap_is_reported_in_its_namespace() {
        let gap = Gap::new(GapScope::Room("hall".to_owned()), Some(2));
        let line = |gap: &Gap| gap.packet().text_line().to_owned();
        assert_eq!(line(&gap), r#"e bowline.gap {"missed":2,"room":"hall"}"#);
        let gap = Gap { namespace: Some("/a".to_owned()), ..gap };
        assert_eq!(line(&gap), r#"e /a,bowline.gap {"missed":2,"room":"hall"}"#);
    }
}
