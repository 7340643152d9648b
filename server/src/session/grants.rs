//! What a session was granted: the topics to which its client is subscribed, and until when.
//!
//! Spec: 11-topics.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bowline_protocol::Time;

use super::State;
use super::topic_turns::Queue;

/// The grants of a session. Most sessions have none.
#[derive(Debug, Default)]
pub(super) struct Grants {
    held: BTreeMap<Arc<str>, Held>,
    /// The time at which the next grant expires.
    next: Option<Time>,
    /// Grants that have expired, until somebody acts on it.
    expired: Vec<Arc<str>>,
    /// The topics about which there are requests.
    queues: BTreeMap<Arc<str>, Arc<Queue>>,
}

#[derive(Debug)]
struct Held {
    may_publish: bool,
    ends: Option<Time>,
}

/// A grant on its way to another node, or into a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Granted {
    pub(crate) topic: Arc<str>,
    pub(crate) may_publish: bool,
    /// What is left of its time.
    pub(crate) left: Option<Duration>,
}

impl Grants {
    fn find_next(&mut self) {
        self.next = self.held.values().filter_map(|held| held.ends).min();
    }

    fn is_empty(&self) -> bool {
        self.held.is_empty() && self.expired.is_empty() && self.queues.is_empty()
    }
}

impl State {
    /// Grants a topic, instead of what was granted before.
    pub(crate) fn grant(&mut self, granted: Granted, now: Time) {
        let Granted { topic, may_publish, left } = granted;
        let held = Held { may_publish, ends: left.map(|left| now + left) };
        let grants = self.grants.get_or_insert_default();
        grants.held.insert(topic, held);
        grants.find_next();
    }

    /// True if it has grants, or requests for one.
    pub(crate) const fn has_grants(&self) -> bool {
        self.grants.is_some()
    }

    /// Takes a grant back for the application, which decides anew from now on. False if there is
    /// none.
    pub(crate) fn revoke(&mut self, topic: &str) -> bool {
        if let Some(queue) = self.grants.as_ref().and_then(|grants| grants.queues.get(topic)) {
            queue.revoke();
        }
        self.give_back(topic)
    }

    /// Ends a grant. False if there is none.
    pub(crate) fn give_back(&mut self, topic: &str) -> bool {
        let Some(grants) = &mut self.grants else { return false };
        let was_held = grants.held.remove(topic).is_some();
        grants.find_next();
        self.drop_empty_grants();
        was_held
    }

    /// The requests about a topic, to which the caller adds one.
    pub(super) fn queue_for(&mut self, topic: &Arc<str>) -> Arc<Queue> {
        let queues = &mut self.grants.get_or_insert_default().queues;
        Arc::clone(queues.entry(Arc::clone(topic)).or_default())
    }

    /// A request about a topic is answered.
    pub(super) fn end_turn(&mut self, topic: &str) {
        let Some(grants) = &mut self.grants else { return };
        if grants.queues.get(topic).is_some_and(|queue| Arc::strong_count(queue) == 1) {
            grants.queues.remove(topic);
        }
        self.drop_empty_grants();
    }

    fn drop_empty_grants(&mut self) {
        self.grants.take_if(|grants| grants.is_empty());
    }

    /// True while the client is subscribed to the topic.
    pub(crate) fn is_granted(&self, topic: &str) -> bool {
        self.grants.as_ref().is_some_and(|grants| grants.held.contains_key(topic))
    }

    /// True while a grant states that the client may publish to the topic.
    pub(crate) fn may_publish(&self, topic: &str, now: Time) -> bool {
        let held = self.grants.as_ref().and_then(|grants| grants.held.get(topic));
        held.is_some_and(|held| held.may_publish && held.ends.is_none_or(|ends| now < ends))
    }

    /// The grants, with what is left of their time.
    pub(super) fn granted(&self, now: Time) -> Vec<Granted> {
        let Some(grants) = &self.grants else { return Vec::new() };
        let granted = grants.held.iter().map(|(topic, held)| Granted {
            topic: Arc::clone(topic),
            may_publish: held.may_publish,
            left: held.ends.map(|ends| ends - now),
        });
        granted.collect()
    }

    pub(super) fn grants_deadline(&self) -> Option<Time> {
        self.grants.as_ref().filter(|_| self.core.closed().is_none())?.next
    }

    /// Ends the grants whose time is over.
    pub(super) fn handle_grants(&mut self, now: Time) {
        let Some(grants) = &mut self.grants else { return };
        if grants.next.is_none_or(|next| now < next) {
            return;
        }
        let is_over = |held: &Held| held.ends.is_some_and(|ends| ends <= now);
        let expired = &mut grants.expired;
        grants.held.retain(|topic, held| {
            let is_over = is_over(held);
            if is_over {
                expired.push(Arc::clone(topic));
            }
            !is_over
        });
        grants.find_next();
    }

    /// The grants that have expired since the last call.
    pub(super) fn take_expired(&mut self) -> Vec<Arc<str>> {
        let Some(grants) = &mut self.grants else { return Vec::new() };
        let expired = std::mem::take(&mut grants.expired);
        self.drop_empty_grants();
        expired
    }
}
