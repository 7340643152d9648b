//! Packets as the vectors write them.

use bowline_protocol::{Encoded, Packet, Token};
use bytes::Bytes;
use serde_json::{Value, json};

use super::to_hex;

/// The packet in the form in which it is sent and shared, if its type has one.
pub(crate) fn encoded(packet: &Packet) -> Option<Encoded> {
    match packet {
        Packet::Event(message) => Encoded::event(&message.name, &message.payload),
        Packet::Request(message) => Encoded::request(&message.name, &message.payload),
        Packet::Volatile(message) => Encoded::volatile(&message.name, &message.payload),
        Packet::Reply(request, payload) => Encoded::reply(*request, payload),
        Packet::Failure(request, failure) => Encoded::failure(*request, failure),
        _ => return None,
    }
    .map(Some)
    .expect("what was read can be written")
}

/// The value of a packet as the vectors write it: absent parts are left out.
pub(crate) fn value(packet: &Packet) -> Value {
    let mut value = match packet {
        Packet::Event(message) | Packet::Request(message) | Packet::Volatile(message) => json!({
            "name": &*message.name,
            "json": text(&message.payload.json),
            "bytes": raw(message.payload.bytes.as_ref()),
        }),
        Packet::Reply(request, payload) => json!({
            "request": request,
            "json": text(&payload.json),
            "bytes": raw(payload.bytes.as_ref()),
        }),
        Packet::Failure(request, failure) => json!({
            "request": request,
            "code": &*failure.code,
            "json": text(&failure.payload.json),
            "bytes": raw(failure.payload.bytes.as_ref()),
        }),
        Packet::Confirm(number) | Packet::Position(number) => json!({ "number": number }),
        Packet::Heartbeat(token) | Packet::Alive(token) => json!({ "token": &**token }),
        Packet::Close(close) => json!({
            "code": close.code.get(),
            "retry": close.retry_after.map(|after| after.as_millis() as u64),
            "last": close.last,
            "reason": text(close.reason()),
        }),
        Packet::Open(_) | Packet::Attach(_) | Packet::Welcome(_) | Packet::Ticket(_) => {
            first_line_value(packet)
        }
    };
    let fields = value.as_object_mut().expect("an object was made above");
    fields.retain(|_, value| !value.is_null());
    fields.insert("type".into(), type_name(packet).into());
    value
}

fn first_line_value(packet: &Packet) -> Value {
    match packet {
        Packet::Open(open) => json!({
            "key": open.key.reveal(),
            "n": open.counter,
            "by": named(open.instance),
            "take": open.take.map(|take| take.from),
            "last": open.take.map(|take| take.last),
            "kept": open.take.map(|take| take.kept),
            "auth": text(&open.auth),
        }),
        Packet::Attach(attach) => json!({
            "sid": attach.session.to_string(),
            "secret": attach.secret.reveal(),
            "n": attach.counter,
            "recv": attach.received,
            "next": attach.next,
            "by": named(attach.instance),
            "take": attach.take.map(|take| take.from),
            "last": (attach.take.is_some() || attach.last >= attach.next).then_some(attach.last),
            "kept": attach.take.map(|take| take.kept),
            "greet": attach.greet,
        }),
        Packet::Welcome(welcome) => json!({
            "sid": welcome.session.to_string(),
            "secret": welcome.secret.as_ref().map(Token::reveal),
            "recv": welcome.received,
            "next": welcome.next,
            "heartbeat": welcome.heartbeat.as_millis() as u64,
            "grace": welcome.grace.as_millis() as u64,
            "window": welcome.window.as_millis() as u64,
            "packet": welcome.limits.packet,
            "batch": welcome.limits.batch,
        }),
        Packet::Ticket(ticket) => json!({
            "sid": ticket.session.to_string(),
            "token": ticket.token.reveal(),
        }),
        _ => unreachable!("only called for first lines"),
    }
}

fn named(instance: u64) -> Option<u64> {
    (instance > 0).then_some(instance)
}

fn text(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

fn raw(bytes: Option<&Bytes>) -> Option<String> {
    bytes.map(|bytes| to_hex(bytes))
}

/// A new packet type does not compile without a name here, and then needs vectors.
pub(crate) const fn type_name(packet: &Packet) -> &'static str {
    match packet {
        Packet::Event(_) => TYPES[0],
        Packet::Request(_) => TYPES[1],
        Packet::Reply(..) => TYPES[2],
        Packet::Failure(..) => TYPES[3],
        Packet::Volatile(_) => TYPES[4],
        Packet::Confirm(_) => TYPES[5],
        Packet::Position(_) => TYPES[6],
        Packet::Heartbeat(_) => TYPES[7],
        Packet::Alive(_) => TYPES[8],
        Packet::Close(_) => TYPES[9],
        Packet::Open(_) => TYPES[10],
        Packet::Attach(_) => TYPES[11],
        Packet::Welcome(_) => TYPES[12],
        Packet::Ticket(_) => TYPES[13],
    }
}

/// The packet as a line.
pub(crate) fn line(packet: &Packet) -> String {
    let mut line = String::new();
    packet.write_line(&mut line).expect("a packet that was read can be written");
    line
}

/// The names of all packet types in the vectors.
pub(crate) const TYPES: &[&str] = &[
    "event",
    "request",
    "reply",
    "failure",
    "volatile",
    "confirm",
    "position",
    "heartbeat",
    "alive",
    "close",
    "open",
    "attach",
    "welcome",
    "ticket",
];
