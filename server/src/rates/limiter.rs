//! The messages of users and addresses, which several sessions send.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bowline_protocol::Time;

use super::Cell;
use crate::address::AddressKey;
use crate::complaints::limited;

/// What the sessions of a node count together.
#[derive(Debug)]
pub(crate) struct Limiter {
    /// False until a limit is set: messages are not counted.
    is_used: AtomicBool,
    users: Mutex<Table<String>>,
    addresses: Mutex<Table<AddressKey>>,
}

#[derive(Debug)]
struct Table<K> {
    cells: HashMap<K, Cell>,
    at_most: usize,
    /// When idle entries are forgotten next.
    sweep_at: Time,
}

impl Limiter {
    /// With room for so many users and as many addresses.
    pub(crate) fn new(is_used: bool, at_most: usize) -> Self {
        Self {
            is_used: AtomicBool::new(is_used),
            users: Mutex::new(Table::new(at_most)),
            addresses: Mutex::new(Table::new(at_most)),
        }
    }

    pub(crate) fn is_used(&self) -> bool {
        self.is_used.load(Ordering::Relaxed)
    }

    pub(crate) fn begin(&self) {
        self.is_used.store(true, Ordering::Relaxed);
    }

    /// Counts with the cell of a user. `None` if there is no room for more users.
    pub(crate) fn user<T>(
        &self,
        user: String,
        now: Time,
        count: impl FnOnce(&mut Cell) -> T,
    ) -> Option<T> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner).count(user, now, count)
    }

    /// Counts with the cell of an address. `None` if there is no room for more addresses.
    pub(crate) fn address<T>(
        &self,
        address: AddressKey,
        now: Time,
        count: impl FnOnce(&mut Cell) -> T,
    ) -> Option<T> {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner).count(address, now, count)
    }
}

impl<K: Hash + Eq> Table<K> {
    fn new(at_most: usize) -> Self {
        Self { cells: HashMap::new(), at_most, sweep_at: Time::ZERO }
    }

    fn count<T>(&mut self, key: K, now: Time, count: impl FnOnce(&mut Cell) -> T) -> Option<T> {
        if let Some(cell) = self.cells.get_mut(&key) {
            return Some(count(cell));
        }
        self.sweep(now);
        if self.cells.len() >= self.at_most {
            limited!(
                warn: "more than {} users or addresses send messages: those beyond it are limited \
                    only by session; see BowlineBuilder::max_sessions",
                self.at_most
            );
            return None;
        }
        Some(count(self.cells.entry(key).or_default()))
    }

    /// Forgets the keys that are as if they had never sent anything.
    fn sweep(&mut self, now: Time) {
        if now < self.sweep_at {
            return;
        }
        self.sweep_at = now + SWEEP;
        self.cells.retain(|_, cell| !cell.is_idle(now));
        self.cells.shrink_to(self.cells.len() * 2);
    }
}

/// The time between two visits of all entries.
const SWEEP: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use bowline_protocol::Time;

    use super::{SWEEP, Table};
    use crate::rates::RateLimit;

    #[test]
    fn a_table_is_bounded_and_forgets_who_is_idle() {
        let (mut table, limit) = (Table::new(100), RateLimit::per_second(1));
        let mut admitted =
            |key: u32, now| table.count(key, now, |cell| cell.admit(limit, now).is_ok());
        let now = Time::from_millis(500);
        let counted = (0..1_000).filter(|key| admitted(*key, now).is_some()).count();
        assert_eq!(counted, 100);
        assert_eq!(admitted(1, now), Some(false), "those that have room are still limited");
        let later = now + SWEEP;
        assert_eq!(admitted(500, later), Some(true));
        assert_eq!(table.cells.len(), 1);
    }
}
