//! The topics that the application opens to its clients, and what it decides about each.

use std::fmt;
use std::time::Duration;

use actix_web::dev::{Path, ResourceDef};
use bowline_protocol::SessionId;
use futures::future::LocalBoxFuture;
use serde::Serialize;

use super::SessionContext;
use crate::complaints::limited;
use crate::failure::{Failure, INVALID_GRANT};
use crate::session::LiveSession;

/// What a client may do with a topic, and for how long: returned by the function of
/// [`BowlineBuilder::topic`](crate::BowlineBuilder::topic).
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a topic's function returns it"]
pub struct Grant {
    may_publish: bool,
    length: Option<Duration>,
    /// What others see of the client while it is subscribed, as JSON.
    info: Option<String>,
}

impl Grant {
    /// The client receives what is published to the topic, for as long as its session lives.
    pub const fn subscribe() -> Self {
        Self { may_publish: false, length: None, info: None }
    }

    /// The client may publish to the topic as well.
    pub const fn and_publish(mut self) -> Self {
        self.may_publish = true;
        self
    }

    /// The grant expires after this time, unless the client renews it: the client libraries
    /// subscribe again before that, and the topic's function decides again. Milliseconds count,
    /// but the libraries subscribe again at most once a second: a shorter grant lapses meanwhile.
    pub const fn expires_in(mut self, length: Duration) -> Self {
        self.length = Some(length);
        self
    }

    /// The client is present in the topic while it is subscribed, with this info about it: see
    /// [`Presence::enter`](crate::Presence::enter). The server refuses the client if it cannot be
    /// present; an info that cannot be encoded is logged, and the client is not present.
    pub fn present(mut self, info: &impl Serialize) -> Self {
        self.info = serde_json::to_string(info)
            .inspect_err(|error| limited!("the info of a topic's subscriber is no JSON: {error}"))
            .ok();
        self
    }

    pub(crate) fn info(&self) -> Option<&str> {
        self.info.as_deref()
    }

    pub(crate) const fn may_publish(&self) -> bool {
        self.may_publish
    }

    pub(crate) const fn length(&self) -> Option<Duration> {
        self.length
    }
}

/// A client that asks to be subscribed to a topic.
#[derive(Debug, Clone, Copy)]
pub struct TopicContext<'a> {
    pub(crate) session: SessionContext<'a>,
    /// The parameters of the topic's name.
    pub(crate) path: &'a Path<String>,
}

/// The rules of the application, in the order in which it has stated them.
#[derive(Default)]
pub(crate) struct Topics {
    rules: Vec<Rule>,
    /// Verifies grants that the application has signed.
    signed: Option<Box<AnySigned>>,
}

/// What the application decides about one client and one topic: a grant, or the failure that the
/// client receives.
pub(crate) type Granting = LocalBoxFuture<'static, Result<Grant, Failure>>;

/// Verifies the text of a grant, for this topic and this user and session.
pub(crate) type AnySigned =
    dyn Fn(&str, &str, Option<&str>, SessionId) -> Result<Grant, Failure> + Send + Sync;

