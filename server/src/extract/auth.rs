//! The authentication that the client presents when it opens a session.

use std::future::{Ready, ready};

use actix_web::HttpRequest;
use serde::de::DeserializeOwned;

use super::{FromConnect, FromRefresh};
use crate::node::{ConnectContext, RefreshContext};
use crate::refusal::Refusal;

/// The authentication payload of the client's open, or of its answer to a request for a new one.
/// `Auth<Option<T>>` allows it to be absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Auth<T>(pub T);

impl<T: DeserializeOwned> Auth<T> {
    fn read(json: &str) -> Result<Self, Refusal> {
        let json = if json.is_empty() { "null" } else { json };
        serde_json::from_str(json).map(Self).map_err(|error| {
            Refusal::new(&format!("the authentication payload is not valid: {error}"))
        })
    }
}

impl<T: DeserializeOwned> FromConnect for Auth<T> {
    type Taking = Ready<()>;

    fn take(_: &HttpRequest) -> Self::Taking {
        ready(())
    }

    fn from_connect((): (), context: &ConnectContext) -> Result<Self, Refusal> {
        Self::read(&context.auth)
    }
}

impl<T: DeserializeOwned> FromRefresh for Auth<T> {
    fn from_refresh(context: &RefreshContext<'_>) -> Result<Self, Refusal> {
        Self::read(context.auth)
    }
}
