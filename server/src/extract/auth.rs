//! What the client presents when it opens a session.

use serde::de::DeserializeOwned;

use super::{ConnectContext, FromConnect};
use crate::handler::Refusal;

/// The authentication payload of the client's open. `Auth<Option<T>>` allows it to be absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Auth<T>(pub T);

impl<T: DeserializeOwned> FromConnect for Auth<T> {
    fn from_connect(context: &ConnectContext<'_>) -> Result<Self, Refusal> {
        let json = if context.auth.is_empty() { "null" } else { context.auth };
        serde_json::from_str(json).map(Self).map_err(|error| {
            Refusal::new(&format!("the authentication payload is not valid: {error}"))
        })
    }
}
