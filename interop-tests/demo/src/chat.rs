//! Rooms and what was said in them, as a database would keep it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// Every room. It outlives the server.
#[derive(Debug)]
pub(crate) struct Chat {
    rooms: Mutex<BTreeMap<String, Room>>,
}

#[derive(Debug, Default)]
struct Room {
    messages: VecDeque<Kept>,
}

/// A person, with the id that their page has chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Member {
    pub(crate) id: String,
    pub(crate) name: String,
}

/// What a person sends.
#[derive(Debug, Deserialize)]
pub(crate) struct Say {
    /// Chosen by the page, so that the same message sent again is known.
    pub(crate) id: String,
    pub(crate) room: String,
    pub(crate) text: String,
    /// Says what the bytes beside the message are.
    pub(crate) file: Option<File>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct File {
    name: String,
    kind: String,
}

/// What everyone receives.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Said {
    pub(crate) id: String,
    room: String,
    author: Member,
    text: String,
    file: Option<File>,
    /// Milliseconds since 1970.
    pub(crate) at: u64,
}

/// A message, who has it and who has seen it.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub(crate) said: Said,
    pub(crate) bytes: Option<Bytes>,
    delivered: BTreeSet<String>,
    seen: BTreeSet<String>,
}

/// How far a message has come.
#[derive(Debug, Serialize)]
pub(crate) struct Marks {
    id: String,
    delivered: usize,
    seen: usize,
}

