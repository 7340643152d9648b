//! The payloads of topics: rooms to which clients subscribe.
//!
//! Spec: 11-topics.

use serde::{Deserialize, Serialize};

use crate::{Position, Recovered, Since};

/// The name of the request of a client that wants to be subscribed: a [`Subscribe`], answered with
/// [`Granted`].
pub const SUBSCRIBE: &str = "bowline.subscribe";
/// The name of the request of a client that unsubscribes: a [`TopicName`].
pub const UNSUBSCRIBE: &str = "bowline.unsubscribe";
/// The name of the request of a client that publishes: a [`PublishTo`], answered with
/// [`Published`] if the topic has a history.
pub const PUBLISH: &str = "bowline.publish";
/// The name of the event that contains what was published: a [`TopicEvent`].
pub const TOPIC: &str = "bowline.topic";
/// The name of the event that notifies a client of the end of a subscription: a [`TopicEnded`].
pub const TOPIC_ENDED: &str = "bowline.topic-ended";

/// What a client wants to be subscribed to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscribe {
    /// A topic or a pattern.
    pub topic: String,
    /// The position from which the client wants stored messages; `None` is from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Since>,
    /// A grant that the server's application has signed; `None` for the function of the topic to
    /// decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<String>,
}

/// What a client is granted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Granted {
    /// Whether the client may publish to the topic.
    pub publish: bool,
    /// Milliseconds after which the grant expires; `None` if it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<u64>,
    /// Where the client is in the topic's history; `None` if it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<Recovered>,
}

/// A topic from which a client unsubscribes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicName {
    /// The topic or the pattern.
    pub topic: String,
}

/// What a client publishes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishTo<T> {
    /// The topic.
    pub topic: String,
    /// The name of the event.
    pub name: String,
    /// Its payload; `None` is the value `null`.
    #[serde(default = "Option::default", skip_serializing_if = "Option::is_none")]
    pub payload: Option<T>,
    /// The id of the message, a UUID as text: a repetition with the same id is the same message.
    /// Only topics with a history recognize it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// Where in the topic's history a message of a client is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// Its position.
    pub at: Position,
}

/// The payload of the event that contains what was published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicEvent<T> {
    /// The position in the topic's history; `None` for a topic without one, and for a volatile
    /// event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Position>,
    /// True for the copy of a stored message that is for subscriptions to patterns only.
    #[serde(default, skip_serializing_if = "is_original")]
    pub copy: bool,
    /// The message.
    pub payload: TopicMessage<T>,
}

/// A message of a topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicMessage<T> {
    /// The topic; never a pattern.
    pub topic: String,
    /// The name of the event.
    pub name: String,
    /// Its payload; `None` is the value `null`.
    #[serde(default = "Option::default", skip_serializing_if = "Option::is_none")]
    pub payload: Option<T>,
}

/// The end of a subscription.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicEnded {
    /// The topic or the pattern.
    pub topic: String,
    /// Why: one of the constants of this type.
    pub code: String,
}

impl TopicEnded {
    /// The grant has expired. The client may subscribe again.
    pub const EXPIRED: &'static str = "expired";
    /// The application has revoked the grant. The client does not subscribe again by itself.
    pub const REVOKED: &'static str = "revoked";
}

/// Serde passes a reference.
const fn is_original(copy: &bool) -> bool {
    !*copy
}

/// True for the name of a topic.
#[must_use]
pub fn is_topic(name: &str) -> bool {
    is_well_formed(name) && !name.split('/').any(is_wildcard)
}

/// True for a pattern of topics: `**` is its last segment, if it has one.
#[must_use]
pub fn is_pattern(name: &str) -> bool {
    let mut rest = name.split('/').skip_while(|segment| *segment != "**").skip(1);
    is_well_formed(name) && name.split('/').any(is_wildcard) && rest.next().is_none()
}

/// True if a topic is one of those for which the pattern stands; also if they are the same topic.
#[must_use]
pub fn matches(pattern: &str, topic: &str) -> bool {
    let mut topic = topic.split('/');
    for segment in pattern.split('/') {
        let Some(part) = topic.next() else { return false };
        match segment {
            "**" => return true,
            "*" => {}
            _ if segment == part => {}
            _ => return false,
        }
    }
    topic.next().is_none()
}

fn is_well_formed(name: &str) -> bool {
    let is_segment = |segment: &str| !segment.is_empty() && !segment.chars().any(|one| one <= ' ');
    (1..=MAX_TOPIC).contains(&name.len()) && name.split('/').all(is_segment)
}

fn is_wildcard(segment: &str) -> bool {
    matches!(segment, "*" | "**")
}

/// Bytes of a topic's name at most: those of a room.
const MAX_TOPIC: usize = 128;

#[cfg(test)]
mod tests {
    use super::{is_pattern, is_topic, matches};

    #[test]
    fn names_are_topics_or_patterns_or_neither() {
        for topic in ["a", "ticket/7", "a*b", "größe/1", &"x".repeat(128)] {
            assert!(is_topic(topic) && !is_pattern(topic), "{topic}");
        }
        for pattern in ["*", "**", "ticket/*", "*/said", "a/*/b/**"] {
            assert!(is_pattern(pattern) && !is_topic(pattern), "{pattern}");
        }
        for name in ["", "/a", "a/", "a//b", "a b", "a\nb", "**/a", &"x".repeat(129)] {
            assert!(!is_topic(name) && !is_pattern(name), "{name:?}");
        }
    }

    #[test]
    fn a_pattern_stands_for_the_topics_of_its_form() {
        let standing =
            [("a", "a"), ("*", "a"), ("**", "a/b"), ("a/*", "a/b"), ("*/b/**", "a/b/c/d")];
        for (pattern, topic) in standing {
            assert!(matches(pattern, topic), "{pattern} {topic}");
        }
        let others = [("a", "b"), ("*", "a/b"), ("a/*", "a"), ("a/**", "a"), ("a/*", "b/c")];
        for (pattern, topic) in others {
            assert!(!matches(pattern, topic), "{pattern} {topic}");
        }
    }
}
