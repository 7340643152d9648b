//! What a node has of the history of a room, and who follows it here.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use bowline_protocol::{
    Encoded, Missing, Packet, Payload, Position, Recovered, SessionId, Since, Time,
};
use bytes::Bytes;
use bytestring::ByteString;

use crate::broker::{Keep, Log, LogEntry, Slice};
use crate::budget::Budget;
use crate::complaints::limited;
use crate::error::JoinError;
use crate::locks::lock;
use crate::rooms::Rooms;
use crate::session::LiveSession;

/// Sessions that follow a room. Apart from the replica, because one may end while it is told
/// something, and then takes itself out.
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

    /// False if it is there already.
    fn insert(&self, session: &Arc<LiveSession>) -> bool {
        lock(&self.0).insert(session.id, Arc::clone(session)).is_none()
    }

    fn tell(&self, packet: &Encoded) {
        let all: Vec<_> = lock(&self.0).values().cloned().collect();
        for session in all {
            // One that is over has left already, or is about to.
            let _ = session.emit(packet);
        }
    }
}

/// A copy of the log, up to what the followers here were told.
#[derive(Debug)]
pub(super) struct Replica {
    room: Box<str>,
    keep: Keep,
    followers: Arc<Followers>,
    /// `None` before the log was read for the first time. Messages are packets as followers get
    /// them.
    log: Option<Log<Encoded>>,
    /// What all replicas of the node keep, and what this one has counted there.
    copies: Arc<Budget>,
    counted: u32,
    /// The last place that is known to exist, while not all before it is here.
    known: Option<Position>,
    /// Somebody asks the log.
    is_filling: bool,
}

/// Whether a replica has all that it knows of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// It has.
    Complete,
    /// The log has to be asked.
    Missing,
    /// The log is being asked.
    Waiting,
}

/// Messages that followers were not told, because the log has forgotten them: how many, if that is
/// known.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Hole(pub(super) Option<u64>);

impl Replica {
    pub(super) fn new(
        room: &str,
        keep: Keep,
        followers: Arc<Followers>,
        copies: Arc<Budget>,
    ) -> Self {
        let (log, known, is_filling, counted) = (None, None, false, 0);
        Self { room: room.into(), keep, followers, log, copies, counted, known, is_filling }
    }

    pub(super) const fn keep(&self) -> Keep {
        self.keep
    }

    pub(super) fn room(&self) -> &str {
        &self.room
    }

    /// True if a follower may want what only the log knows.
    pub(super) fn needs_log(&self, since: &Since) -> bool {
        let Some(log) = &self.log else { return true };
        matches!(since, Since::After(at) if at.epoch != log.end.epoch || at.offset > log.end.offset)
    }

    /// An appended message has come.
    pub(super) fn hear(&mut self, at: Position, message: Bytes) -> Step {
        let next = self.log.as_ref().map(|log| (log.end.epoch == at.epoch, log.end.offset));
        match next {
            Some((true, end)) if at.offset <= end => return Step::Complete,
            Some((true, end)) if at.offset == end.saturating_add(1) => {
                self.tell(Instant::now(), &message);
                return Step::Complete;
            }
            _ => {}
        }
        self.known = Some(at);
        // One that is new is read by whoever made it.
        if self.log.is_none() || std::mem::replace(&mut self.is_filling, true) {
            return Step::Waiting;
        }
        Step::Missing
    }

    /// Takes what the log has kept, and tells the followers what they have not heard.
    pub(super) fn catch_up(&mut self, slice: Slice) -> (Step, Option<Hole>) {
        let oldest = slice
            .entries
            .first()
            .map_or_else(|| slice.end.offset.saturating_add(1), |entry| entry.offset);
        let hole = self.go_to(&slice.end.epoch, oldest);
        let now = Instant::now();
        for LogEntry { offset, age, message } in slice.entries {
            if self.end().is_some_and(|end| offset == end.saturating_add(1)) {
                self.tell(now.checked_sub(age).unwrap_or(now), &message);
            }
        }
        let end = self.end();
        let known =
            self.known.take_if(|known| known.epoch != slice.end.epoch || Some(known.offset) <= end);
        self.is_filling = self.known.is_some();
        drop(known);
        (if self.is_filling { Step::Missing } else { Step::Complete }, hole)
    }

