//! The sessions of this node, by id and by the key that opened them.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, Hash};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bowline_protocol::{Close, CloseCode, OpenKey, SessionId, Time};

use super::LiveSession;
use super::come_later;
use super::visitors::Visitors;
use crate::address::AddressKey;
use crate::budget::Budget;
use crate::config::Config;
use crate::ids::ById;

#[derive(Debug, Default)]
pub(crate) struct Registry {
    tables: Mutex<Tables>,
}

#[derive(Debug, Default)]
struct Tables {
    by_id: ById<Arc<LiveSession>>,
    /// Includes keys whose session has ended, for a while: see `spent`.
    by_key: HashMap<OpenKey, SessionId>,
    /// The keys of sessions that have ended, oldest first, and until when they are remembered. An
    /// open that arrives late or is repeated by the network must not open the session again.
    spent: VecDeque<(Time, OpenKey)>,
    visitors: Visitors,
}

/// The outcome of an open.
pub(crate) enum Opened {
    New(Arc<LiveSession>),
    /// An earlier open with the same key opened it.
    Known(Arc<LiveSession>),
}

impl Registry {
    pub(crate) fn get(&self, id: &SessionId) -> Option<Arc<LiveSession>> {
        self.lock().by_id.get(id).cloned()
    }

    /// Returns the session that this key has opened.
    pub(crate) fn by_key(&self, key: &OpenKey) -> Option<Arc<LiveSession>> {
        let tables = self.lock();
        tables.by_key.get(key).and_then(|id| tables.by_id.get(id)).cloned()
    }

    /// True if a session was opened with this key, even if it has ended.
    pub(crate) fn has_opened(&self, key: &OpenKey) -> bool {
        self.lock().by_key.contains_key(key)
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().by_id.len()
    }

    pub(crate) fn all(&self) -> Vec<Arc<LiveSession>> {
        self.lock().by_id.values().cloned().collect()
    }

    /// Finds the session that this key opened, or adds the one that `make` makes. Both happen under
    /// one lock, so two concurrent opens make one session. Returns as well the session that gave
    /// way to it, if one did: the caller ends that.
    pub(crate) fn open(
        &self,
        key: &OpenKey,
        address: Option<IpAddr>,
        (config, budget): (&Config, &Budget),
        now: Time,
        make: impl FnOnce() -> Arc<LiveSession>,
    ) -> Result<(Opened, Option<Arc<LiveSession>>), Close> {
        let mut tables = self.lock();
        tables.forget_spent(now);
        if let Some(id) = tables.by_key.get(key) {
            let session =
                tables.by_id.get(id).ok_or_else(|| Close::new(CloseCode::SESSION_EXPIRED))?;
            return Ok((Opened::Known(Arc::clone(session)), None));
        }
        if budget.is_exceeded() {
            return Err(come_later());
        }
        let displaced = tables.make_room(address, config, now)?;
        let session = make();
        tables.by_id.insert(session.id, Arc::clone(&session));
        tables.by_key.insert(session.key, session.id);
        if let Some(address) = address {
            let neighbors = tables.visitors.open(AddressKey::of(address), config, now);
            neighbors.add(session.id, &session.seat, now);
        }
        Ok((Opened::New(session), displaced))
    }

    /// Adds a session of another node, whatever the limits. A client that opens again with the key
    /// of a stale session has sent that open before it was welcomed, and receives a new session.
    /// False if the session is there already.
    pub(crate) fn adopt(&self, session: &Arc<LiveSession>) -> bool {
        let mut tables = self.lock();
        if tables.by_id.contains_key(&session.id) {
            return false;
        }
        tables.by_id.insert(session.id, Arc::clone(session));
        if !session.look(|state| state.core.is_stale()) {
            tables.by_key.insert(session.key, session.id);
        }
        if let Some(address) = session.address {
            let now = session.common.now();
            let neighbors = tables.visitors.adopt(AddressKey::of(address), now);
            neighbors.add(session.id, &session.seat, now);
        }
        true
    }

    pub(crate) fn remove(&self, session: &LiveSession, now: Time) {
        self.lock().remove(session, now);
    }

    /// Removes a session about which the application has not decided. Its key may open another one.
    pub(crate) fn retract(&self, session: &LiveSession) {
        let mut tables = self.lock();
        if tables.take_out(session, session.common.now()) {
            tables.by_key.remove(&session.key);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tables {
    /// Removes a session. False if it was not there any more.
    fn take_out(&mut self, session: &LiveSession, now: Time) -> bool {
        if self.by_id.remove(&session.id).is_none() {
            return false;
        }
        give_back(&mut self.by_id);
        if let Some(neighbors) = session.seat.neighbors() {
            neighbors.remove(&session.seat, |id| self.by_id.contains_key(id));
        }
        if let Some(address) = session.address {
            self.visitors.leave(AddressKey::of(address), now);
        }
        true
    }

    fn remove(&mut self, session: &LiveSession, now: Time) {
        if self.take_out(session, now) {
            self.spent.push_back((now + session.common.config.session.window, session.key));
            self.forget_spent(now);
        }
    }

    fn forget_spent(&mut self, now: Time) {
        let too_many = |spent: &VecDeque<_>| spent.len() > MAX_SPENT;
        while self.spent.front().is_some_and(|(until, _)| *until <= now) || too_many(&self.spent) {
            if let Some((_, key)) = self.spent.pop_front() {
                self.by_key.remove(&key);
            }
        }
        give_back(&mut self.by_key);
    }

    /// Makes room for one more session. Returns the session that gave way to it, which the caller
    /// ends.
    fn make_room(
        &mut self,
        address: Option<IpAddr>,
        config: &Config,
        now: Time,
    ) -> Result<Option<Arc<LiveSession>>, Close> {
        if self.by_id.len() >= config.max_sessions {
            return Err(too_many("max_sessions"));
        }
        let Some(key) = address.map(AddressKey::of) else { return Ok(None) };
        let is_full = self.visitors.may_open(key, config, now).map_err(too_many)?.is_full;
        let Some(neighbors) = self.visitors.neighbors(key) else { return Ok(None) };
        if !is_full && neighbors.carrierless() < config.max_carrierless_per_address {
            return Ok(None);
        }
        let displaced = neighbors.take_longest(|id| self.by_id.get(id).cloned());
        match &displaced {
            Some(session) => self.remove(session, now),
            None if is_full => return Err(too_many("max_sessions_per_address")),
            None => {}
        }
        Ok(displaced)
    }
}

fn too_many(limit: &'static str) -> Close {
    let reason = format!("{limit} is reached");
    Close::with_reason(CloseCode::TOO_MANY_SESSIONS, &reason).after(Duration::from_secs(30))
}

/// Frees the memory of removed entries, when a table has room for four times as many as it
/// contains.
fn give_back<K: Eq + Hash, V, S: BuildHasher>(table: &mut HashMap<K, V, S>) {
    if table.capacity() > FEW && table.len() < table.capacity() / 4 {
        table.shrink_to(table.len() * 2);
    }
}

/// A table for this many entries is not worth shrinking.
const FEW: usize = 4096;
/// The most spent keys that are remembered: some 8 MB. Beyond this the oldest are forgotten early.
const MAX_SPENT: usize = 100_000;
