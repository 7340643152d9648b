//! The data that applications send and receive: messages, failures and their payloads.
//!
//! Spec: 04-packets.

use std::fmt;

use bytes::Bytes;
use bytestring::ByteString;

use crate::form::{Buffers, Form};

/// The payload of a message: JSON, bytes, both or neither.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Payload {
    /// Compact JSON. An empty text means absent, and receivers read it as `null`.
    pub json: ByteString,
    /// Raw bytes, if the packet has any.
    pub bytes: Option<Bytes>,
}

impl Payload {
    /// A payload of JSON alone. The text is sent unchanged.
    #[must_use]
    pub fn json(json: impl Into<ByteString>) -> Self {
        Self { json: json.into(), bytes: None }
    }

    /// The same payload with bytes beside the JSON.
    #[must_use]
    pub fn with_bytes(self, bytes: Bytes) -> Self {
        Self { bytes: Some(bytes), ..self }
    }

    /// The JSON text, `null` when it is absent.
    #[must_use]
    pub fn json_or_null(&self) -> &str {
        if self.json.is_empty() { "null" } else { &self.json }
    }

    /// The size of the payload in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.json.len() + self.bytes.as_ref().map_or(0, Bytes::len)
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.json_or_null())?;
        self.bytes.as_ref().map_or(Ok(()), |bytes| write!(f, " + {} bytes", bytes.len()))
    }
}

/// A named message of the application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message<F: Form = Buffers> {
    /// The name.
    pub name: F::Name,
    /// The payload.
    pub payload: F::Payload,
}

/// The answer to a request that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure<F: Form = Buffers> {
    /// A short word that programs compare, such as `not-found`.
    pub code: F::Name,
    /// Details, for programs or people.
    pub payload: F::Payload,
}
