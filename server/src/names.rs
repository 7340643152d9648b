//! The names of rooms, and of the rooms that hold the sessions of a user.

/// The room that a user's sessions are in: a name that no other room can have.
pub(crate) fn room_of(user: &str) -> String {
    format!("{USER}{user}")
}

/// The user whose sessions are in this room, if it is such a room.
pub(crate) fn user_of(room: &str) -> Option<&str> {
    room.strip_prefix(USER)
}

/// True if an application may have a room of this name.
pub(crate) fn is_room(name: &str) -> bool {
    is_name(name) && user_of(name).is_none()
}

pub(crate) fn is_name(name: &str) -> bool {
    (1..=MAX_NAME).contains(&name.len())
}

/// Bytes of a room name at most.
const MAX_NAME: usize = 128;
/// Begins the names of rooms that hold the sessions of a user.
const USER: char = '\u{0}';
