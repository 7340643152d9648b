//! The requests, one by one.

use std::future::{Future, ready};
use std::sync::Arc;

use bowline_protocol::{Granted, PublishTo, Published, Subscribe, TopicName, is_pattern, is_topic};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::error::{HistoryError, PublishError};
use crate::failure::{Failure, NO_TOPIC, NOT_GRANTED};
use crate::handler::{IntoReply as _, Json};
use crate::handles::{Presence, Topic};
use crate::message;
use crate::node::{Grant, Granting, MessageContext, Node};
use crate::session::{self, Handling, LiveSession, TopicTurn};
use crate::snapshot::millis;

/// Asks the application, and subscribes the session.
pub(super) fn subscribe(context: MessageContext<'_>) -> Handling {
    let number = context.request_number;
    let asked = read::<Subscribe>(&context).and_then(|asked| {
        let is_name = is_topic(&asked.topic) || is_pattern(&asked.topic);
        is_name.then_some(asked).ok_or_else(|| Failure::new(INVALID_TOPIC))
    });
    let asked = match asked {
        Ok(asked) => asked,
        Err(failure) => return Box::pin(ready(Err(failure))),
    };
    let topics = &context.session.node.hooks.topics;
    let granting = match &asked.grant {
        Some(text) => {
            let verified = topics.verify(context.session.session, &asked.topic, text);
            Some(Box::pin(ready(verified)) as Granting)
        }
        None => topics.ask(context.session, &asked.topic),
    };
    let Some(granting) = granting else {
        return Box::pin(ready(Err(Failure::new(NO_TOPIC))));
    };
    let (node, session) = (context.session.node.share(), Arc::clone(context.session.session));
    let turn = TopicTurn::new(&session, &asked.topic);
    answer(number, async move {
        let _others_wait = turn.begin().await;
        let entered = match granting.await {
            Ok(_) if turn.is_revoked() => Err(Failure::new(NOT_GRANTED).with(&REVOKED)),
            Ok(grant) => enter(&node, &session, &asked, &grant).await,
            Err(failure) => Err(failure),
        };
        if entered.is_err() {
            leave(&node, &session, &asked.topic);
        }
        entered
    })
}

/// Subscribes the session no longer.
pub(super) fn unsubscribe(context: MessageContext<'_>) -> Handling {
    let TopicName { topic } = match read(&context) {
        Ok(name) => name,
        Err(failure) => return Box::pin(ready(Err(failure))),
    };
    let (node, session) = (context.session.node.share(), Arc::clone(context.session.session));
    let turn = TopicTurn::new(&session, &topic);
    answer(context.request_number, async move {
        let _others_wait = turn.begin().await;
        leave(&node, &session, &topic);
        Ok(())
    })
}

/// Publishes, if the session has a grant to.
pub(super) fn publish(context: MessageContext<'_>) -> Handling {
    let (node, session) = (context.session.node, context.session.session);
    let asked = read::<PublishTo<Box<RawValue>>>(&context).and_then(|asked| {
        let now = node.now();
        let may_publish = session.look(|state| state.may_publish(&asked.topic, now));
        may_publish.then_some(asked).ok_or_else(|| Failure::new(NOT_GRANTED).with(&NO_GRANT))
    });
    let (topic, bytes) = (node.share(), context.message.payload.bytes.clone());
    answer(context.request_number, async move {
        let PublishTo { topic: name, name: event, payload, id } = asked?;
        let mut topic = Topic::new(topic, &name);
        if let Some(id) = id {
            topic = topic.once(id.parse().map_err(|_| Failure::new(INVALID_ID))?);
        }
        let at = topic.publish(&event, &payload, bytes).await;
        Ok(at.map_err(unpublished)?.map(|at| Published { at }))
    })
}

/// The session is granted the topic, and receives what was and what will be published.
async fn enter(
    node: &Arc<Node>,
    session: &Arc<LiveSession>,
    Subscribe { topic, since, .. }: &Subscribe,
    grant: &Grant,
) -> Result<Granted, Failure> {
    let granted = session::Granted {
        topic: topic.as_str().into(),
        may_publish: grant.may_publish() && is_topic(topic),
        left: grant.length(),
    };
    let publish = granted.may_publish;
    let ends = grant.length().map(|length| node.now() + length);
    // The grant comes before the membership: an older one that expires now finds it.
    session.with(|state, now| state.grant(granted, now));
    let mut history = None;
    if is_topic(topic) && node.histories.has(topic) {
        let since = since.clone().unwrap_or_default();
        history = Some(node.histories.follow(topic, session, &since).await?);
    } else {
        node.rooms.join(topic, session)?;
        if let Some(cluster) = &node.cluster {
            cluster.listening(topic).await;
        }
    }
    if let Some(info) = grant.info() {
        Presence::new(Arc::clone(node), topic).enter_json(session, info)?;
    }
    // It may have lost the grant before it was a member, while it waited for the history.
    if node.leave_ungranted(session, topic) {
        let has_expired = ends.is_some_and(|ends| ends <= node.now());
        return Err(if has_expired {
            HistoryError::Unavailable.into()
        } else {
            Failure::new(NOT_GRANTED).with(&REVOKED)
        });
    }
    Ok(Granted { publish, expires: grant.length().map(millis), history })
}

fn leave(node: &Node, session: &Arc<LiveSession>, topic: &str) {
    // Where the application has let it in by itself, it stays.
    if session.with(|state, _| state.give_back(topic)) {
        node.rooms.leave(topic, session);
        node.histories.unfollow(topic, &session.id);
        node.presence.leave(topic, session.id);
    }
}

fn read<T: DeserializeOwned>(context: &MessageContext<'_>) -> Result<T, Failure> {
    message::from_payload(&context.message.payload).map_err(|_| Failure::new(INVALID_TOPIC))
}

/// Answers the request with what the work returns.
fn answer<T: Serialize + 'static>(
    request: Option<u64>,
    work: impl Future<Output = Result<T, Failure>> + 'static,
) -> Handling {
    Box::pin(async move { work.await.map(Json).into_answer(request) })
}

fn unpublished(error: PublishError) -> Failure {
    match error {
        PublishError::InvalidTopic => Failure::new(INVALID_TOPIC),
        PublishError::NotKept => Failure::new(NO_HISTORY),
        PublishError::Emit(error) => Failure::new(INVALID_TOPIC).with(&error.to_string()),
        PublishError::Unavailable => HistoryError::Unavailable.into(),
    }
}

/// The name is no topic and no pattern, or the payload is not that of the request.
const INVALID_TOPIC: &str = "invalid-topic";
/// The id of a message is no UUID.
const INVALID_ID: &str = "invalid-id";
/// Only a topic with a history recognizes the id of a message.
const NO_HISTORY: &str = "no-history";
const NO_GRANT: &str = "no grant to publish to this topic";
const REVOKED: &str = "the grant was revoked meanwhile";
