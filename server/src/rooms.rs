//! The members of each room. Knows sessions only by their handles and never sends anything itself.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bowline_protocol::SessionId;

use crate::error::JoinError;
use crate::ids::ById;
use crate::names::{is_name, user_of};
use crate::session::{LiveSession, State};

#[derive(Debug, Default)]
pub(crate) struct Rooms {
    rooms: RwLock<HashMap<Arc<str>, Room>>,
    /// Set once, on a node that has others.
    watcher: OnceLock<Arc<dyn Watcher>>,
}

/// Receives which rooms have members. The caller holds the lock of the rooms.
pub(crate) trait Watcher: fmt::Debug + Send + Sync {
    /// A room has its first member.
    fn enter(&self, room: &str);

    /// The last member of a room has left.
    fn leave(&self, room: &str);
}

#[derive(Debug, Default)]
struct Room {
    members: ById<Arc<LiveSession>>,
    /// A copy of the members, for senders: made at the next emit, and dropped when a member joins
    /// or leaves.
    list: OnceLock<Arc<[Arc<LiveSession>]>>,
}

impl Rooms {
    /// Sets who receives which rooms have members. Called once, before the node serves.
    pub(crate) fn watch(&self, watcher: Arc<dyn Watcher>) {
        let _ = self.watcher.set(watcher);
    }

    pub(crate) fn join(&self, name: &str, session: &Arc<LiveSession>) -> Result<(), JoinError> {
        let limit = session.common.config.max_rooms_per_session;
        if !is_name(name) {
            return Err(JoinError::InvalidName);
        }
        let is_user = user_of(name).is_some();
        // The room's lock is taken before the session's, here and in `leave`, so that membership
        // and the session's own list of rooms never disagree.
        let mut rooms = self.write();
        let name = rooms
            .get_key_value(name)
            .map_or_else(|| Arc::from(name), |(known, _)| Arc::clone(known));
        session.with(|state, _| {
            if state.core.closed().is_some() {
                return Err(JoinError::Closed);
            }
            if state.rooms.len() >= limit && !is_user && !state.rooms.contains(&name) {
                return Err(JoinError::TooManyRooms { limit });
            }
            state.rooms.insert(Arc::clone(&name));
            Ok(())
        })?;
        let room = rooms.entry(Arc::clone(&name)).or_default();
        if let Some(watcher) = self.watcher.get().filter(|_| room.members.is_empty()) {
            watcher.enter(&name);
        }
        room.list.take();
        room.members.insert(session.id, Arc::clone(session));
        Ok(())
    }

    pub(crate) fn leave(&self, name: &str, session: &Arc<LiveSession>) {
        let mut rooms = self.write();
        session.with(|state, _| state.rooms.remove(name));
        self.remove_member(&mut rooms, name, &session.id);
    }

    /// Like [`Self::leave`], unless the session `stays` after all. True if it has left.
    pub(crate) fn leave_unless(
        &self,
        name: &str,
        session: &Arc<LiveSession>,
        stays: impl FnOnce(&State) -> bool,
    ) -> bool {
        let mut rooms = self.write();
        let leaves = session.with(|state, _| !stays(state) && state.rooms.remove(name));
        if leaves {
            self.remove_member(&mut rooms, name, &session.id);
        }
        leaves
    }

    /// A session has ended: it leaves all its rooms. Its own list stays for the disconnect hook.
    pub(crate) fn remove(&self, session: &SessionId, names: &[Arc<str>]) {
        if names.is_empty() {
            return;
        }
        let mut rooms = self.write();
        for name in names {
            self.remove_member(&mut rooms, name, session);
        }
    }

    /// Calls this with the name of each room that has members, while none joins or leaves.
    pub(crate) fn each(&self, call: impl FnMut(&Arc<str>)) {
        self.read().keys().for_each(call);
    }

    /// The names of all rooms that have members.
    pub(crate) fn names(&self) -> Vec<String> {
        self.read().keys().map(|name| name.to_string()).collect()
    }

    /// Runs a function while no session can join, if the room has no members.
    pub(crate) fn if_empty(&self, name: &str, then: impl FnOnce()) {
        let rooms = self.write();
        if !rooms.contains_key(name) {
            then();
        }
    }

    /// The members of a room, added to `into`.
    pub(crate) fn members(&self, name: &str, into: &mut Vec<Arc<LiveSession>>) {
        if let Some(room) = self.read().get(name) {
            into.extend(room.members.values().cloned());
        }
    }

    /// The members of a room, shared with all callers until a member joins or leaves.
    pub(crate) fn list(&self, name: &str) -> Arc<[Arc<LiveSession>]> {
        let list = |room: &Room| {
            let list = room.list.get_or_init(|| room.members.values().cloned().collect());
            Arc::clone(list)
        };
        self.read().get(name).map(list).unwrap_or_default()
    }

    pub(crate) fn contains(&self, name: &str, session: &SessionId) -> bool {
        self.read().get(name).is_some_and(|room| room.members.contains_key(session))
    }

    /// Removes a room without members.
    fn remove_member(&self, rooms: &mut HashMap<Arc<str>, Room>, name: &str, session: &SessionId) {
        let Some(room) = rooms.get_mut(name) else { return };
        room.list.take();
        room.members.remove(session);
        if room.members.is_empty() {
            rooms.remove(name);
            if let Some(watcher) = self.watcher.get() {
                watcher.leave(name);
            }
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<Arc<str>, Room>> {
        self.rooms.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<Arc<str>, Room>> {
        self.rooms.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bowline_protocol::{Open, Token};

    use crate::config::Config;
    use crate::names::{room_of, user_of};
    use crate::node::{Handlers, Hooks, Node};
    use crate::random::random;
    use crate::session::Opened;

    #[test]
    fn a_session_enters_and_leaves_fifty_thousand_rooms() {
        let config = Config { max_rooms_per_session: MANY, ..Config::default() };
        let node = Node::new(config, Handlers::default(), Hooks::default());
        let key = Token::from_bytes(random());
        let open = Open { key, counter: 1, instance: 0, take: None, auth: "".into() };
        let Ok(Opened::New(session)) = node.open(&open, None) else { panic!("the key is new") };
        let names: Vec<_> = (0..MANY).map(|number| format!("room-{number}")).collect();

        names.iter().for_each(|name| node.rooms.join(name, &session).unwrap());
        assert!(names.iter().all(|name| node.rooms.contains(name, &session.id)));
        node.rooms.join(&names[0], &session).expect("it is there already");
        node.rooms.join("one-more", &session).unwrap_err();
        node.rooms.join(&room_of("ada"), &session).expect("a user is not a room");
        let user = session.look(|state| state.rooms.first().cloned());
        assert_eq!(user.as_deref().and_then(user_of), Some("ada"));

        let (here, later) = names.split_at(MANY / 2);
        here.iter().for_each(|name| node.rooms.leave(name, &session));
        let later: Vec<_> = later.iter().map(|name| Arc::from(&**name)).collect();
        node.rooms.remove(&session.id, &later);
        assert_eq!(node.rooms.names(), [room_of("ada")]);
    }

    const MANY: usize = 50_000;
}
