//! Stored messages, as applications read them.

use std::time::Duration;

use bowline_protocol::{Missing, Packet, Payload, Position, Since, TOPIC, TopicMessage};
use bytes::Bytes;
use bytestring::ByteString;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::replica::place;
use crate::broker::{LogEntry, Slice};

/// Messages of a history, from [`History::read`](crate::History::read).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HistoryPage {
    /// The messages, the oldest first. [`Since::After`] the position of the last one reads on.
    pub messages: Vec<StoredMessage>,
    /// The position of the newest message of the history, whether or not it is among these.
    pub end: Position,
    /// The messages that were asked for and the history no longer has; `None` if it has all.
    pub missing: Option<Missing>,
}

/// A message of a history.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredMessage {
    /// Its position.
    pub at: Position,
    /// How long ago it was stored.
    pub age: Duration,
    /// The name of the event.
    pub name: String,
    /// Its payload.
    pub payload: Payload,
}

impl StoredMessage {
    /// The JSON of the payload as a value.
    ///
    /// # Errors
    /// When the JSON is no value of this type.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.payload.json_or_null())
    }
}

/// At most so many messages of a log, the oldest first.
pub(super) fn page_of(slice: Slice, since: &Since, limit: usize) -> HistoryPage {
    let Slice { end, entries } = slice;
    let begin = entries.first().map_or(end.offset, |entry| entry.offset.saturating_sub(1));
    let (from, missing) = place(begin, &end, since);
    let wanted = entries.into_iter().filter(|entry| entry.offset > from).take(limit);
    let messages = wanted.filter_map(|entry| stored(&end.epoch, entry)).collect();
    HistoryPage { messages, end, missing }
}

/// `None` for a message of a form that this build does not know.
fn stored(epoch: &str, entry: LogEntry) -> Option<StoredMessage> {
    let LogEntry { offset, age, message } = entry;
    let Packet::Event(event) = packet_of(&message)? else { return None };
    let at = Position { epoch: epoch.to_owned(), offset };
    if event.name != TOPIC {
        return Some(StoredMessage {
            at,
            age,
            name: event.name.to_string(),
            payload: event.payload,
        });
    }
    let message: TopicMessage<&RawValue> = serde_json::from_str(&event.payload.json).ok()?;
    let json = message.payload.map_or_else(ByteString::new, |json| json.get().into());
    let payload = Payload { json, bytes: event.payload.bytes };
    Some(StoredMessage { at, age, name: message.name, payload })
}

/// The packet that a log has stored.
pub(super) fn packet_of(message: &Bytes) -> Option<Packet> {
    let is_binary = message.first().is_some_and(u8::is_ascii_uppercase);
    let packet = if is_binary {
        Packet::parse_binary(message)
    } else {
        Packet::parse(&ByteString::try_from(message.clone()).ok()?)
    };
    packet.ok()
}