impl Chat {
    /// Opens a room unless it is there.
    ///
    /// # Errors
    /// What is wrong with the name, or that there are too many rooms.
    pub(crate) fn open(&self, name: &str) -> Result<(), &'static str> {
        let mut rooms = self.lock();
        if rooms.contains_key(name) {
            return Ok(());
        }
        if !is_name(name, MAX_ROOM_NAME) {
            return Err("a room's name is 1 to 24 characters");
        }
        if rooms.len() >= MAX_ROOMS {
            return Err("there are enough rooms");
        }
        rooms.insert(name.to_owned(), Room::default());
        Ok(())
    }

    pub(crate) fn rooms(&self) -> Vec<String> {
        self.lock().keys().cloned().collect()
    }

    /// Everything that is kept of a room, the oldest first.
    pub(crate) fn history(&self, room: &str) -> Vec<Kept> {
        let rooms = self.lock();
        let messages = rooms.get(room).into_iter().flat_map(|room| &room.messages);
        messages.cloned().collect()
    }

    /// Keeps a message. The second value is false if it was there already.
    ///
    /// # Errors
    /// What is wrong with the message.
    pub(crate) fn keep(
        &self,
        say: Say,
        author: Member,
        bytes: Option<Bytes>,
    ) -> Result<(Said, bool), &'static str> {
        if !is_name(&say.id, MAX_ID) || say.text.len() > MAX_TEXT {
            return Err("the message is too long");
        }
        let mut rooms = self.lock();
        let room = rooms.get_mut(&say.room).ok_or("there is no such room")?;
        if let Some(known) = room.messages.iter().find(|kept| kept.said.id == say.id) {
            return Ok((known.said.clone(), false));
        }
        let Say { id, room: name, text, file } = say;
        let said = Said { id, room: name, author, text, file, at: now() };
        room.push(said.clone(), bytes);
        Ok((said, true))
    }

    /// Notes that a person has a message, or has seen it. `None` if that is nothing new.
    pub(crate) fn mark(&self, room: &str, id: &str, member: &str, seen: bool) -> Option<Marks> {
        let mut rooms = self.lock();
        let messages = &mut rooms.get_mut(room)?.messages;
        let kept = messages.iter_mut().find(|kept| kept.said.id == id)?;
        if kept.said.author.id == member {
            return None;
        }
        let has_it = kept.delivered.insert(member.to_owned());
        let saw_it = seen && kept.seen.insert(member.to_owned());
        (has_it || saw_it).then(|| kept.marks())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Room>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Chat {
    fn default() -> Self {
        let rooms = FIRST_ROOMS.map(|name| (name.to_owned(), Room::default()));
        Self { rooms: Mutex::new(rooms.into()) }
    }
}

impl Room {
    fn push(&mut self, said: Said, bytes: Option<Bytes>) {
        let (delivered, seen) = (BTreeSet::new(), BTreeSet::new());
        self.messages.push_back(Kept { said, bytes, delivered, seen });
        while self.messages.len() > MAX_MESSAGES || self.bytes() > MAX_ROOM_BYTES {
            self.messages.pop_front();
        }
    }

    fn bytes(&self) -> usize {
        self.messages.iter().map(|kept| kept.bytes.as_ref().map_or(0, Bytes::len)).sum()
    }
}

impl Kept {
    pub(crate) fn marks(&self) -> Marks {
        let (delivered, seen) = (self.delivered.len(), self.seen.len());
        Marks { id: self.said.id.clone(), delivered, seen }
    }
}

impl Member {
    /// Takes what a page says of its person.
    pub(crate) fn is_valid(&self) -> bool {
        is_name(&self.id, MAX_ID) && is_name(&self.name, MAX_MEMBER_NAME)
    }
}

fn is_name(text: &str, characters: usize) -> bool {
    text == text.trim() && (1..=characters).contains(&text.chars().count())
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

const FIRST_ROOMS: [&str; 3] = ["chart table", "harbour", "slipway"];

/// More rooms would not fit on the page.
const MAX_ROOMS: usize = 12;
const MAX_ROOM_NAME: usize = 24;
const MAX_MEMBER_NAME: usize = 24;
const MAX_ID: usize = 64;

/// Bytes of a text.
const MAX_TEXT: usize = 4_000;

/// Messages of a room that are kept.
const MAX_MESSAGES: usize = 100;

/// Bytes of a room's files that are kept: together they must fit into one outbox.
const MAX_ROOM_BYTES: usize = 6 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{Chat, MAX_MESSAGES, MAX_ROOM_BYTES, Member, Said, Say};

    fn say(chat: &Chat, id: &str, bytes: usize) -> (Said, bool) {
        let say = Say { id: id.into(), room: "harbour".into(), text: "a".into(), file: None };
        let author = Member { id: "a".into(), name: "Ann".into() };
        chat.keep(say, author, Some(Bytes::from(vec![0; bytes]))).unwrap()
    }

    #[test]
    fn a_message_that_is_sent_again_is_kept_once() {
        let chat = Chat::default();
        assert!(say(&chat, "one", 0).1);
        assert!(!say(&chat, "one", 0).1);
        assert_eq!(chat.history("harbour").len(), 1);
    }

    #[test]
    fn a_room_keeps_what_came_last() {
        let chat = Chat::default();
        for number in 0..=MAX_MESSAGES {
            say(&chat, &number.to_string(), 0);
        }
        let history = chat.history("harbour");
        assert_eq!((history.len(), &*history[0].said.id), (MAX_MESSAGES, "1"));
        say(&chat, "large", MAX_ROOM_BYTES);
        say(&chat, "small", 1);
        assert_eq!(chat.history("harbour").len(), 1);
    }

    #[test]
    fn the_author_does_not_count_among_those_who_have_a_message() {
        let chat = Chat::default();
        say(&chat, "one", 0);
        assert!(chat.mark("harbour", "one", "a", true).is_none());
        let marks = chat.mark("harbour", "one", "b", false).unwrap();
        assert_eq!((marks.delivered, marks.seen), (1, 0));
        assert!(chat.mark("harbour", "one", "b", false).is_none());
        let marks = chat.mark("harbour", "one", "b", true).unwrap();
        assert_eq!((marks.delivered, marks.seen), (1, 1));
    }

    #[test]
    fn rooms_are_limited_in_number_and_name() {
        let chat = Chat::default();
        for name in ["", " a", &"a".repeat(25)] {
            assert!(chat.open(name).is_err(), "{name:?}");
        }
        assert_eq!((0..100).filter(|number| chat.open(&number.to_string()).is_ok()).count(), 9);
        assert!(chat.open("harbour").is_ok());
    }
}
