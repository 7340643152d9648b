//! From the application's values to payloads and back.

mod json;
mod text;

use bowline_protocol::{Encoded, InvalidMessage, Payload};
use bytes::Bytes;
use bytestring::ByteString;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Writes a value as compact JSON. `null`, which is what `()` becomes, travels as an absent
/// payload.
pub(crate) fn to_payload<T: Serialize + ?Sized>(value: &T) -> Result<Payload, serde_json::Error> {
    write(value, |json| Payload::json(ByteString::from(json)))
}

/// Writes a value as the answer to a request, at once into the packet.
pub(crate) fn to_reply<T: Serialize + ?Sized>(
    request: u64,
    value: &T,
) -> Result<Result<Encoded, InvalidMessage>, serde_json::Error> {
    write(value, |json| Encoded::json_reply(request, json))
}

fn write<T: Serialize + ?Sized, R>(
    value: &T,
    take: impl FnOnce(&str) -> R,
) -> Result<R, serde_json::Error> {
    json::write(value, |json| {
        let json = std::str::from_utf8(json).expect("JSON is text");
        take(if json == "null" { "" } else { json })
    })
}

pub(crate) fn to_payload_with<T: Serialize + ?Sized>(
    value: &T,
    bytes: Option<Bytes>,
) -> Result<Payload, serde_json::Error> {
    Ok(Payload { bytes, ..to_payload(value)? })
}

pub(crate) fn from_payload<T: DeserializeOwned>(payload: &Payload) -> Result<T, serde_json::Error> {
    text::read(payload.json_or_null())
}
