//! What a handler may answer instead of a reply.

use std::fmt;

use bowline_protocol::Payload;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::message;

/// The answer to a request that did not succeed: a short code that programs compare, and optionally
/// a value with details. The caller receives both.
///
/// `?` in a handler turns the errors of this crate into failures. The client receives what it can
/// act on, and nothing about the server:
///
/// | Error | Code that the client receives |
/// |---|---|
/// | [`JoinError`](crate::JoinError), [`UserError`](crate::UserError), [`EnterError`](crate::EnterError) | `invalid-room`, `invalid-user`, `too-many-rooms`, `room-full`, `info-too-large`, `session-closed` |
/// | [`RequestError`](crate::RequestError) | `request-failed`, `request-timed-out`, `request-lost` |
/// | [`HistoryError`](crate::HistoryError) | `no-history`, `unavailable`, or that of the error within |
/// | [`ListError`](crate::ListError), [`ClusterError`](crate::ClusterError) | `unavailable` |
/// | [`EmitError`](crate::EmitError), and values that cannot be encoded or decoded | `internal`; the server's log has the reason |
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure(bowline_protocol::Failure);

impl Failure {
    /// A failure with a code such as `not-found`: 1 to 128 bytes without spaces.
    #[must_use]
    pub fn new(code: &str) -> Self {
        Self(bowline_protocol::Failure { code: code.into(), payload: Payload::default() })
    }

    /// The same failure with details. A value that cannot be encoded as JSON is left out; the code
    /// remains.
    #[must_use]
    pub fn with(mut self, detail: &impl Serialize) -> Self {
        if let Ok(payload) = message::to_payload(detail) {
            self.0.payload = payload;
        }
        self
    }

    /// The code.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.0.code
    }

    /// Decodes the details.
    ///
    /// # Errors
    /// When it is not a `T`.
    pub fn detail<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.0.payload.json_or_null())
    }

    pub(crate) const fn from_wire(failure: bowline_protocol::Failure) -> Self {
        Self(failure)
    }

    pub(crate) const fn as_wire(&self) -> &bowline_protocol::Failure {
        &self.0
    }
}

/// No handler is registered for the name of the request.
pub(crate) const NO_HANDLER: &str = "no-handler";
/// The payload is not what the handler's type expects.
pub(crate) const INVALID_PAYLOAD: &str = "invalid-payload";
/// The application has opened no topic of this name.
pub(crate) const NO_TOPIC: &str = "no-topic";
/// The application does not grant the topic, or the session has no grant to publish to it.
pub(crate) const NOT_GRANTED: &str = "not-granted";
/// There is no namespace of this name, or the session is not in it.
pub(crate) const NO_NAMESPACE: &str = "no-namespace";
/// The text is no grant for this topic, user and session that the application has signed.
pub(crate) const INVALID_GRANT: &str = "invalid-grant";
/// The request could only be handled once it had been answered.
pub(crate) const WOULD_DEADLOCK: &str = "would-deadlock";
/// The client sends more messages than a limit allows.
pub(crate) const RATE_LIMITED: &str = "rate-limited";
/// The handler panicked, or its answer could not be encoded.
pub(crate) const INTERNAL: &str = "internal";

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code, self.0.payload.json_or_null())
    }
}

impl std::error::Error for Failure {}

impl From<&str> for Failure {
    fn from(code: &str) -> Self {
        Self::new(code)
    }
}
