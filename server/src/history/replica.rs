//! A node's copy of the history of a room, and who follows it here.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use bowline_protocol::{
    Encoded, Missing, Packet, Payload, Position, Recovered, SessionId, Since, Time,
};
use bytes::Bytes;

use super::page::packet_of;
use crate::broker::{Keep, Log, LogEntry, Slice};
use crate::budget::Budget;
use crate::complaints::limited;
use crate::error::JoinError;
use crate::locks::lock;
use crate::rooms::Rooms;
use crate::session::LiveSession;

/// The sessions that follow a room. Separate from the replica, because a session may end while it
/// receives a message, and then removes itself.
#[derive(Debug, Default)]
pub(super) struct Followers(Mutex<HashMap<SessionId, Arc<LiveSession>>>);

impl Followers {
    pub(super) fn any(&self) -> bool {
        !lock(&self.0).is_empty()
    }

    pub(super) fn contains(&self, session: &SessionId) -> bool {
        lock(&self.0).contains_key(session)
    }

    pub(super) fn remove(&self, session: &SessionId) -> bool {
        lock(&self.0).remove(session).is_some()
    }

    /// False if the session follows already.
    fn insert(&self, session: &Arc<LiveSession>) -> bool {
        lock(&self.0).insert(session.id, Arc::clone(session)).is_none()
    }

    fn send(&self, packet: &Encoded) {
        let all: Vec<_> = lock(&self.0).values().cloned().collect();
        for session in all {
            // A session that has ended has left already, or is about to.
            let _ = session.emit(packet);
        }
    }
}

/// A copy of the log, up to the last message that the followers here have received.
#[derive(Debug)]
pub(super) struct Replica {
    room: Box<str>,
    keep: Keep,
    followers: Arc<Followers>,
    /// `None` before the log was read for the first time. Messages are packets as followers
    /// receive them.
    log: Option<Log<Encoded>>,
    /// The bytes that all replicas of the node keep, and what this one has counted there.
    copies: Arc<Budget>,
    counted: u32,
    /// The last position that is known to exist, while earlier messages are missing here.
    known: Option<Position>,
    /// The last position up to which messages were deleted.
    deleted: Option<Position>,
    /// A task is reading the log.
    is_filling: bool,
}

/// Whether a replica has all messages that it knows of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// It has all of them.
    Complete,
    /// The log has to be read.
    Missing,
    /// The log is being read.
    Waiting,
}

/// Messages that followers have not received, because the log has dropped them: how many, if that
/// is known.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Hole(pub(super) Option<u64>);

impl Replica {
    pub(super) fn new(
        room: &str,
        keep: Keep,
        followers: Arc<Followers>,
        copies: Arc<Budget>,
    ) -> Self {
        Self {
            room: room.into(),
            keep,
            followers,
            log: None,
            copies,
            counted: 0,
            known: None,
            deleted: None,
            is_filling: false,
        }
    }

    pub(super) const fn keep(&self) -> Keep {
        self.keep
    }

    pub(super) fn room(&self) -> &str {
        &self.room
    }

    /// True if a follower may request messages that only the log has.
    pub(super) fn needs_log(&self, since: &Since) -> bool {
        let Some(log) = &self.log else { return true };
        matches!(since, Since::After(at) if at.epoch != log.end.epoch || at.offset > log.end.offset)
    }

    /// Accepts an appended message.
    pub(super) fn receive(&mut self, at: Position, message: Bytes) -> Step {
        let next = self.log.as_ref().map(|log| (log.end.epoch == at.epoch, log.end.offset));
        match next {
            Some((true, end)) if at.offset <= end => return Step::Complete,
            Some((true, end)) if at.offset == end.saturating_add(1) => {
                self.send_next(Instant::now(), &message);
                return Step::Complete;
            }
            _ => {}
        }
        self.await_log(at)
    }

    /// The messages up to a position were deleted.
    pub(super) fn delete(&mut self, to: Position) -> Step {
        self.deleted = Some(to.clone());
        let has_all = |log: &Log<Encoded>| log.end.epoch == to.epoch && log.end.offset >= to.offset;
        if self.log.as_ref().is_some_and(has_all) {
            self.drop_deleted();
            return Step::Complete;
        }
        self.await_log(to)
    }

    /// Messages up to this position exist, and are missing here.
    fn await_log(&mut self, at: Position) -> Step {
        self.known = Some(at);
        // The task that made a new replica reads the log.
        if self.log.is_none() || std::mem::replace(&mut self.is_filling, true) {
            return Step::Waiting;
        }
        Step::Missing
    }

    /// Accepts a slice of the log, and sends the followers what they have not received.
    pub(super) fn catch_up(&mut self, slice: Slice) -> (Step, Option<Hole>) {
        let oldest = slice
            .entries
            .first()
            .map_or_else(|| slice.end.offset.saturating_add(1), |entry| entry.offset);
        let hole = self.go_to(&slice.end.epoch, oldest);
        let now = Instant::now();
        for LogEntry { offset, age, message } in slice.entries {
            if self.end().is_some_and(|end| offset == end.saturating_add(1)) {
                self.send_next(now.checked_sub(age).unwrap_or(now), &message);
            }
        }
        // What was deleted while this node could not be notified, and while the log was read.
        self.drop_up_to(oldest.saturating_sub(1));
        self.drop_deleted();
        let end = self.end();
        let known =
            self.known.take_if(|known| known.epoch != slice.end.epoch || Some(known.offset) <= end);
        self.is_filling = self.known.is_some();
        drop(known);
        (if self.is_filling { Step::Missing } else { Step::Complete }, hole)
    }

