//! A topic, as applications hold it.

use std::fmt;
use std::sync::Arc;

use bowline_protocol::{
    Carries, Encoded, Payload, Position, TOPIC, ToClient, TopicEvent, TopicMessage, is_topic,
};
use bytes::Bytes;
use serde::Serialize;
use uuid::Uuid;

use super::Audience;
use crate::delivery::Emitted;
use crate::error::{HistoryError, PublishError};
use crate::history::Appended;
use crate::message;
use crate::node::Node;

/// A topic, from [`Bowline::topic`](crate::Bowline::topic).
#[derive(Clone)]
#[must_use = "nothing is published until emit is called"]
pub struct Topic {
    node: Arc<Node>,
    name: String,
    once: Option<Uuid>,
}

impl Topic {
    pub(crate) fn new(node: Arc<Node>, name: &str) -> Self {
        Self { node, name: name.to_owned(), once: None }
    }

    /// Gives the next event an id: however often it is published with that id, by HTTP handlers or
    /// tasks, on any node, subscribers receive one event, and [`Self::emit`] resolves with its
    /// position. Only a topic with a [history](crate::BowlineBuilder::history) recognizes ids: see
    /// [`History::once`](crate::History::once).
    pub fn once(self, id: Uuid) -> Self {
        Self { once: Some(id), ..self }
    }

    /// Publishes an event to all subscribers, on all nodes, encoded once. If the topic has a
    /// [history](crate::BowlineBuilder::history), resolves with the position of the event when it
    /// is stored; otherwise with `None`, at once.
    ///
    /// # Errors
    /// When the name is no topic, the payload cannot be encoded, the history is unavailable, or the
    /// event has an id and the topic no history.
    pub async fn emit<P: Serialize + ?Sized>(
        &self,
        name: impl Carries<P> + ToClient,
        payload: &P,
    ) -> Result<Option<Position>, PublishError> {
        self.publish(name.name(), payload, None).await
    }

    /// As [`Self::emit`], with bytes beside the payload.
    ///
    /// # Errors
    /// As [`Self::emit`].
    pub async fn emit_with<P: Serialize + ?Sized>(
        &self,
        name: impl Carries<P> + ToClient,
        payload: &P,
        bytes: Bytes,
    ) -> Result<Option<Position>, PublishError> {
        self.publish(name.name(), payload, Some(bytes)).await
    }

    /// Publishes an event that the server may drop for subscribers that are away or slow, and that
    /// no history stores. Returns the number of sessions of this node for which it was queued.
    ///
    /// # Errors
    /// When the name is no topic, the payload cannot be encoded, or the event has an id.
    pub fn emit_volatile<P: Serialize + ?Sized>(
        &self,
        name: impl Carries<P> + ToClient,
        payload: &P,
    ) -> Result<usize, PublishError> {
        self.refuse_id()?;
        let payload = self.event(None, false, self.message(name.name(), payload), None)?;
        let packet = Encoded::volatile(TOPIC, &payload)?;
        Ok(self.audience(true).send_volatile(&packet))
    }

    /// As [`Self::emit_volatile`]; an older event of this name and key that still waits for a slow
    /// subscriber is dropped, so that the subscriber receives this one in its place: see
    /// [`Audience::emit_latest`].
    ///
    /// # Errors
    /// As [`Self::emit_volatile`].
    pub fn emit_latest<P: Serialize + ?Sized>(
        &self,
        name: impl Carries<P> + ToClient,
        key: &str,
        payload: &P,
    ) -> Result<Emitted, PublishError> {
        self.refuse_id()?;
        let name = name.name();
        let payload = self.event(None, false, self.message(name, payload), None)?;
        let packet = Encoded::volatile(TOPIC, &payload)?;
        Ok(self.audience(true).send_latest(&packet, &format!("{name} {key}")))
    }

    /// The sessions that are subscribed to the topic itself; not those that are subscribed to a
    /// pattern.
    pub fn subscribers(&self) -> Audience {
        Audience::room(Arc::clone(&self.node), &self.name)
    }

    /// Takes the grant of every subscriber back, on all nodes, and refuses the requests for one
    /// that have not been answered. Looks at every session of each node. For some of them:
    /// [`Audience::revoke`].
    pub fn revoke(&self) {
        // Not only at the members: a session joins after its application has granted.
        Audience::all(Arc::clone(&self.node)).revoke(&self.name);
    }

    pub(crate) async fn publish<P: Serialize + ?Sized>(
        &self,
        name: &str,
        payload: &P,
        bytes: Option<Bytes>,
    ) -> Result<Option<Position>, PublishError> {
        if !is_topic(&self.name) {
            return Err(PublishError::InvalidTopic);
        }
        // What is published has to be an event for the subscribers.
        Encoded::event(name, &Payload::default())?;
        let message = self.message(name, payload);
        if !self.node.histories.has(&self.name) {
            self.refuse_id()?;
            let payload = self.event(None, false, message, bytes)?;
            self.audience(true).send(&Encoded::event(TOPIC, &payload)?);
            return Ok(None);
        }
        let stored = message::to_payload_with(&message, bytes.clone())?;
        let stored = Encoded::event(TOPIC, &stored)?;
        let stored = stored.as_bytes().clone();
        let appended = self.node.histories.append(&self.name, stored, self.once).await;
        let Appended { at, is_repeated } = appended.map_err(unavailable)?;
        let patterns = self.audience(false);
        if !is_repeated && !patterns.is_nobody() {
            let copy = self.event(Some(at.clone()), true, message, bytes)?;
            patterns.send(&Encoded::event(TOPIC, &copy)?);
        }
        Ok(Some(at))
    }

    /// Without a history nothing remembers ids.
    const fn refuse_id(&self) -> Result<(), PublishError> {
        if self.once.is_some() { Err(PublishError::NotKept) } else { Ok(()) }
    }

    /// Everyone who is subscribed to the topic or to a pattern that matches it.
    fn audience(&self, with_topic: bool) -> Audience {
        let topic = with_topic.then(|| self.name.clone());
        let rooms = topic.into_iter().chain(self.node.hooks.topics.patterns_of(&self.name));
        Audience::rooms(Arc::clone(&self.node), rooms.collect())
    }

    fn message<'a, P: ?Sized>(&self, name: &str, payload: &'a P) -> TopicMessage<&'a P> {
        TopicMessage { topic: self.name.clone(), name: name.to_owned(), payload: Some(payload) }
    }

    fn event<P: Serialize>(
        &self,
        at: Option<Position>,
        copy: bool,
        payload: TopicMessage<P>,
        bytes: Option<Bytes>,
    ) -> Result<Payload, PublishError> {
        if !is_topic(&self.name) {
            return Err(PublishError::InvalidTopic);
        }
        Ok(message::to_payload_with(&TopicEvent { at, copy, payload }, bytes)?)
    }
}

fn unavailable(error: HistoryError) -> PublishError {
    match error {
        HistoryError::Emit(error) => PublishError::Emit(error),
        HistoryError::NotKept | HistoryError::Join(_) | HistoryError::Unavailable => {
            PublishError::Unavailable
        }
    }
}

impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Topic").field("name", &self.name).finish_non_exhaustive()
    }
}
