//! The sessions of this node, by id and by the key that opened them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bowline_protocol::{Close, CloseCode, OpenKey, SessionId};

use super::LiveSession;
use crate::config::Config;

#[derive(Debug, Default)]
pub(crate) struct Registry {
    tables: Mutex<Tables>,
}

#[derive(Debug, Default)]
struct Tables {
    by_id: HashMap<SessionId, Arc<LiveSession>>,
    by_key: HashMap<OpenKey, SessionId>,
    by_address: HashMap<IpAddr, usize>,
}

/// What an open came to.
pub(crate) enum Opened {
    New(Arc<LiveSession>),
    /// The same key opened it before.
    Known(Arc<LiveSession>),
}

impl Registry {
    pub(crate) fn get(&self, id: &SessionId) -> Option<Arc<LiveSession>> {
        self.lock().by_id.get(id).cloned()
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().by_id.len()
    }

    pub(crate) fn all(&self) -> Vec<Arc<LiveSession>> {
        self.lock().by_id.values().cloned().collect()
    }

    /// Finds the session that this key opened, or adds the one that `make` makes. Both happen under
    /// one lock, so two opens that race make one session.
    pub(crate) fn open(
        &self,
        key: &OpenKey,
        address: Option<IpAddr>,
        config: &Config,
        make: impl FnOnce() -> Arc<LiveSession>,
    ) -> Result<Opened, Close> {
        let mut tables = self.lock();
        if let Some(session) = tables.by_key.get(key).and_then(|id| tables.by_id.get(id)) {
            return Ok(Opened::Known(Arc::clone(session)));
        }
        tables.check_limits(address, config)?;
        let session = make();
        tables.by_id.insert(session.id, Arc::clone(&session));
        tables.by_key.insert(session.key, session.id);
        if let Some(address) = address {
            *tables.by_address.entry(address).or_default() += 1;
        }
        Ok(Opened::New(session))
    }

    pub(crate) fn remove(&self, session: &LiveSession) {
        let mut tables = self.lock();
        if tables.by_id.remove(&session.id).is_none() {
            return;
        }
        tables.by_key.remove(&session.key);
        if let Some(address) = session.address
            && let Some(count) = tables.by_address.get_mut(&address)
        {
            *count -= 1;
            if *count == 0 {
                tables.by_address.remove(&address);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tables {
    fn check_limits(&self, address: Option<IpAddr>, config: &Config) -> Result<(), Close> {
        let from_address = address.and_then(|address| self.by_address.get(&address));
        let reason = if self.by_id.len() >= config.max_sessions {
            "\"max_sessions is reached\""
        } else if from_address.is_some_and(|&count| count >= config.max_sessions_per_address) {
            "\"max_sessions_per_address is reached\""
        } else {
            return Ok(());
        };
        Err(Close {
            retry_after: Some(std::time::Duration::from_secs(30)),
            ..Close::with_reason(CloseCode::TOO_MANY_SESSIONS, reason.into())
        })
    }
}
