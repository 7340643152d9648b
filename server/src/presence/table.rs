//! The rooms in which a session is present, on this node and, for rooms with members here, on
//! others.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use bowline_protocol::{NodeId, SessionId};

use super::around::Around;
use super::notices::{Notice, Notices};
use super::state::{Difference, Info, People, RoomState};
use crate::error::EnterError;

#[derive(Default)]
pub(super) struct Table {
    pub(super) rooms: HashMap<Arc<str>, Room>,
    /// The rooms in which the sessions of this node are present.
    pub(super) of_session: HashMap<SessionId, BTreeSet<Arc<str>>>,
    /// The rooms of sessions that were handed over and have not arrived yet.
    pub(super) moving: HashMap<SessionId, BTreeSet<Arc<str>>>,
    pub(super) notices: Notices,
    /// The number of the last change in any room.
    pub(super) number: u64,
    pub(super) rounds: u64,
    /// Rooms about which a publication failed.
    pub(super) unsaid: HashSet<Arc<str>>,
    /// Nodes that are gone. Messages of them that arrive late are ignored.
    pub(super) gone: HashSet<NodeId>,
}

/// A room in which a session of this node is present, or a member.
pub(super) struct Room {
    pub(super) state: RoomState,
    /// The number of the last change on this node.
    pub(super) number: u64,
    /// The other nodes know who is present with this node, up to the last change.
    pub(super) is_published: bool,
    pub(super) has_members: bool,
    /// Members are about to arrive from another node: the sessions that have entered or left since
    /// then.
    pub(super) touched: Option<HashMap<SessionId, Info>>,
    /// The others have not answered yet since the room exists here.
    pub(super) is_new: bool,
    /// The round of requests to them.
    pub(super) round: u64,
    /// They have answered that round.
    pub(super) is_known: bool,
}

impl Table {
    pub(super) fn check_limits(
        &self,
        around: &Around,
        room: &str,
        session: SessionId,
    ) -> Result<(), EnterError> {
        let known = self.rooms.get(room);
        if known.is_some_and(|known| known.state.has(around.common.id, &session)) {
            return Ok(());
        }
        let limit = around.common.config.max_rooms_per_session;
        if self.of_session.get(&session).map_or(0, BTreeSet::len) >= limit {
            return Err(EnterError::TooManyRooms { limit });
        }
        let limit = around.common.config.presence_limit;
        if known.map_or(0, |known| known.state.len()) >= limit {
            return Err(EnterError::RoomFull { limit });
        }
        Ok(())
    }

    pub(super) fn enter(
        &mut self,
        around: &Around,
        room: &Arc<str>,
        session: SessionId,
        info: Info,
    ) {
        let difference = self.enter_quietly(around, room, session, info);
        self.differ(room, difference);
    }

    /// Like [`Self::enter`]; the caller notifies the members, if necessary.
    pub(super) fn enter_quietly(
        &mut self,
        around: &Around,
        room: &Arc<str>,
        session: SessionId,
        info: Info,
    ) -> Difference {
        let known = self.follow(around, room);
        let is_new = !known.state.has(around.common.id, &session);
        let mut difference = Difference::default();
        known.state.enter(around.common.id, session, info.clone(), &mut difference);
        if is_new {
            self.of_session.entry(session).or_default().insert(Arc::clone(room));
        }
        if is_new || !difference.is_empty() {
            self.publish(around, room, vec![(session, info)], &[]);
        }
        difference
    }

    /// The client of a session is away, or has come back.
    pub(super) fn set_away(&mut self, around: &Around, session: SessionId, is_away: bool) {
        for room in self.of_session.get(&session).cloned().unwrap_or_default() {
            let info = self.rooms.get(&room).and_then(|room| room.state.info(&session)).cloned();
            if let Some(info) = info {
                self.enter(around, &room, session, Info { is_away, ..info });
            }
        }
    }

