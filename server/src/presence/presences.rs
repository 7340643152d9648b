//! The presence of one node, under one lock.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bowline_protocol::{NodeId, SessionId};

use super::around::{Around, Others};
use super::notices::Notice;
use super::state::{Info, People, RoomState, Taken, Whole};
use super::table::{Table, now};
use crate::error::EnterError;
use crate::names::is_room;
use crate::rooms::Rooms;
use crate::session::{Common, LiveSession};

/// The presence of one node.
pub(crate) struct Presences {
    /// Presence is used, on this node or on another. Until then it costs nothing.
    in_use: AtomicBool,
    table: Mutex<Table>,
    around: Around,
}

/// A round of requests to the other nodes, and when it began.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Round {
    number: u64,
    since: u64,
}

/// What moves with a session to another node.
#[derive(Debug, Default)]
pub(crate) struct Moving {
    /// The rooms in which it is present, and its info there.
    pub(crate) present: Vec<(Arc<str>, Info)>,
    /// The rooms of which it is a member, and who has entered or left there although the session
    /// was perhaps not notified.
    pub(crate) untold: Vec<(Arc<str>, People)>,
}

impl Presences {
    pub(crate) fn new(common: Arc<Common>, rooms: Arc<Rooms>) -> Self {
        let around = Around { common, rooms, others: OnceLock::new() };
        Self { in_use: AtomicBool::new(false), table: Mutex::default(), around }
    }

    /// Sets the other nodes. Called once, before the node serves.
    pub(crate) fn meet(&self, others: Arc<dyn Others>) {
        let _ = self.around.others.set(others);
    }

    pub(crate) fn is_in_use(&self) -> bool {
        self.in_use.load(Ordering::Acquire)
    }

    /// Starts to use presence: this node listens for all rooms in which it has members.
    pub(crate) fn begin(&self) {
        if self.in_use.swap(true, Ordering::AcqRel) {
            return;
        }
        if let Some(others) = self.around.others.get() {
            others.announce();
            self.around.rooms.each(|room| self.members(room, true));
        }
    }

    pub(crate) fn enter(
        &self,
        room: &Arc<str>,
        session: &Arc<LiveSession>,
        json: &str,
    ) -> Result<(), EnterError> {
        self.begin();
        if self.around.common.registry.get(&session.id).is_none() {
            return Err(EnterError::Closed);
        }
        self.change(|table| {
            // Whoever ends the session removes it from this table afterwards.
            if session.look(|state| state.core.closed().is_some()) {
                return Err(EnterError::Closed);
            }
            table.check_limits(&self.around, room, session.id)?;
            let is_away = session.look(|state| state.away.is_away());
            table.enter(&self.around, room, session.id, Info { is_away, ..Info::new(json) });
            Ok(())
        })?;
        // With the table released, because the deadline of an away client locks it.
        session.with(|state, _| state.away.watch());
        Ok(())
    }

    /// The client of a session is away, or has come back.
    pub(crate) fn set_away(&self, session: SessionId, is_away: bool) {
        if self.is_in_use() {
            self.change(|table| table.set_away(&self.around, session, is_away));
        }
    }

    pub(crate) fn leave(&self, room: &str, session: SessionId) {
        if !self.is_in_use() {
            return;
        }
        self.change(|table| {
            let Some(rooms) = table.of_session.get_mut(&session) else { return };
            let Some(room) = rooms.take(room) else { return };
            if rooms.is_empty() {
                table.of_session.remove(&session);
            }
            table.leave(&self.around, &room, session);
        });
    }

    /// A session has ended.
    pub(crate) fn remove(&self, session: SessionId) {
        if self.is_in_use() {
            self.change(|table| table.end(&self.around, session));
        }
    }

    /// Everyone who is present as far as this node knows; `None` if it does not follow the room.
    pub(crate) fn everyone(&self, room: &str) -> Option<People> {
        self.lock().rooms.get(room).map(|room| room.state.everyone())
    }

    /// Everyone who is present, if this node has the lists of all others.
    pub(crate) fn known(&self, room: &str) -> Option<People> {
        let table = self.lock();
        table.rooms.get(room).filter(|room| room.is_known).map(|room| room.state.everyone())
    }

    /// A room has its first member here, or none any more. The caller holds the lock of the rooms.
    pub(crate) fn members(&self, room: &str, has_members: bool) {
        if !self.is_in_use() || !is_room(room) {
            return;
        }
        let mut table = self.lock();
        if has_members {
            table.follow(&self.around, room).has_members = true;
        } else if let Some(known) = table.rooms.get_mut(room) {
            known.has_members = false;
            table.unfollow(&self.around, room);
        }
    }

