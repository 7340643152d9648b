//! The outputs of a session, as the scripts write them.

use bowline_protocol::{
    AnswerError, CarrierGone, CloseCode, Encoded, MessageKind, Packet, SendError, SessionEvent,
    Transmit,
};
use serde_json::{Value, json};

use super::values::line;

/// Expands `fill` and `times`.
pub(crate) fn expand(output: &Value) -> Vec<Value> {
    let Some((key, fields)) = output.as_object().and_then(|fields| fields.iter().next()) else {
        panic!("an output is an object with one key: {output}")
    };
    let times = fields["times"].as_u64().unwrap_or(1);
    let fill = fields["fill"].as_u64().unwrap_or(0);
    (0..times).map(|add| json!({ key: expand_fields(fields, fill as usize, add) })).collect()
}

fn expand_fields(fields: &Value, fill: usize, add: u64) -> Value {
    let mut fields = fields.clone();
    if let Some(fields) = fields.as_object_mut() {
        fields.remove("times");
        fields.remove("fill");
        if let Some(Value::String(line)) = fields.get_mut("line") {
            line.push_str(&"1".repeat(fill));
        }
        if let Some(number) = fields.get_mut("number") {
            *number = json!(number.as_u64().expect("a number") + add);
        }
    }
    fields
}

/// An event for the application.
pub(crate) fn event_value(event: SessionEvent) -> Value {
    match event {
        SessionEvent::Message { kind, number, message } => {
            let packet = match kind {
                MessageKind::Event => Packet::Event(message),
                MessageKind::Request => Packet::Request(message),
                MessageKind::Volatile => Packet::Volatile(message),
            };
            numbered("deliver", packet.is_tracked().then_some(number), &line(&packet))
        }
        SessionEvent::Answered { request, outcome } => {
            let outcome = match outcome {
                Ok(payload) => line(&Packet::Reply(request, payload)),
                Err(AnswerError::Failed(failure)) => line(&Packet::Failure(request, failure)),
                Err(AnswerError::TimedOut { sent }) => unanswered("timed-out", sent),
                Err(AnswerError::SessionLost { sent }) => unanswered("session-lost", sent),
            };
            json!({ "answered": { "request": request, "outcome": outcome } })
        }
        SessionEvent::Alive(token) => json!({ "alive": &*token }),
        SessionEvent::Dismissed(close) => json!({ "dismissed": line(&Packet::Close(close)) }),
        SessionEvent::Ended(close) => json!({ "ended": line(&Packet::Close(close)) }),
    }
}

fn unanswered(why: &str, sent: bool) -> String {
    if sent { why.to_owned() } else { format!("{why} unsent") }
}

/// A packet that is sent.
pub(crate) fn transmit_value(transmit: Transmit) -> Value {
    let text = |packet: Encoded| String::from_utf8_lossy(packet.text_line()).into_owned();
    match transmit {
        Transmit::Tracked { number, packet } => numbered("send", Some(number), &text(packet)),
        Transmit::Volatile(packet) => numbered("send", None, &text(packet)),
        Transmit::Control(packet) => numbered("send", None, &line(&packet)),
    }
}

fn numbered(key: &str, number: Option<u64>, line: &str) -> Value {
    match number {
        Some(number) => json!({ key: { "number": number, "line": line } }),
        None => json!({ key: { "line": line } }),
    }
}

/// Why a carrier cannot send any more.
pub(crate) fn gone_value(gone: CarrierGone) -> Value {
    let why = match gone {
        CarrierGone::Taken { .. } => "taken",
        CarrierGone::Replaced => "replaced",
        CarrierGone::TimedOut => "timed-out",
        CarrierGone::Detached => "detached",
    };
    json!({ "gone": why })
}

/// The fault of the peer.
pub(crate) fn error_value(code: CloseCode) -> Value {
    json!({ "error": code.name() })
}

/// Why a packet was refused.
pub(crate) fn not_sent(error: SendError) -> Value {
    let why = match error {
        SendError::Full { .. } => "full",
        SendError::Closed => "closed",
    };
    json!({ "not_sent": why })
}
