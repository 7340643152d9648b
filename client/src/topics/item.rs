//! What a subscription yields.

use bowline_protocol::{Missing, Payload, Position, TopicEvent};
use bytestring::ByteString;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::error::DecodeError;
use crate::inlet::Cost;

/// What a [`Subscription`](crate::Subscription) yields.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TopicItem {
    /// A message.
    Message(Published),
    /// Messages before the next one are lost: those that the history no longer has, or, for a topic
    /// without history, those that were published while the client had no session or no grant.
    Missed(Missing),
    /// The client is no longer subscribed. Nothing comes after it.
    Ended {
        /// Why: `revoked`, or the code of a failure such as `not-granted`, when the server refuses
        /// to renew the grant.
        code: ByteString,
    },
}

/// A message that was published to a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The topic; never a pattern.
    pub topic: String,
    /// The name of the event.
    pub name: String,
    /// The position in the topic's history, if it has one.
    pub at: Option<Position>,
    /// The JSON, and the bytes beside it.
    pub payload: Payload,
}

impl Published {
    /// Decodes the JSON; absent JSON decodes like `null`.
    ///
    /// # Errors
    /// When it is not a `T`.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        serde_json::from_str(self.payload.json_or_null())
            .map_err(|error| DecodeError(error.to_string()))
    }
}

/// A received message, and whether it is the copy for patterns.
pub(super) struct Arrived {
    pub(super) message: Published,
    pub(super) copy: bool,
}

impl Arrived {
    /// Reads the payload of a `bowline.topic` event.
    pub(super) fn read(payload: &Payload) -> Option<Self> {
        let event: TopicEvent<Box<RawValue>> = serde_json::from_str(&payload.json).ok()?;
        let TopicEvent { at, copy, payload: message } = event;
        let json = message.payload.map(|json| ByteString::from(json.get()));
        let payload = Payload { json: json.unwrap_or_default(), bytes: payload.bytes.clone() };
        let (topic, name) = (message.topic, message.name);
        Some(Self { message: Published { topic, name, at, payload }, copy })
    }
}

impl Cost for TopicItem {
    fn cost(&self) -> usize {
        let own = match self {
            Self::Message(message) => {
                message.topic.len() + message.name.len() + message.payload.size()
            }
            Self::Missed(_) | Self::Ended { .. } => 0,
        };
        own + size_of::<Self>()
    }
}