    /// Accepts a change of another node. True if this node has to request that node's whole list.
    pub(crate) fn take_change(
        &self,
        from: NodeId,
        room: &str,
        numbers: (u64, u64),
        (entered, left): (People, &[SessionId]),
    ) -> bool {
        self.take(from, room, |state| state.take_change(from, numbers, entered, left))
    }

    /// Accepts the list of another node. True if this node has to request it again.
    pub(crate) fn take_whole(&self, from: NodeId, room: &str, whole: Whole) -> bool {
        self.take(from, room, |state| state.take_whole(from, whole))
    }

    fn take(&self, from: NodeId, room: &str, take: impl FnOnce(&mut RoomState) -> Taken) -> bool {
        self.change(|table| {
            let known = table.rooms.get_key_value(room).filter(|_| !table.gone.contains(&from));
            let Some(room) = known.map(|(room, _)| Arc::clone(room)) else { return false };
            let taken = take(&mut table.room(&room).state);
            table.differ(&room, taken.difference);
            table.arrived(&self.around, &room, from);
            taken.ask
        })
    }

    /// Another node has sent something. True if it counted as gone: this node has to request its
    /// whole list.
    pub(crate) fn is_back(&self, node: NodeId) -> bool {
        self.is_in_use() && self.lock().gone.remove(&node)
    }

    /// Another node is gone, and everyone who was present with it.
    pub(crate) fn lose(&self, gone: NodeId) {
        self.change(|table| {
            if table.gone.len() >= MAX_GONE {
                table.gone.clear();
            }
            table.gone.insert(gone);
            for room in table.names() {
                let difference = table.room(&room).state.forget(gone);
                table.differ(&room, difference);
            }
        });
    }

    /// The other nodes cannot be reached: what this node knows of them may be outdated.
    pub(crate) fn down(&self) {
        let mut table = self.lock();
        for room in table.names() {
            table.rounds += 1;
            let round = table.rounds;
            let room = table.room(&room);
            (room.round, room.is_known) = (round, false);
        }
    }

    /// The rooms that this node listens to.
    pub(crate) fn rooms(&self) -> Vec<Arc<str>> {
        self.lock().names()
    }

    /// Begins a round of requests to the others; `None` if this node does not follow the room any
    /// more.
    pub(crate) fn round(&self, room: &str) -> Option<Round> {
        let table = self.lock();
        let room = table.rooms.get(room)?;
        Some(Round { number: room.round, since: room.state.moment() })
    }

    /// All the others have answered.
    pub(crate) fn complete(&self, room: &str, round: Round) {
        self.change(|table| {
            let known =
                table.rooms.get_key_value(room).filter(|(_, room)| room.round == round.number);
            let Some(name) = known.map(|(name, _)| Arc::clone(name)) else { return };
            let room = table.room(&name);
            room.is_known = true;
            if std::mem::take(&mut room.is_new)
                && let Some(touched) = &mut room.touched
            {
                // They know all this from the node that they come from.
                touched.clear();
            }
            // A node where nobody is present need not listen, and has not received the request.
            let difference = room.state.forget_silent(round.since, self.around.common.id);
            table.differ(&name, difference);
        });
    }

    /// Calls `say` with everyone who is present with this node and the number of its last change,
    /// while no other change can happen.
    pub(crate) fn here<T>(&self, own: NodeId, room: &str, say: impl FnOnce(u64, People) -> T) -> T {
        let table = self.lock();
        match table.rooms.get(room) {
            Some(room) => say(room.number, room.state.with(own)),
            None => say(table.number, Vec::new()),
        }
    }

    /// A publication about a room failed: it has to be repeated.
    pub(crate) fn note_unsaid(&self, room: &str) {
        let mut table = self.lock();
        table.unsaid.insert(room.into());
        if let Some(room) = table.rooms.get_mut(room) {
            room.is_published = false;
        }
    }

    /// The rooms about which a publication has to be repeated.
    pub(crate) fn take_unsaid(&self) -> Vec<Arc<str>> {
        self.lock().unsaid.drain().collect()
    }

    /// Members of these rooms are about to arrive.
    pub(crate) fn expect(&self, rooms: &[String]) {
        if self.is_in_use() {
            let mut table = self.lock();
            for room in rooms.iter().filter(|room| is_room(room)) {
                table.follow(&self.around, room).touched.get_or_insert_default();
            }
        }
    }

