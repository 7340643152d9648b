//! Notifies the members of a room, on this node, who has entered and who has left.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;

use bowline_protocol::{Encoded, PRESENCE, Payload};

use super::around::Around;
use super::state::{Difference, Info, People};
use crate::complaints::limited;
use crate::session::LiveSession;

/// The notices that are not sent yet, in order. They are sent without the lock of the table,
/// because a member that receives one may be closed for being slow, and then leaves; and by one
/// thread at a time, because the last change must be sent last.
#[derive(Default)]
pub(super) struct Notices {
    waiting: VecDeque<Arc<Notice>>,
    is_sending: bool,
}

pub(super) struct Notice {
    pub(super) room: Arc<str>,
    /// One member that has arrived from another node, or `None` for all.
    pub(super) to: Option<Arc<LiveSession>>,
    pub(super) difference: Difference,
}

impl Notices {
    pub(super) fn push(&mut self, notice: Notice) {
        if !notice.difference.is_empty() {
            self.waiting.push_back(Arc::new(notice));
        }
    }

    /// Returns the next notice, for the one thread that sends them: `was_sent` states that it has
    /// sent the one before.
    pub(super) fn next(&mut self, was_sent: bool) -> Option<Arc<Notice>> {
        if was_sent {
            self.waiting.pop_front();
        } else if self.is_sending {
            return None;
        }
        self.is_sending = !self.waiting.is_empty();
        self.waiting.front().map(Arc::clone)
    }

    /// The sessions of which perhaps not every member was notified.
    pub(super) fn of(&self, room: &str) -> People {
        let notices = self.waiting.iter().filter(|notice| *notice.room == *room);
        notices.flat_map(|notice| notice.difference.everyone()).collect()
    }
}

impl Notice {
    pub(super) fn send(&self, around: &Around) {
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
                // A session that has ended, or is closed now as a slow consumer, need not be
                // notified.
                let _ = session.emit_at(now, &packet, Waker::wake);
            }
        }
    }
}

/// Splits off as many as fit into an event, but at least one.
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
    packet.inspect_err(|error| limited!("presence cannot be sent: {error}")).ok()
}

fn write(people: &[Person]) -> String {
    let each = people.iter().map(|(session, Info { json, is_away })| {
        let away = if *is_away { ",\"away\":true" } else { "" };
        format!("{{\"session\":\"{session}\",\"info\":{json}{away}}}")
    });
    each.collect::<Vec<_>>().join(",")
}

type Person = <People as IntoIterator>::Item;

/// About how many bytes of infos one event contains.
const EVENT: usize = 64 * 1024;
/// The bytes of one session beside its info.
const BESIDE: usize = 60;
