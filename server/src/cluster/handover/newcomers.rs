//! What sessions that arrived from other nodes have received there.
//!
//! A broker keeps the order of each channel, and of no two. So a message that a session received on
//! its old node may reach the new one after the session, which must not receive it again.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bowline_protocol::{NodeId, SessionId};

use crate::cluster::bus::wire::{Id, Told};
use crate::locks::lock;

/// Sessions that came a short while ago.
#[derive(Default)]
pub(super) struct Newcomers {
    /// Looked at first, because it is nearly always false.
    any: AtomicBool,
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    until: Option<Instant>,
    /// For each channel and sender: sessions by the last number that they have received.
    told: HashMap<String, HashMap<NodeId, BTreeMap<u64, Vec<SessionId>>>>,
}

impl Newcomers {
    pub(super) fn arrived(&self, session: SessionId, told: &Told, now: Instant) {
        let mut book = lock(&self.book);
        book.until = Some(now + OVERDUE);
        for (channel, nodes) in told {
            let of_channel = book.told.entry(channel.clone()).or_default();
            for (Id(node), last) in nodes {
                let of_node = of_channel.entry(*node).or_default();
                of_node.entry(*last).or_default().push(session);
            }
        }
        self.any.store(true, Ordering::Release);
    }

    /// The sessions that have received this message already.
    pub(super) fn who_know(
        &self,
        channel: &str,
        node: NodeId,
        ordinal: u64,
        now: Instant,
    ) -> Vec<SessionId> {
        if !self.any.load(Ordering::Acquire) {
            return Vec::new();
        }
        let mut book = lock(&self.book);
        if book.until.is_none_or(|until| until < now) {
            *book = Book::default();
            self.any.store(false, Ordering::Release);
        }
        let of_node = book.told.get(channel).and_then(|nodes| nodes.get(&node));
        of_node
            .into_iter()
            .flat_map(|told| told.range(ordinal..))
            .flat_map(|(_, who)| who)
            .copied()
            .collect()
    }
}

/// Longer than a message is under way.
const OVERDUE: Duration = Duration::from_secs(20);

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use bowline_protocol::{NodeId, SessionId};

    use super::Newcomers;
    use crate::cluster::bus::wire::Id;

    #[test]
    fn only_those_who_were_told_a_message_before_they_came_know_it() {
        let (newcomers, now) = (Newcomers::default(), Instant::now());
        let (anna, ben) = (NodeId::from_bytes([1; 6]), NodeId::from_bytes([2; 6]));
        let session = |byte| SessionId::new(ben, [byte; 12]);
        let told = |last| vec![("r:room".to_owned(), vec![(Id(anna), last)])];
        assert!(newcomers.who_know("r:room", anna, 1, now).is_empty());
        newcomers.arrived(session(1), &told(7), now);
        newcomers.arrived(session(2), &told(9), now);
        let who = |channel, node, ordinal| newcomers.who_know(channel, node, ordinal, now);
        assert_eq!(who("r:room", anna, 7), [session(1), session(2)]);
        assert_eq!(who("r:room", anna, 8), [session(2)]);
        assert!(who("r:room", anna, 10).is_empty());
        assert!(who("r:room", ben, 1).is_empty());
        assert!(who("all", anna, 1).is_empty());
        let later = now + Duration::from_secs(60);
        assert!(newcomers.who_know("r:room", anna, 7, later).is_empty());
        assert!(newcomers.who_know("r:room", anna, 7, now).is_empty(), "nothing is kept");
    }
}
