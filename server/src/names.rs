//! The names of rooms, of the rooms that hold the sessions of a user or of a namespace, and of the
//! messages of streams and namespaces.

use std::borrow::Cow;

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
    is_name(name) && user_of(name).is_none() && !name.starts_with(NAMESPACE)
}

/// The room that the sessions of a namespace are in: a name that no other room can have.
pub(crate) fn namespace_room(namespace: &str) -> String {
    format!("{NAMESPACE}{namespace}")
}

/// The room that a session is in while the application decides whether it may join a namespace.
pub(crate) fn asking_room(namespace: &str) -> String {
    format!("{NAMESPACE}{namespace},")
}

/// The namespace whose sessions are in this room, if it is such a room.
pub(crate) fn namespace_of(room: &str) -> Option<&str> {
    room.strip_prefix(NAMESPACE).filter(|namespace| !namespace.contains(','))
}

/// The name that a room of a namespace has among all rooms.
pub(crate) fn room_in<'a>(namespace: Option<&str>, room: &'a str) -> Cow<'a, str> {
    namespace
        .map_or(Cow::Borrowed(room), |namespace| format!("{}{room}", asking_room(namespace)).into())
}

/// The name that a room has in this namespace, if it is one of its rooms.
pub(crate) fn name_in<'a>(namespace: Option<&str>, room: &'a str) -> Option<&'a str> {
    match namespace {
        None => (!room.starts_with(NAMESPACE)).then_some(room),
        Some(namespace) => {
            let room = room.strip_prefix(NAMESPACE)?.strip_prefix(namespace)?.strip_prefix(',')?;
            (!room.is_empty()).then_some(room)
        }
    }
}

/// The namespace of a room, and the name that the room has there: empty for the room of all its
/// sessions.
pub(crate) fn split_room(room: &str) -> (Option<&str>, &str) {
    match room.strip_prefix(NAMESPACE) {
        None => (None, room),
        Some(rest) => rest.split_once(',').map_or((Some(rest), ""), |(of, room)| (Some(of), room)),
    }
}

/// The name that a message of a namespace has on the wire.
pub(crate) fn message_in<'a>(namespace: Option<&str>, message: &'a str) -> Cow<'a, str> {
    namespace.map_or(Cow::Borrowed(message), |namespace| format!("{namespace},{message}").into())
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
/// Begins the names of rooms of namespaces.
const NAMESPACE: char = '\u{1}';

#[cfg(test)]
mod tests {
    use super::{asking_room, is_room, name_in, namespace_of, namespace_room, room_in, split_room};

    #[test]
    fn rooms_of_namespaces_have_names_that_no_other_room_has() {
        let (own, hall) = (namespace_room("/a"), room_in(Some("/a"), "hall"));
        assert!(!is_room(&own) && !is_room(&hall) && !is_room(&asking_room("/a")));
        assert_eq!((namespace_of(&own), namespace_of(&hall)), (Some("/a"), None));
        assert_eq!(namespace_of(&asking_room("/a")), None);
        assert_eq!(name_in(Some("/a"), &hall), Some("hall"));
        assert_eq!(name_in(Some("/"), &hall), None);
        assert_eq!(name_in(Some("/a"), &room_in(Some("/ab"), "hall")), None);
        assert_eq!((name_in(None, &hall), name_in(None, "hall")), (None, Some("hall")));
        assert_eq!(split_room(&hall), (Some("/a"), "hall"));
        assert_eq!((split_room(&own), split_room("a,b")), ((Some("/a"), ""), (None, "a,b")));
    }
}