    fn drop_deleted(&mut self) {
        let epoch = self.log.as_ref().map(|log| log.end.epoch.as_str());
        let deleted = self.deleted.as_ref().filter(|to| epoch == Some(to.epoch.as_str()));
        if let Some(offset) = deleted.map(|to| to.offset) {
            self.drop_up_to(offset);
        }
    }

    fn drop_up_to(&mut self, offset: u64) {
        if let Some(log) = &mut self.log {
            log.forget_to(offset);
            self.settle();
        }
    }

    /// The log did not answer.
    pub(super) const fn give_up(&mut self) {
        self.is_filling = false;
    }

    /// Adds a follower. It receives the past messages that it requests before anything new.
    pub(super) fn follow(
        &mut self,
        rooms: &Rooms,
        session: &Arc<LiveSession>,
        since: &Since,
    ) -> Result<Recovered, JoinError> {
        // Before it joins: from then on its end removes it.
        let is_new = self.followers.insert(session);
        rooms.join(&self.room, session).inspect_err(|_| {
            self.followers.remove(&session.id);
        })?;
        let keep = self.keep;
        let log = self.log.as_mut().expect("the log was read before anybody follows");
        log.forget_old(Instant::now(), keep);
        self.settle();
        let log = self.log.as_ref().expect("the log was read before anybody follows");
        let (from, missing) =
            if is_new { place(log.begin(), &log.end, since) } else { (log.end.offset, None) };
        let mut replayed = 0;
        for (.., packet) in log.after(from) {
            session.emit(packet).map_err(|_| JoinError::Closed)?;
            replayed += 1;
        }
        Ok(Recovered { at: log.end.clone(), replayed, missing })
    }

    /// The position of the followers.
    pub(super) fn position(&self) -> Option<Position> {
        self.log.as_ref().map(|log| log.end.clone())
    }

    fn end(&self) -> Option<u64> {
        self.log.as_ref().map(|log| log.end.offset)
    }

    /// Continues at this offset, where earlier messages are no longer kept.
    fn go_to(&mut self, epoch: &str, oldest: u64) -> Option<Hole> {
        let before = oldest.saturating_sub(1);
        let (is_same, end) = match &self.log {
            Some(log) => (log.end.epoch == epoch, log.end.offset),
            None => (false, 0),
        };
        if is_same && before <= end {
            return None;
        }
        let is_new = self.log.is_none();
        self.log = Some(Log::at(Position { epoch: epoch.to_owned(), offset: before }));
        self.settle();
        (!is_new).then(|| Hole(is_same.then(|| before.saturating_sub(end))))
    }

    /// Sends the next message to the followers.
    fn send_next(&mut self, appended: Instant, message: &Bytes) {
        let Some(log) = &mut self.log else { return };
        let at = Position { offset: log.end.offset.saturating_add(1), ..log.end.clone() };
        let Some(packet) = with_place(&at, message) else {
            limited!(
                "room {:?}: message {} is of a form that this build does not know",
                self.room,
                at.offset
            );
            log.end = at;
            return;
        };
        // Counted like the log counts it, so that both drop the same messages.
        log.push(packet.clone(), message.len(), appended, self.keep);
        self.settle();
        self.followers.send(&packet);
    }
}

impl Replica {
    /// Counts what is kept. When all replicas keep too much, the one that grows drops its older
    /// half.
    fn settle(&mut self) {
        let count = |log: &Log<Encoded>| u32::try_from(log.bytes()).unwrap_or(u32::MAX);
        let kept = self.log.as_ref().map_or(0, count);
        let before = std::mem::replace(&mut self.counted, kept);
        self.copies.settle(before, kept, Time::ZERO);
        if kept > before
            && self.copies.is_exceeded()
            && let Some(log) = &mut self.log
        {
            log.forget_down_to(log.bytes() / 2);
            self.settle();
        }
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.copies.settle(self.counted, 0, Time::ZERO);
    }
}

/// The offset after which a reader of a log requests everything, and the messages that it requests
/// and that are missing. The log has the messages after `begin`.
pub(super) fn place(begin: u64, at_end: &Position, since: &Since) -> (u64, Option<Missing>) {
    let end = at_end.offset;
    match since {
        Since::Now => (end, None),
        Since::Last(count) => {
            let count = u64::try_from(*count).unwrap_or(u64::MAX);
            (end.saturating_sub(count).max(begin), None)
        }
        Since::After(at) if at.epoch != at_end.epoch => (begin, Some(Missing::Unknown)),
        Since::After(at) if at.offset > end => (end, Some(Missing::Unknown)),
        Since::After(at) => {
            let missing = Missing::Range { from: at.offset.saturating_add(1), to: begin };
            (at.offset.max(begin), (at.offset < begin).then_some(missing))
        }
    }
}

/// The packet as followers receive it: the payload is a [`Kept`](bowline_protocol::Kept).
fn with_place(at: &Position, message: &Bytes) -> Option<Encoded> {
    let Packet::Event(event) = packet_of(message)? else { return None };
    let Position { epoch, offset } = at;
    let said = event.payload.json_or_null();
    let json = format!(r#"{{"at":{{"epoch":"{epoch}","offset":{offset}}},"payload":{said}}}"#);
    Encoded::event(&event.name, &Payload { json: json.into(), bytes: event.payload.bytes }).ok()
}