    pub(super) fn leave(&mut self, around: &Around, room: &Arc<str>, session: SessionId) {
        let mut difference = Difference::default();
        let was_there = self
            .rooms
            .get_mut(room)
            .is_some_and(|known| known.state.leave(around.common.id, session, &mut difference));
        if was_there {
            self.publish(around, room, Vec::new(), &[session]);
            self.differ(room, difference);
            self.unfollow(around, room);
        }
    }

    pub(super) fn end(&mut self, around: &Around, session: SessionId) {
        for room in self.of_session.remove(&session).unwrap_or_default() {
            self.leave(around, &room, session);
        }
    }

    /// Sessions that were moving to another node have arrived there.
    pub(super) fn arrived(&mut self, around: &Around, room: &Arc<str>, taker: NodeId) {
        if self.moving.is_empty() {
            return;
        }
        let has = |session: &SessionId| self.rooms[room].state.has(taker, session);
        let is_there = |(session, rooms): (&SessionId, &BTreeSet<Arc<str>>)| {
            (rooms.contains(room) && has(session)).then_some(*session)
        };
        for session in self.moving.iter().filter_map(is_there).collect::<Vec<_>>() {
            let rooms = self.moving.get_mut(&session).expect("it was found there");
            rooms.remove(room);
            if rooms.is_empty() {
                self.moving.remove(&session);
            }
            self.leave(around, room, session);
        }
    }

    /// Publishes to the other nodes what has changed here. Called with the table locked, so that
    /// the order is that of the numbers.
    fn publish(&mut self, around: &Around, name: &Arc<str>, entered: People, left: &[SessionId]) {
        self.number += 1;
        let number = self.number;
        let room = self.room(name);
        let after = std::mem::replace(&mut room.number, number);
        let Some(others) = around.others.get() else { return };
        if std::mem::replace(&mut room.is_published, true) {
            others.publish_change(name, (after, number), entered, left);
        } else {
            others.publish_whole(name, number, room.state.with(around.common.id));
        }
    }

    /// Queues a notice for the members.
    pub(super) fn differ(&mut self, name: &Arc<str>, difference: Difference) {
        if let Some(touched) = self.rooms.get_mut(name).and_then(|room| room.touched.as_mut()) {
            touched.extend(difference.everyone());
        }
        self.notices.push(Notice { room: Arc::clone(name), to: None, difference });
    }

    /// Returns the room, which this node follows from now on.
    pub(super) fn follow(&mut self, around: &Around, name: &str) -> &mut Room {
        if !self.rooms.contains_key(name) {
            self.rounds += 1;
            let room = Room {
                state: RoomState::default(),
                // Above all numbers that this node has ever published for the room.
                number: self.number,
                is_published: false,
                has_members: false,
                touched: None,
                is_new: true,
                round: self.rounds,
                is_known: false,
            };
            self.rooms.insert(name.into(), room);
            if let Some(others) = around.others.get() {
                others.follow(name);
            }
        }
        self.room(name)
    }

    /// Stops following a room in which this node has no session.
    pub(super) fn unfollow(&mut self, around: &Around, name: &str) {
        let Some(room) = self.rooms.get(name) else { return };
        if !room.has_members && room.touched.is_none() && !room.state.has_any(around.common.id) {
            self.rooms.remove(name);
            if let Some(others) = around.others.get() {
                others.unfollow(name);
            }
        }
    }

    pub(super) fn room(&mut self, name: &str) -> &mut Room {
        self.rooms.get_mut(name).expect("the room was looked up before")
    }

    pub(super) fn names(&self) -> Vec<Arc<str>> {
        self.rooms.keys().cloned().collect()
    }
}

/// The present state of these sessions, which were present or had left at some time.
pub(super) fn now(state: &RoomState, people: HashMap<SessionId, Info>) -> Difference {
    let mut difference = Difference::default();
    for (session, before) in people {
        match state.info(&session) {
            Some(info) => difference.joined.push((session, info.clone())),
            None => difference.left.push((session, before)),
        }
    }
    difference
}
