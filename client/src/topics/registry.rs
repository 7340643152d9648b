//! Who is subscribed to which topic: the client passes each message on once it is read.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bowline_protocol::{
    Granted, Message, Missing, Position, Since, TOPIC, TOPIC_ENDED, TopicEnded, is_pattern, matches,
};
use futures::channel::mpsc::UnboundedSender;

use super::item::{Arrived, TopicItem};
use crate::inlet::{Backlog, Inlet};

/// The subscriptions of a client.
#[derive(Debug, Default)]
pub(crate) struct Topics {
    by_name: HashMap<String, Vec<Arc<Entry>>>,
    /// Those of the names that are patterns.
    patterns: Vec<String>,
    /// Names from which the client unsubscribes, by the requests that are not answered. What the
    /// server has sent before the answer is for subscriptions that were dropped.
    leaving: HashMap<u64, String>,
}

/// One subscription.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) inlet: Inlet<TopicItem>,
    /// The last position that was received.
    at: Mutex<Option<Position>>,
    is_granted: AtomicBool,
    may_publish: AtomicBool,
    /// For the task that keeps the subscription.
    pub(crate) notices: UnboundedSender<Notice>,
}

/// What the task that keeps a subscription has to know.
#[derive(Debug)]
pub(crate) enum Notice {
    /// The server has ended the subscription.
    Ended(String),
    /// The server has refused a request for another subscription of the same name, and has ended
    /// this one with it.
    Renew,
    /// The application has dropped it.
    Dropped,
}

impl Topics {
    pub(crate) fn add(&mut self, entry: &Arc<Entry>) {
        let name = &entry.name;
        if is_pattern(name) && !self.by_name.contains_key(name) {
            self.patterns.push(name.clone());
        }
        self.by_name.entry(name.clone()).or_default().push(Arc::clone(entry));
    }

    /// True if that was the last subscription of its name.
    pub(crate) fn remove(&mut self, entry: &Arc<Entry>) -> bool {
        let Some(entries) = self.by_name.get_mut(&entry.name) else { return false };
        let before = entries.len();
        entries.retain(|other| !Arc::ptr_eq(other, entry));
        let is_last = entries.is_empty() && before > 0;
        if is_last {
            self.by_name.remove(&entry.name);
            self.patterns.retain(|pattern| *pattern != entry.name);
        }
        is_last
    }

    /// The client has sent the request to unsubscribe from this name.
    pub(crate) fn leave(&mut self, request: u64, name: String) {
        self.leaving.insert(request, name);
    }

    /// A request was answered, or will not be.
    pub(crate) fn answered(&mut self, request: u64) {
        if !self.leaving.is_empty() {
            self.leaving.remove(&request);
        }
    }

    /// Has the other subscriptions of the same name ask the server again.
    pub(crate) fn renew_others(&self, entry: &Arc<Entry>) {
        for other in self.of(&entry.name).filter(|other| !Arc::ptr_eq(other, entry)) {
            // Without a receiver the subscription has ended already.
            _ = other.notices.unbounded_send(Notice::Renew);
        }
    }

    /// Passes a message of a topic on to its subscriptions.
    pub(crate) fn deliver(&self, message: &Message, backlog: &Backlog) {
        match &*message.name {
            TOPIC => {
                if let Some(arrived) = Arrived::read(&message.payload) {
                    self.pass_on(&arrived, backlog);
                }
            }
            TOPIC_ENDED => {
                if let Ok(ended) = serde_json::from_str(&message.payload.json) {
                    self.end(&ended, backlog);
                }
            }
            _ => {}
        }
    }

    fn end(&self, TopicEnded { topic, code }: &TopicEnded, backlog: &Backlog) {
        for entry in self.of(topic) {
            if code == TopicEnded::EXPIRED {
                // What is published before the client has subscribed again does not arrive.
                entry.report_lost(backlog);
            }
            // Without a receiver the subscription has ended already.
            _ = entry.notices.unbounded_send(Notice::Ended(code.clone()));
        }
    }