    /// Whoever asked the log had no answer.
    pub(super) const fn give_up(&mut self) {
        self.is_filling = false;
    }

    /// One more follower. It gets what it wants to hear of the past before anything new.
    pub(super) fn follow(
        &mut self,
        rooms: &Rooms,
        session: &Arc<LiveSession>,
        since: &Since,
    ) -> Result<Recovered, JoinError> {
        // Before it joins: from then on its end takes it out.
        let is_new = self.followers.insert(session);
        rooms.join(&self.room, session).inspect_err(|_| {
            self.followers.remove(&session.id);
        })?;
        let keep = self.keep;
        let log = self.log.as_mut().expect("the log was read before anybody follows");
        log.forget_old(Instant::now(), keep);
        self.settle();
        let log = self.log.as_ref().expect("the log was read before anybody follows");
        let (from, missing) = if is_new { place(log, since) } else { (log.end.offset, None) };
        let mut replayed = 0;
        for (.., packet) in log.after(from) {
            session.emit(packet).map_err(|_| JoinError::Closed)?;
            replayed += 1;
        }
        Ok(Recovered { at: log.end.clone(), replayed, missing })
    }

    /// Where the followers are.
    pub(super) fn position(&self) -> Option<Position> {
        self.log.as_ref().map(|log| log.end.clone())
    }

    fn end(&self) -> Option<u64> {
        self.log.as_ref().map(|log| log.end.offset)
    }

    /// Goes on from before this offset, where what comes between is no longer kept.
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

    /// Tells the followers the next message.
    fn tell(&mut self, said: Instant, message: &Bytes) {
        let Some(log) = &mut self.log else { return };
        let at = Position { offset: log.end.offset.saturating_add(1), ..log.end.clone() };
        let Some(packet) = with_place(&at, message) else {
            limited!("room {:?}: message {} is none that this build knows", self.room, at.offset);
            log.end = at;
            return;
        };
        // As the log counts it, so that both forget the same.
        log.push(packet.clone(), message.len(), said, self.keep);
        self.settle();
        self.followers.tell(&packet);
    }
}

impl Replica {
    /// Counts what is kept. When all replicas keep too much, the one that grows forgets its older
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

/// The offset behind which a follower wants to hear everything, and what it wants and cannot.
fn place(log: &Log<Encoded>, since: &Since) -> (u64, Option<Missing>) {
    let (begin, end) = (log.begin(), log.end.offset);
    match since {
        Since::Now => (end, None),
        Since::Last(count) => {
            let count = u64::try_from(*count).unwrap_or(u64::MAX);
            (end.saturating_sub(count).max(begin), None)
        }
        Since::After(at) if at.epoch != log.end.epoch => (begin, Some(Missing::Unknown)),
        Since::After(at) if at.offset > end => (end, Some(Missing::Unknown)),
        Since::After(at) => {
            let missing = Missing::Range { from: at.offset.saturating_add(1), to: begin };
            (at.offset.max(begin), (at.offset < begin).then_some(missing))
        }
    }
}

/// The packet as followers get it: the payload is a [`Kept`](bowline_protocol::Kept).
fn with_place(at: &Position, message: &Bytes) -> Option<Encoded> {
    let is_binary = message.first().is_some_and(u8::is_ascii_uppercase);
    let packet = if is_binary {
        Packet::parse_binary(message)
    } else {
        Packet::parse(&ByteString::try_from(message.clone()).ok()?)
    };
    let Ok(Packet::Event(event)) = packet else { return None };
    let Position { epoch, offset } = at;
    let said = event.payload.json_or_null();
    let json = format!(r#"{{"at":{{"epoch":"{epoch}","offset":{offset}}},"payload":{said}}}"#);
    Encoded::event(&event.name, &Payload { json: json.into(), bytes: event.payload.bytes }).ok()
}
