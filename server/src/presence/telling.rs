//! Tells the members of a room, on this node, who has come and who has gone.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;

use bowline_protocol::{Encoded, PRESENCE, Payload};

use super::around::Around;
use super::state::{Difference, Info, People};
use crate::complaints::limited;
use crate::session::LiveSession;

/// What is still to be told, in order. It is told without the lock of the table, because whoever is
/// told may be closed for being slow, and then leaves; and by one thread at a time, because what
/// came last must be told last.
#[derive(Default)]
pub(super) struct Untold {
    waiting: VecDeque<Arc<Telling>>,
    is_telling: bool,
}

pub(super) struct Telling {
    pub(super) room: Arc<str>,
    /// One that has come from another node, or everyone.
    pub(super) to: Option<Arc<LiveSession>>,
    pub(super) difference: Difference,
}

impl Untold {
    pub(super) fn push(&mut self, telling: Telling) {
        if !telling.difference.is_empty() {
            self.waiting.push_back(Arc::new(telling));
        }
    }

    /// The next, for the one thread that tells: `told` says that it has told the one before.
    pub(super) fn next(&mut self, told: bool) -> Option<Arc<Telling>> {
        if told {
            self.waiting.pop_front();
        } else if self.is_telling {
            return None;
        }
        self.is_telling = !self.waiting.is_empty();
        self.waiting.front().map(Arc::clone)
    }

    /// Those of whom perhaps not everyone in the room was told.
    pub(super) fn of(&self, room: &str) -> People {
        let tellings = self.waiting.iter().filter(|telling| *telling.room == *room);
        tellings.flat_map(|telling| telling.difference.everyone()).collect()
    }
}

impl Telling {
    pub(super) fn tell(&self, around: &Around) {
        let members: Arc<[_]> = match &self.to {
            Some(session) => [Arc::clone(session)].into(),
            None => around.rooms.list(&self.room),
        };
        if members.is_empty() {
            return;
        }
        let (mut joined, mut left) = (&self.difference.joined[..], &self.difference.left[..]);
        while !joined.is_empty() || !left.is_empty() {
            let mut room_left = EVENT;
            let some_joined = take(&mut joined, &mut room_left);
            let some_left = take(&mut left, &mut room_left);
            let Some(packet) = packet(&self.room, some_joined, some_left) else { continue };
            let now = around.common.now();
            for session in members.iter() {
                // Who is over, or closed now as a slow consumer, need not know.
                let _ = session.emit_at(now, &packet, Waker::wake);
            }
        }
    }
}

/// As many as fit into an event, but one at least.
fn take<'a>(people: &mut &'a [Person], bytes: &mut usize) -> &'a [Person] {
    let mut number = 0;
    while let Some((_, info)) = people.get(number)
        && *bytes > 0
    {
        *bytes = bytes.saturating_sub(info.json.len() + BESIDE);
        number += 1;
    }
    let (some, rest) = people.split_at(number);
    *people = rest;
    some
}

fn packet(room: &str, joined: &[Person], left: &[Person]) -> Option<Encoded> {
    let room = serde_json::to_string(room).expect("a text can be written");
    let (joined, left) = (write(joined), write(left));
    let payload = format!("{{\"room\":{room},\"joined\":[{joined}],\"left\":[{left}]}}");
    let packet = Encoded::event(PRESENCE, &Payload::json(payload));
    packet.inspect_err(|error| limited!("presence cannot be told: {error}")).ok()
}

fn write(people: &[Person]) -> String {
    let each = people.iter().map(|(session, Info { json, is_away })| {
        let away = if *is_away { ",\"away\":true" } else { "" };
        format!("{{\"session\":\"{session}\",\"info\":{json}{away}}}")
    });
    each.collect::<Vec<_>>().join(",")
}

type Person = <People as IntoIterator>::Item;

/// Bytes of people in one event, nearly.
const EVENT: usize = 64 * 1024;
/// Bytes of a person beside the info.
const BESIDE: usize = 60;
