//! What the descriptions of messages are made of.

use std::time::Duration;

use bowline_protocol::{AnswerError, Close, CloseCode, Failure, NodeId, Payload, SessionId};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::Id;
use crate::delivery;
use crate::snapshot::{Each, Snapshot};

/// Who an emit goes to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Target {
    pub(crate) to: To,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) except_rooms: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) except_sessions: Vec<Id<SessionId>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum To {
    All,
    Rooms(Vec<String>),
    Session(Id<SessionId>),
}

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Outcome {
    Reply {
        json: String,
        bytes: bool,
    },
    Failed {
        code: String,
        json: String,
        bytes: bool,
    },
    TimedOut,
    /// Before it was sent.
    TimedOutUnsent,
    Lost,
    /// Before it was sent.
    LostUnsent,
}

/// A close.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ending {
    code: u16,
    retry: Option<u64>,
    reason: String,
}

/// A session on its way. Its packets follow, one after another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Luggage {
    #[serde(flatten)]
    pub(crate) snapshot: Snapshot,
    /// The place in the new owner's notes at which it was prepared.
    pub(crate) mark: u64,
    /// What the session has received so far: channels, and for each sender the last number.
    pub(crate) told: Told,
}

/// What was received on some channels: for each sender the last number.
pub(crate) type Told = Vec<(String, Vec<(Id<NodeId>, u64)>)>;

/// A message about who is present in a room.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum PresenceMessage {
    /// These have come to the sender and gone from it, since its change `after`.
    Change { room: String, after: u64, number: u64, entered: Each, left: Vec<Id<SessionId>> },
    /// A part of everyone who is present with the sender after this change.
    Whole { room: String, number: u64, part: usize, is_last: bool, present: Each },
    /// Who is present with you?
    Ask { room: String },
}

impl Target {
    /// One session, wherever it is.
    pub(crate) const fn session(session: SessionId) -> Self {
        Self { to: To::Session(Id(session)), except_rooms: Vec::new(), except_sessions: Vec::new() }
    }
}

impl From<&delivery::Target> for Target {
    fn from(target: &delivery::Target) -> Self {
        Self {
            to: match &target.to {
                delivery::To::All => To::All,
                delivery::To::Rooms(rooms) => To::Rooms(rooms.clone()),
                delivery::To::Session(session) => To::Session(Id(*session)),
            },
            except_rooms: target.except_rooms.clone(),
            except_sessions: target.except_sessions.iter().copied().map(Id).collect(),
        }
    }
}

impl From<Target> for delivery::Target {
    fn from(target: Target) -> Self {
        Self {
            to: match target.to {
                To::All => delivery::To::All,
                To::Rooms(rooms) => delivery::To::Rooms(rooms),
                To::Session(Id(session)) => delivery::To::Session(session),
            },
            except_rooms: target.except_rooms,
            except_sessions: target.except_sessions.into_iter().map(|Id(id)| id).collect(),
        }
    }
}

impl Outcome {
    /// The outcome, and the bytes beside it.
    pub(crate) fn new(outcome: Result<Payload, AnswerError>) -> (Self, Bytes) {
        let split = |payload: Payload| {
            let bytes = payload.bytes.is_some();
            (payload.json.to_string(), bytes, payload.bytes.unwrap_or_default())
        };
        match outcome {
            Ok(payload) => {
                let (json, has, bytes) = split(payload);
                (Self::Reply { json, bytes: has }, bytes)
            }
            Err(AnswerError::Failed(failure)) => {
                let (json, has, bytes) = split(failure.payload);
                (Self::Failed { code: failure.code.to_string(), json, bytes: has }, bytes)
            }
            Err(AnswerError::TimedOut { sent: true }) => (Self::TimedOut, Bytes::new()),
            Err(AnswerError::TimedOut { sent: false }) => (Self::TimedOutUnsent, Bytes::new()),
            Err(AnswerError::SessionLost { sent: true }) => (Self::Lost, Bytes::new()),
            Err(AnswerError::SessionLost { sent: false }) => (Self::LostUnsent, Bytes::new()),
        }
    }

    pub(crate) fn into_result(self, beside: Bytes) -> Result<Payload, AnswerError> {
        let join = |json: String, bytes: bool| Payload {
            json: json.into(),
            bytes: bytes.then_some(beside),
        };
        match self {
            Self::Reply { json, bytes } => Ok(join(json, bytes)),
            Self::Failed { code, json, bytes } => {
                let failure = Failure { code: code.into(), payload: join(json, bytes) };
                Err(AnswerError::Failed(failure))
            }
            Self::TimedOut => Err(AnswerError::TimedOut { sent: true }),
            Self::TimedOutUnsent => Err(AnswerError::TimedOut { sent: false }),
            Self::Lost => Err(AnswerError::SessionLost { sent: true }),
            Self::LostUnsent => Err(AnswerError::SessionLost { sent: false }),
        }
    }
}

impl From<&Close> for Ending {
    fn from(close: &Close) -> Self {
        let millis = |after: Duration| u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
        Self {
            code: close.code.get(),
            retry: close.retry_after.map(millis),
            reason: close.reason().to_owned(),
        }
    }
}

impl From<Ending> for Close {
    fn from(ending: Ending) -> Self {
        let code = CloseCode::from_wire(ending.code).unwrap_or(CloseCode::NORMAL);
        let close = Self::with_json(code, &ending.reason).unwrap_or_else(|_| Self::new(code));
        match ending.retry {
            Some(after) => close.after(Duration::from_millis(after)),
            None => close,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Luggage;

    /// As builds before snapshots were shared with a store have written it.
    const BEFORE: &str = r#"{"session":"AQEBAQEB.AgICAgICAgICAgIC","secret":"AwMDAwMDAwMDAwMDAwMDAw","key":"BAQEBAQEBAQEBAQEBAQEBA","address":"192.0.2.1","counter":5,"owner":7,"taken":[null,3],"received":9,"confirmed":4,"rooms":["room"],"is_away":true,"values":[["name","\"anna\""]],"packets":[6],"mark":11,"told":[["r:room",[["AQEBAQEB",8]]]],"follows":[["log",{"epoch":"e","offset":2}]],"presence":{"present":[["room","7"]]},"validity":[60000,1000]}"#;

    #[test]
    fn nodes_of_the_version_before_are_understood_and_understand() {
        let luggage: Luggage = serde_json::from_str(BEFORE).unwrap();
        assert_eq!(
            (luggage.mark, luggage.snapshot.counter, luggage.snapshot.window),
            (11, 5, None)
        );
        let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        let written = serde_json::to_string(&luggage).unwrap();
        assert_eq!(value(&written), value(BEFORE));
    }
}