pub(crate) type AnyTopic = dyn Fn(TopicContext<'_>) -> Granting + Send + Sync;

struct Rule {
    text: String,
    names: ResourceDef,
    handler: Box<AnyTopic>,
}

impl Topics {
    /// Opens the topics whose names match this text.
    #[track_caller]
    pub(crate) fn open(&mut self, text: &str, handler: Box<AnyTopic>) {
        assert!(
            is_rule(text),
            "{text:?} names no topics: segments are separated by one / each, and `**` is the last; \
             in a rule for patterns each segment is a text, a {{parameter}}, `*` or `**`"
        );
        let names = ResourceDef::new(masked(text));
        self.rules.push(Rule { text: text.to_owned(), names, handler });
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.rules.is_empty() && self.signed.is_none()
    }

    /// Asks the first rule that opens this name, a topic or a pattern. `None` if there is none.
    pub(crate) fn ask(&self, session: SessionContext<'_>, name: &str) -> Option<Granting> {
        let mut path = Path::new(masked(name));
        let opens =
            |rule: &&Rule| same_wildcards(&rule.text, name) && rule.names.is_match(path.as_str());
        let rule = self.rules.iter().find(opens)?;
        rule.names.capture_match_info(&mut path);
        Some((rule.handler)(TopicContext { session, path: &path }))
    }

    /// Accepts grants that the application has signed.
    pub(crate) fn accept(&mut self, signed: Box<AnySigned>) {
        self.signed = Some(signed);
    }

    /// The grant of this text.
    pub(crate) fn verify(
        &self,
        session: &LiveSession,
        topic: &str,
        text: &str,
    ) -> Result<Grant, Failure> {
        let Some(signed) = &self.signed else { return Err(Failure::new(INVALID_GRANT)) };
        signed(text, topic, session.user().as_deref(), session.id)
    }

    /// The patterns that a client may be subscribed to and that match this topic.
    pub(crate) fn patterns_of<'a>(&'a self, topic: &'a str) -> impl Iterator<Item = String> + 'a {
        let rules = self.rules.iter().filter(|rule| wildcards(&rule.text).next().is_some());
        rules.filter_map(|rule| {
            let pattern = pattern_of(&rule.text, topic)?;
            rule.names.is_match(&masked(&pattern)).then_some(pattern)
        })
    }
}

/// The pattern that a rule opens and that matches this topic, if it is one.
fn pattern_of(rule: &str, topic: &str) -> Option<String> {
    let mut topic = topic.split('/');
    let mut pattern = Vec::new();
    for segment in rule.split('/') {
        let part = topic.next()?;
        match segment {
            "**" => {
                pattern.push(segment);
                return Some(pattern.join("/"));
            }
            "*" => pattern.push(segment),
            _ if segment.starts_with('{') => pattern.push(part),
            _ => pattern.push((segment == part).then_some(part)?),
        }
    }
    topic.next().is_none().then(|| pattern.join("/"))
}

/// True if two names have the same wildcards in the same places: a parameter of a rule stands for
/// no wildcard.
fn same_wildcards(rule: &str, name: &str) -> bool {
    wildcards(rule).eq(wildcards(name))
}

fn wildcards(name: &str) -> impl Iterator<Item = (usize, &str)> {
    name.split('/').enumerate().filter(|(_, segment)| matches!(*segment, "*" | "**"))
}

fn is_rule(text: &str) -> bool {
    let segments: Vec<_> = text.split('/').collect();
    let ends = segments.iter().position(|segment| *segment == "**");
    let is_plain = |segment: &&str| {
        let is_parameter = segment.starts_with('{') && segment.ends_with('}');
        is_parameter || !segment.contains(['{', '}'])
    };
    let has_wildcards = wildcards(text).next().is_some();
    segments.iter().all(|segment| !segment.is_empty())
        && ends.is_none_or(|at| at + 1 == segments.len())
        && (!has_wildcards || segments.iter().all(is_plain))
}

/// The name with characters for its wildcards that no name has, because they mean something else to
/// actix's patterns.
fn masked(name: &str) -> String {
    let segments = name.split('/').map(|segment| match segment {
        "*" => "\u{1}",
        "**" => "\u{2}",
        text => text,
    });
    segments.collect::<Vec<_>>().join("/")
}

impl fmt::Debug for Topics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.rules.iter().map(|rule| &rule.text)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::{is_rule, masked, pattern_of, same_wildcards};

    #[test]
    fn a_parameter_opens_no_pattern() {
        assert!(same_wildcards("ticket/{id}", "ticket/7"));
        assert!(!same_wildcards("ticket/{id}", "ticket/*"));
        assert!(!same_wildcards("{tail}*", "ticket/**"));
        assert!(same_wildcards("{org}/*", "acme/*"));
        assert!(!same_wildcards("{org}/*", "*/acme"));
    }

    #[test]
    fn a_topic_belongs_to_the_patterns_that_rules_open() {
        let pattern = |rule, topic| pattern_of(rule, topic);
        assert_eq!(pattern("ticket/*", "ticket/7").as_deref(), Some("ticket/*"));
        assert_eq!(pattern("{org}/ticket/*", "acme/ticket/7").as_deref(), Some("acme/ticket/*"));
        assert_eq!(pattern("{org}/**", "acme/ticket/7").as_deref(), Some("acme/**"));
        assert_eq!(pattern("ticket/*", "ticket/7/said"), None);
        assert_eq!(pattern("ticket/**", "ticket"), None);
        assert_eq!(pattern("ticket/*", "order/7"), None);
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        for rule in ["ticket/{id}", "*", "**", "a/{id:[0-9]+}/*", "a/{tail}*"] {
            assert!(is_rule(rule), "{rule}");
        }
        for text in ["", "/ticket", "ticket//7", "**/ticket", "a-{id}/*"] {
            assert!(!is_rule(text), "{text}");
        }
        assert_eq!(masked("a/*/b*/**"), "a/\u{1}/b*/\u{2}");
    }
}