    /// Stored messages go to the subscriptions to their topic, and copies of them to patterns;
    /// others to both.
    fn pass_on(&self, arrived: &Arrived, backlog: &Backlog) {
        let is_stored = arrived.message.at.is_some();
        let is_leaving = self.leaving.values().any(|name| *name == arrived.message.topic);
        if !arrived.copy && !is_leaving {
            self.of(&arrived.message.topic).for_each(|entry| entry.push(arrived, backlog));
        }
        if arrived.copy || !is_stored {
            let matching =
                self.patterns.iter().filter(|name| matches(name, &arrived.message.topic));
            for entry in matching.flat_map(|name| self.of(name)) {
                entry.inlet.push(TopicItem::Message(arrived.message.clone()), backlog);
            }
        }
    }

    fn of(&self, name: &str) -> impl Iterator<Item = &Arc<Entry>> {
        self.by_name.get(name).into_iter().flatten()
    }
}

impl Entry {
    pub(crate) fn new(name: String, notices: UnboundedSender<Notice>) -> Arc<Self> {
        Arc::new(Self {
            name,
            inlet: Inlet::default(),
            at: Mutex::default(),
            is_granted: AtomicBool::new(false),
            may_publish: AtomicBool::new(false),
            notices,
        })
    }

    /// The subscription begins behind this position.
    pub(crate) fn begin_at(&self, at: Position) {
        *self.at() = Some(at);
    }

    pub(crate) fn may_publish(&self) -> bool {
        self.may_publish.load(Ordering::Relaxed)
    }

    /// The server has granted the topic to a client that has asked for what is `since` then.
    pub(crate) fn grant(&self, granted: &Granted, since: &Since, backlog: &Backlog) {
        self.is_granted.store(true, Ordering::Relaxed);
        self.may_publish.store(granted.publish, Ordering::Relaxed);
        match &granted.history {
            Some(history) => self.recovered(&history.at, since, backlog),
            // The position with which the application has begun is none of this topic.
            None => *self.at() = None,
        }
    }

    /// Messages may be lost. A subscription with a position learns that from the next one.
    pub(crate) fn report_lost(&self, backlog: &Backlog) {
        if self.is_granted.load(Ordering::Relaxed) && self.position().is_none() {
            self.inlet.push(TopicItem::Missed(Missing::Unknown), backlog);
        }
    }

    /// Drops what this subscription has received already, and reports what is missing before.
    fn push(&self, arrived: &Arrived, backlog: &Backlog) {
        if let Some(new) = &arrived.message.at {
            let mut at = self.at();
            if at.as_ref().is_some_and(|at| at.epoch == new.epoch && at.offset >= new.offset) {
                return;
            }
            let before = Position { offset: new.offset.saturating_sub(1), ..new.clone() };
            if let Some(missing) = at.as_ref().and_then(|at| missing_between(at, &before)) {
                self.inlet.push(TopicItem::Missed(missing), backlog);
            }
            *at = Some(new.clone());
        }
        self.inlet.push(TopicItem::Message(arrived.message.clone()), backlog);
    }

    /// The position up to which this subscription has received all.
    pub(crate) fn position(&self) -> Option<Position> {
        self.at().clone()
    }

    /// The server has answered, and has sent everything that it has up to this position.
    fn recovered(&self, reached: &Position, since: &Since, backlog: &Backlog) {
        let mut at = self.at();
        if let (Since::After(asked), Some(present)) = (since, &*at)
            && asked == present
            && asked.epoch == reached.epoch
            && asked.offset > reached.offset
        {
            // The history has lost its end, and gives the same offsets to other messages.
            self.inlet.push(TopicItem::Missed(Missing::Unknown), backlog);
            *at = Some(reached.clone());
            return;
        }
        let has =
            at.as_ref().is_some_and(|at| at.epoch == reached.epoch && at.offset >= reached.offset);
        if has {
            return;
        }
        if let Some(missing) = at.as_ref().and_then(|at| missing_between(at, reached)) {
            self.inlet.push(TopicItem::Missed(missing), backlog);
        }
        *at = Some(reached.clone());
    }

    fn at(&self) -> MutexGuard<'_, Option<Position>> {
        self.at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is missing behind one position up to another one.
fn missing_between(at: &Position, to: &Position) -> Option<Missing> {
    if at.epoch != to.epoch {
        return Some(Missing::Unknown);
    }
    let from = at.offset.saturating_add(1);
    (from <= to.offset).then_some(Missing::Range { from, to: to.offset })
}

#[cfg(test)]
mod tests {
    use bowline_protocol::{Message, Missing, Payload};
    use futures::channel::mpsc::unbounded;

