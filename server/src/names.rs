//! The names of rooms, of the rooms that hold the sessions of a user, and of the messages of
//! streams.

use bowline_protocol::{STREAM_CANCEL, STREAM_CREDIT, STREAM_END, STREAM_ITEM};

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

/// True for an item, a credit, an end or a cancellation of a stream. Windows limit these, and a
/// stream cannot do without one of them.
pub(crate) fn is_of_stream(message: &str) -> bool {
    matches!(message, STREAM_CREDIT | STREAM_END | STREAM_CANCEL)
        || message.starts_with(STREAM_ITEM)
}

pub(crate) fn is_name(name: &str) -> bool {
    (1..=MAX_NAME).contains(&name.len())
}

/// Bytes of a room name at most.
const MAX_NAME: usize = 128;
/// Begins the names of rooms that hold the sessions of a user.
const USER: char = '\u{0}';
