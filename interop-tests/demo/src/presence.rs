//! Tells everyone who is in which room, and how they are connected.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use actix_web::{rt, web};
use bowline_server::{Bowline, EmitError};
use serde::Serialize;

use crate::chat::{Chat, Member};

/// A member of a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Person {
    #[serde(flatten)]
    member: Member,
    /// `None` while the person is away.
    transport: Option<String>,
}

#[derive(Debug, Serialize)]
struct Here<'a> {
    room: &'a str,
    people: &'a [Person],
}

/// A room, and how many people are in it.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct RoomSize {
    name: String,
    people: usize,
}

/// Everyone in a room, in the order of their ids.
pub(crate) fn people_in(bowline: &Bowline, room: &str) -> Vec<Person> {
    let mut people = BTreeMap::new();
    for session in bowline.to(room).sessions() {
        let Some(socket) = bowline.socket(&session) else { continue };
        let Some(member) = socket.get::<Member>() else { continue };
        let transport = socket.transport().map(|transport| transport.to_string());
        // A person who came back in a new session may still have the old one.
        if transport.is_some() || !people.contains_key(&member.id) {
            people.insert(member.id.clone(), Person { member, transport });
        }
    }
    people.into_values().collect()
}

/// Every room, and how many people are in it.
pub(crate) fn rooms(bowline: &Bowline, chat: &Chat) -> Vec<RoomSize> {
    let size = |name: String| RoomSize { people: people_in(bowline, &name).len(), name };
    chat.rooms().into_iter().map(size).collect()
}

/// Looks every moment who is there, and tells when it has changed. A transport comes and goes
/// without any handler being called.
pub(crate) async fn watch(bowline: Bowline, chat: web::Data<Chat>) {
    let mut told = HashMap::new();
    let mut sizes = Vec::new();
    loop {
        rt::time::sleep(MOMENT).await;
        for room in chat.rooms() {
            let people = people_in(&bowline, &room);
            if told.get(&room) != Some(&people) {
                report(bowline.to(&room).emit("here", &Here { room: &room, people: &people }));
                told.insert(room, people);
            }
        }
        let now = rooms(&bowline, &chat);
        if sizes != now {
            report(bowline.emit("rooms", &now));
            sizes = now;
        }
    }
}

fn report(sent: Result<usize, EmitError>) {
    if let Err(error) = sent {
        log::error!("nobody is told who is there: {error}");
    }
}

const MOMENT: Duration = Duration::from_millis(250);
