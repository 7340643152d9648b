//! The ids of messages that were appended once.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bowline_protocol::Position;
use uuid::Uuid;

/// The id of a message that a log appends once, however often it is asked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Once {
    /// The id. Each log has ids of its own.
    pub id: Uuid,
    /// How long the log knows the id.
    pub age: Duration,
}

/// What became of a message that was to be appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    /// Its place, or that of the message that was appended with the same id.
    pub at: Position,
    /// True if a message was appended with the same id before: this one was not.
    pub is_repeated: bool,
}

/// The ids of all logs together: the last that were used, and no older ones.
#[derive(Debug)]
pub(super) struct Ids {
    /// Each until its time.
    known: HashMap<Key, (Position, Instant)>,
    /// In the order in which they were used, which is that of their times if all are known equally
    /// long.
    order: VecDeque<(Instant, Key)>,
    limit: usize,
}

type Key = (Arc<str>, Uuid);

impl Ids {
    pub(super) fn within(limit: usize) -> Self {
        Self { known: HashMap::new(), order: VecDeque::new(), limit }
    }

    pub(super) fn find(&mut self, log: &str, id: Uuid, now: Instant) -> Option<Position> {
        if self.known.is_empty() {
            return None;
        }
        while self.order.front().is_some_and(|(until, _)| *until <= now) {
            self.forget_oldest();
        }
        let (at, until) = self.known.get(&(log.into(), id))?;
        (*until > now).then(|| at.clone())
    }

    /// Adds an id that is not known.
    pub(super) fn insert(&mut self, log: &str, id: Uuid, at: Position, until: Instant) {
        let key: Key = (log.into(), id);
        self.known.insert(key.clone(), (at, until));
        self.order.push_back((until, key));
        self.bound(self.limit);
    }

    /// Sets how many ids there may be.
    pub(super) fn bound(&mut self, limit: usize) {
        self.limit = limit;
        while self.order.len() > limit {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let Some((until, key)) = self.order.pop_front() else { return };
        // It may have been used again.
        if self.known.get(&key).is_some_and(|(_, known)| *known == until) {
            self.known.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_known_for_a_time_and_up_to_a_number_and_belong_to_a_log() {
        let (mut ids, now) = (Ids::within(3), Instant::now());
        let at = |offset| Position { epoch: "epoch".to_owned(), offset };
        let second = |seconds| now + Duration::from_secs(seconds);
        for number in 1..=4_u8 {
            let id = Uuid::from_u128(number.into());
            assert_eq!(ids.find("a", id, now), None);
            ids.insert("a", id, at(number.into()), second(number.into()));
        }
        let mut find = |log, id, seconds| ids.find(log, Uuid::from_u128(id), second(seconds));
        assert_eq!(find("a", 1, 0), None, "there are three others");
        assert_eq!(find("a", 2, 0), Some(at(2)));
        assert_eq!(find("b", 2, 0), None);
        assert_eq!((find("a", 2, 2), find("a", 3, 2)), (None, Some(at(3))));
        assert_eq!(find("a", 4, 9), None);
        ids.insert("a", Uuid::from_u128(5), at(5), second(20));
        ids.insert("a", Uuid::from_u128(6), at(6), second(11));
        assert_eq!(ids.find("a", Uuid::from_u128(6), second(12)), None, "behind a longer one");
        ids.insert("a", Uuid::from_u128(6), at(7), second(30));
        assert_eq!(ids.find("a", Uuid::from_u128(6), second(21)), Some(at(7)), "used again");
        assert_eq!(ids.find("a", Uuid::from_u128(6), second(30)), None);
        assert!(ids.known.is_empty() && ids.order.is_empty());
    }
}
