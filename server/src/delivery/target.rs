//! Whom something is sent to.

use bowline_protocol::SessionId;

/// A set of sessions. Who belongs to it is found out when something is sent.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) to: To,
    pub(crate) except_rooms: Vec<String>,
    pub(crate) except_sessions: Vec<SessionId>,
}

#[derive(Debug, Clone)]
pub(crate) enum To {
    All,
    /// The members of any of these rooms.
    Rooms(Vec<String>),
    Session(SessionId),
}

impl Target {
    pub(crate) const fn new(to: To) -> Self {
        Self { to, except_rooms: Vec::new(), except_sessions: Vec::new() }
    }

    pub(crate) fn room(room: &str) -> Self {
        Self::new(To::Rooms(vec![room.to_owned()]))
    }

    /// The room, if these are all members of just one.
    pub(super) fn whole_room(&self) -> Option<&str> {
        match &self.to {
            To::Rooms(rooms) if self.except_rooms.is_empty() && self.except_sessions.is_empty() => {
                if let [room] = &rooms[..] {
                    Some(room)
                } else {
                    None
                }
            }
            _ => None,
        }
    }
}
