//! Grants that the application signs, so that a page can be given a topic without a function of the
//! server that decides.
//!
//! Spec: 11-topics, "Signed grants".

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bowline_protocol::{SessionId, is_topic};
use hmac::{Hmac, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::failure::{Failure, INVALID_GRANT};
use crate::node::Grant;

/// A key with which an application signs grants: see
/// [`BowlineBuilder::topic_key`](crate::BowlineBuilder::topic_key). Any program that has the same
/// secret can sign.
///
/// ```
/// use std::time::Duration;
///
/// use bowline_server::{Bowline, TopicKey};
///
/// let key = TopicKey::new("a secret of 32 random bytes, or so");
/// let bowline = Bowline::builder().topic_key(key.clone()).build();
/// // The page of the invoice contains it, and subscribes with it.
/// let grant = key.grant("invoice/7").for_user("ada").expires_in(Duration::from_secs(600)).sign();
/// # drop((bowline, grant));
/// ```
#[derive(Clone)]
pub struct TopicKey(Vec<u8>);

/// A grant that is about to be signed.
#[derive(Debug, Clone)]
#[must_use = "sign makes the text that the client sends"]
pub struct SignedGrant<'a> {
    key: &'a TopicKey,
    content: Content,
}

/// What is signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    topic: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session: Option<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    publish: bool,
    /// Milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<u64>,
}

impl TopicKey {
    /// The key with this secret.
    ///
    /// # Panics
    /// When it is shorter than 16 bytes: anybody could find it by trying.
    #[must_use]
    #[track_caller]
    pub fn new(secret: impl Into<Vec<u8>>) -> Self {
        let secret = secret.into();
        assert!(secret.len() >= 16, "the secret of a TopicKey has at least 16 bytes, better 32");
        Self(secret)
    }

    /// A grant to subscribe to this topic.
    ///
    /// # Panics
    /// When the name is no topic. Patterns are not signed: a rule of
    /// [`BowlineBuilder::topic`](crate::BowlineBuilder::topic) opens them.
    #[track_caller]
    pub fn grant(&self, topic: &str) -> SignedGrant<'_> {
        assert!(is_topic(topic), "{topic:?} is no topic");
        let topic = topic.to_owned();
        let content = Content { topic, user: None, session: None, publish: false, until: None };
        SignedGrant { key: self, content }
    }

    fn mac(&self, json: &str) -> Hmac<Sha256> {
        let mac = Hmac::<Sha256>::new_from_slice(&self.0);
        let mut mac = mac.expect("a key of HMAC may have any length");
        mac.update(json.as_bytes());
        mac
    }
}

impl SignedGrant<'_> {
    /// The client may publish to the topic as well.
    pub const fn and_publish(mut self) -> Self {
        self.content.publish = true;
        self
    }

    /// Only for sessions of this user: see [`Socket::set_user`](crate::Socket::set_user).
    pub fn for_user(mut self, user: &str) -> Self {
        self.content.user = Some(user.to_owned());
        self
    }

    /// Only for this session.
    pub fn for_session(mut self, session: SessionId) -> Self {
        self.content.session = Some(session.to_string());
        self
    }

    /// The grant expires after this time, by the clocks of the signing and the serving machine. A
    /// subscription ends then, unless the client presents another grant before.
    pub fn expires_in(mut self, length: Duration) -> Self {
        self.content.until = Some(unix_millis().saturating_add(length.as_millis() as u64));
        self
    }

    /// The text that the client sends.
    ///
    /// # Panics
    /// Never: its parts are texts and numbers.
    #[must_use]
    pub fn sign(&self) -> String {
        let json = serde_json::to_string(&self.content).expect("texts and numbers are JSON");
        let mac = self.key.mac(&json).finalize().into_bytes();
        let hex: String = mac.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{hex}.{json}")
    }
}

