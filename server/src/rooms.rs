//! Who is in which room. Knows sessions only by their handles and never sends anything itself.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bowline_protocol::SessionId;

use crate::error::JoinError;
use crate::session::LiveSession;

#[derive(Debug, Default)]
pub(crate) struct Rooms {
    rooms: RwLock<HashMap<Arc<str>, Room>>,
}

type Room = HashMap<SessionId, Arc<LiveSession>>;

impl Rooms {
    pub(crate) fn join(&self, name: &str, session: &Arc<LiveSession>) -> Result<(), JoinError> {
        let limit = session.node.config.max_rooms_per_session;
        if !(1..=MAX_NAME).contains(&name.len()) {
            return Err(JoinError::InvalidName);
        }
        // The room's lock is taken before the session's, here and in `leave`, so that membership and
        // the session's own list of rooms never disagree.
        let mut rooms = self.write();
        let name = rooms
            .get_key_value(name)
            .map_or_else(|| Arc::from(name), |(known, _)| Arc::clone(known));
        session.with(|state, _| {
            if state.core.closed().is_some() {
                return Err(JoinError::Closed);
            }
            if state.rooms.contains(&name) {
                return Ok(());
            }
            if state.rooms.len() >= limit {
                return Err(JoinError::TooManyRooms { limit });
            }
            state.rooms.push(Arc::clone(&name));
            Ok(())
        })?;
        rooms.entry(name).or_default().insert(session.id, Arc::clone(session));
        Ok(())
    }

    pub(crate) fn leave(&self, name: &str, session: &Arc<LiveSession>) {
        let mut rooms = self.write();
        session.with(|state, _| state.rooms.retain(|room| **room != *name));
        remove_member(&mut rooms, name, &session.id);
    }

    /// A session is over: it leaves all its rooms. Its own list stays for the disconnect hook.
    pub(crate) fn remove(&self, session: &SessionId, names: &[Arc<str>]) {
        if names.is_empty() {
            return;
        }
        let mut rooms = self.write();
        for name in names {
            remove_member(&mut rooms, name, session);
        }
    }

    /// The members of a room, added to `into`.
    pub(crate) fn members(&self, name: &str, into: &mut Vec<Arc<LiveSession>>) {
        if let Some(room) = self.read().get(name) {
            into.extend(room.values().cloned());
        }
    }

    pub(crate) fn contains(&self, name: &str, session: &SessionId) -> bool {
        self.read().get(name).is_some_and(|room| room.contains_key(session))
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<Arc<str>, Room>> {
        self.rooms.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<Arc<str>, Room>> {
        self.rooms.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A room without members is forgotten.
fn remove_member(rooms: &mut HashMap<Arc<str>, Room>, name: &str, session: &SessionId) {
    if let Some(room) = rooms.get_mut(name) {
        room.remove(session);
        if room.is_empty() {
            rooms.remove(name);
        }
    }
}

/// Bytes of a room name at most.
const MAX_NAME: usize = 128;
