//! From the application's values to payloads and back.

mod json;
mod text;

use bowline_protocol::Payload;
use bytes::Bytes;
use bytestring::ByteString;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Writes a value as compact JSON. `null`, which is what `()` becomes, travels as an absent payload.
pub(crate) fn to_payload<T: Serialize + ?Sized>(value: &T) -> Result<Payload, serde_json::Error> {
    let json = json::write(value, |json| match json {
        b"null" => Ok(ByteString::new()),
        json => ByteString::try_from(Bytes::copy_from_slice(json)),
    })?;
    Ok(Payload::json(json.expect("JSON is text")))
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

/// A text as JSON, for reasons that people read.
pub(crate) fn json_text(text: &str) -> Box<str> {
    serde_json::to_string(text).unwrap_or_default().into()
}
