//! Session ids in payloads: their text.
//!
//! Spec: 03-opening, "Identifiers".

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::SessionId;

impl Serialize for SessionId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SessionId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|_| de::Error::custom("not a session id"))
    }
}