/// The grant of this text, if one of the keys has signed it for this topic, user and session.
///
/// # Errors
/// The failure that the client receives.
pub(crate) fn verified(
    keys: &[TopicKey],
    text: &str,
    topic: &str,
    user: Option<&str>,
    session: SessionId,
) -> Result<Grant, Failure> {
    let invalid = || Failure::new(INVALID_GRANT);
    let (mac, json) = text.split_once('.').ok_or_else(invalid)?;
    let mac = unhex(mac).ok_or_else(invalid)?;
    // The comparison takes the same time wherever the two differ.
    let is_signed = keys.iter().any(|key| key.mac(json).verify_slice(&mac).is_ok());
    let content: Content =
        is_signed.then(|| serde_json::from_str(json).ok()).flatten().ok_or_else(invalid)?;
    let is_for_user = content.user.as_deref().is_none_or(|named| Some(named) == user);
    let is_for_session = content.session.is_none_or(|named| named == session.to_string());
    if content.topic != topic || !is_for_user || !is_for_session {
        return Err(invalid());
    }
    let mut grant = Grant::subscribe();
    if content.publish {
        grant = grant.and_publish();
    }
    match content.until.map(|until| until.checked_sub(unix_millis())) {
        None => Ok(grant),
        Some(Some(left @ 1..)) => Ok(grant.expires_in(Duration::from_millis(left))),
        Some(_) => Err(Failure::new(GRANT_EXPIRED)),
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if text.len() != 64 || !text.bytes().all(is_digit) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

fn unix_millis() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Serde passes a reference.
const fn is_false(value: &bool) -> bool {
    !*value
}

impl fmt::Debug for TopicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TopicKey(masked)")
    }
}

/// The time of the grant is over.
const GRANT_EXPIRED: &str = "grant-expired";

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bowline_protocol::{NodeId, SessionId};
    use serde::Deserialize;

    use super::{TopicKey, verified};

    #[derive(Deserialize)]
    struct Vector {
        name: String,
        secret: String,
        grant: String,
        topic: String,
        user: Option<String>,
        publish: Option<bool>,
        failure: Option<String>,
    }

    fn session() -> SessionId {
        SessionId::new(NodeId::from_bytes([1; 6]), [2; 12])
    }

    #[test]
    fn grants_are_those_of_the_vectors() {
        let vectors = include_str!("../../../protocol-spec/vectors/grants.json");
        let vectors: Vec<Vector> = serde_json::from_str(vectors).unwrap();
        assert!(!vectors.is_empty());
        for Vector { name, secret, grant, topic, user, publish, failure } in vectors {
            let keys = [TopicKey::new("another secret, long enough"), TopicKey::new(secret)];
            let granted = verified(&keys, &grant, &topic, user.as_deref(), session());
            match granted {
                Ok(grant) => assert_eq!(Some(grant.may_publish()), publish, "{name}"),
                Err(error) => assert_eq!(Some(error.code()), failure.as_deref(), "{name}"),
            }
        }
    }

    #[test]
    fn a_grant_is_for_whom_it_names_and_for_its_time() {
        let key = TopicKey::new(vec![7; 16]);
        let keys = [key.clone()];
        let check = |grant: &str, user| {
            let granted = verified(&keys, grant, "a/b", user, session());
            granted.map_err(|failure| failure.code().to_owned())
        };
        let minute = Duration::from_secs(60);
        let grant = key.grant("a/b").for_user("ada").and_publish().expires_in(minute).sign();
        let granted = check(&grant, Some("ada")).unwrap();
        assert!(granted.may_publish() && granted.length().is_some_and(|left| left <= minute));
        for user in [Some("ben"), None] {
            assert_eq!(check(&grant, user).unwrap_err(), "invalid-grant");
        }
        let own = key.grant("a/b").for_session(session()).sign();
        assert!(check(&own, None).is_ok());
        let other = SessionId::new(NodeId::from_bytes([1; 6]), [3; 12]);
        let others = key.grant("a/b").for_session(other).sign();
        assert_eq!(check(&others, None).unwrap_err(), "invalid-grant");
        let over = key.grant("a/b").expires_in(Duration::ZERO).sign();
        assert_eq!(check(&over, None).unwrap_err(), "grant-expired");
        // What is changed after signing.
        let changed = own.replace("a/b", "a/c");
        assert_eq!(check(&changed, None).unwrap_err(), "invalid-grant");
        for text in [
            "",
            ".",
            "x.{}",
            &own[1..],
            &own[..own.len() - 1],
            &format!("ü{own}"),
            &format!("+{}", &own[1..]),
        ] {
            assert_eq!(check(text, None).unwrap_err(), "invalid-grant", "{text}");
        }
    }
}