    use super::{Arc, Backlog, Entry, Position, Since, TOPIC, TopicItem, Topics};

    fn topics<const N: usize>(names: [&str; N]) -> (Topics, [Arc<Entry>; N]) {
        let entries = names.map(|name| Entry::new(name.to_owned(), unbounded().0));
        let mut topics = Topics::default();
        entries.iter().for_each(|entry| topics.add(entry));
        (topics, entries)
    }

    fn deliver(topics: &Topics, json: &str) {
        let payload = Payload::json(json.to_owned());
        topics.deliver(&Message { name: TOPIC.into(), payload }, &Backlog::default());
    }

    fn stored(offset: u64, more: &str) -> String {
        format!(
            r#"{{"at":{{"epoch":"e","offset":{offset}}}{more},"payload":{{"topic":"a/b","name":"said","payload":{offset}}}}}"#
        )
    }

    fn received(entry: &Entry) -> Vec<String> {
        let next = || entry.inlet.try_next().ok();
        let words = std::iter::from_fn(next).map(|item| match item {
            TopicItem::Message(message) => message.payload.json.to_string(),
            TopicItem::Missed(Missing::Range { from, to }) => format!("missed {from}-{to}"),
            other => format!("{other:?}"),
        });
        words.collect()
    }

    #[test]
    fn a_new_subscription_ignores_what_was_sent_for_one_that_was_dropped() {
        let (mut topics, [dropped]) = topics(["a/b"]);
        deliver(&topics, &stored(1, ""));
        assert!(topics.remove(&dropped));
        topics.leave(7, "a/b".to_owned());
        let entry = Entry::new("a/b".to_owned(), unbounded().0);
        entry.begin_at(Position { epoch: "e".to_owned(), offset: 1 });
        topics.add(&entry);
        // 2 and 3 went to the dropped one, and 4 was on its way.
        deliver(&topics, &stored(4, ""));
        topics.answered(7);
        (2..=4).for_each(|offset| deliver(&topics, &stored(offset, "")));
        assert_eq!(received(&entry), ["2", "3", "4"]);
    }

    #[test]
    fn each_subscription_receives_a_message_once() {
        let (topics, [exact, twin, one, all, other]) = topics(["a/b", "a/b", "a/*", "**", "b/*"]);
        deliver(&topics, r#"{"payload":{"topic":"a/b","name":"said","payload":1}}"#);
        deliver(&topics, &stored(2, ""));
        deliver(&topics, &stored(2, r#","copy":true"#));
        for entry in [&exact, &twin, &one, &all] {
            assert_eq!(received(entry), ["1", "2"], "{}", entry.name);
        }
        assert!(received(&other).is_empty());
    }

    #[test]
    fn a_repeated_message_is_dropped_and_a_gap_is_reported() {
        let (topics, [entry]) = topics(["a/b"]);
        for offset in [1, 2, 2, 1, 5] {
            deliver(&topics, &stored(offset, ""));
        }
        assert_eq!(received(&entry), ["1", "2", "missed 3-4", "5"]);
        let recovered = |epoch: &str, offset, since: &Since| {
            let at = Position { epoch: epoch.into(), offset };
            entry.recovered(&at, since, &Backlog::default());
        };
        recovered("e", 5, &Since::Now);
        recovered("e", 7, &Since::Now);
        assert_eq!(received(&entry), ["missed 6-7"]);
        recovered("f", 9, &Since::Now);
        assert_eq!(received(&entry), ["Missed(Unknown)"]);
        recovered("f", 3, &Since::After(entry.position().unwrap()));
        assert_eq!(received(&entry), ["Missed(Unknown)"], "the history has lost its end");
        assert_eq!(entry.position().unwrap().offset, 3);
    }

    #[test]
    fn the_last_subscription_of_a_name_is_known() {
        let (mut topics, [one, other, pattern]) = topics(["a", "a", "*"]);
        assert!(!topics.remove(&one));
        assert!(!topics.remove(&one), "it is gone already");
        assert!(topics.remove(&other));
        assert!(topics.remove(&pattern));
        assert!(topics.patterns.is_empty() && topics.by_name.is_empty());
    }
}