    /// No member is about to arrive any more.
    pub(crate) fn expect_nobody(&self) {
        let mut table = self.lock();
        for room in table.names() {
            table.room(&room).touched = None;
            table.unfollow(&self.around, &room);
        }
    }

    /// A session that is a member of these rooms was removed from this node. It stays present until
    /// it has arrived at the other node.
    pub(crate) fn depart(&self, session: SessionId, member_of: &[Arc<str>]) -> Moving {
        if !self.is_in_use() {
            return Moving::default();
        }
        let mut table = self.lock();
        let rooms = table.of_session.remove(&session).unwrap_or_default();
        let info = |room: &Arc<str>| table.rooms.get(room)?.state.info(&session).cloned();
        let present = rooms.iter().filter_map(|room| Some((Arc::clone(room), info(room)?)));
        let present = present.collect();
        let untold = member_of.iter().map(|room| (Arc::clone(room), table.notices.of(room)));
        let untold = untold.filter(|(_, people)| !people.is_empty()).collect();
        if !rooms.is_empty() {
            table.moving.insert(session, rooms);
        }
        Moving { present, untold }
    }

    /// Returns where a session is present, for a copy of it.
    pub(crate) fn copy(&self, session: SessionId) -> Moving {
        if !self.is_in_use() {
            return Moving::default();
        }
        let table = self.lock();
        let rooms = table.of_session.get(&session).into_iter().flatten();
        let info = |room: &Arc<str>| table.rooms.get(room)?.state.info(&session).cloned();
        let present = rooms.filter_map(|room| Some((Arc::clone(room), info(room)?))).collect();
        Moving { present, ..Moving::default() }
    }

    /// A session that has departed will not arrive.
    pub(crate) fn give_up(&self, session: SessionId) {
        self.change(|table| {
            for room in table.moving.remove(&session).unwrap_or_default() {
                table.leave(&self.around, &room, session);
            }
        });
    }

    /// True while sessions are moving from this node to another.
    pub(crate) fn has_moving(&self) -> bool {
        self.is_in_use() && !self.lock().moving.is_empty()
    }

    /// A session has arrived from another node, and has joined its rooms.
    pub(crate) fn arrive(&self, session: &Arc<LiveSession>, moving: Moving) {
        if !moving.present.is_empty() {
            self.begin();
        }
        if !self.is_in_use() {
            return;
        }
        let rooms = session.look(|state| state.rooms.clone());
        if !moving.present.is_empty() {
            session.with(|state, _| state.away.watch());
        }
        self.change(|table| {
            for (room, info) in moving.present {
                table.enter(&self.around, &room, session.id, info);
            }
            if session.look(|state| state.core.closed().is_some()) {
                // It has arrived, and has ended already.
                table.end(&self.around, session.id);
            }
            for name in rooms {
                let Some(room) = table.rooms.get(&name) else { continue };
                let untold = moving.untold.iter().filter(|(room, _)| *room == name);
                let mut touched: HashMap<_, _> =
                    untold.flat_map(|(_, people)| people).cloned().collect();
                touched.extend(room.touched.iter().flatten().map(|(id, info)| (*id, info.clone())));
                let difference = now(&room.state, touched);
                let to = Some(Arc::clone(session));
                table.notices.push(Notice { room: name, to, difference });
            }
        });
    }

    /// A session continues that another process has stored, and has joined its rooms. Their members
    /// know that it is present.
    pub(crate) fn revive(&self, session: &Arc<LiveSession>, moving: Moving) {
        if moving.present.is_empty() {
            return;
        }
        self.begin();
        session.with(|state, _| state.away.watch());
        self.change(|table| {
            for (room, info) in moving.present {
                drop(table.enter_quietly(&self.around, &room, session.id, info));
            }
        });
    }

    /// Changes the table, then notifies the members, with the lock released.
    fn change<T>(&self, change: impl FnOnce(&mut Table) -> T) -> T {
        let mut table = self.lock();
        let result = change(&mut table);
        let mut next = table.notices.next(false);
        drop(table);
        while let Some(notice) = next {
            notice.send(&self.around);
            next = self.lock().notices.next(true);
        }
        result
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Presences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presences").field("in_use", &self.in_use).finish_non_exhaustive()
    }
}

/// The most nodes that are remembered as gone.
const MAX_GONE: usize = 1_000;
