//! Answers to the server's requests.

use std::panic::AssertUnwindSafe;

use bowline_protocol::{Failure as WireFailure, Payload};
use bytestring::ByteString;
use futures::FutureExt;

use crate::platform::{BoxFuture, MaybeSend, MaybeSync};
use crate::shared::INTERNAL;

/// Why a handler does not do what the server asked: the failure that the server receives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure(pub(crate) WireFailure);

/// Answers the requests of one name.
pub(crate) trait Handler: MaybeSend + MaybeSync {
    fn call(&self, payload: Payload) -> BoxFuture<Result<Payload, Failure>>;
}

impl Failure {
    /// A failure with a short word that programs compare, such as `not-found`: 1 to 128 bytes without
    /// spaces and control characters. Any other code reaches the server as `internal`.
    #[must_use]
    pub fn new(code: impl Into<ByteString>) -> Self {
        Self(WireFailure { code: code.into(), payload: Payload::default() })
    }

    /// Adds anything more, for programs or people.
    #[must_use]
    pub fn with_payload(self, payload: Payload) -> Self {
        Self(WireFailure { payload, ..self.0 })
    }
}

impl<F, Fut> Handler for F
where
    F: Fn(Payload) -> Fut + MaybeSend + MaybeSync,
    Fut: Future<Output = Result<Payload, Failure>> + MaybeSend + 'static,
{
    fn call(&self, payload: Payload) -> BoxFuture<Result<Payload, Failure>> {
        Box::pin(self(payload))
    }
}

/// Runs a handler. A panic ends the request, not the client.
pub(crate) async fn run(handler: &dyn Handler, payload: Payload) -> Result<Payload, WireFailure> {
    let outcome = AssertUnwindSafe(async { handler.call(payload).await }).catch_unwind().await;
    outcome.unwrap_or_else(|_| Err(Failure::new(INTERNAL))).map_err(|failure| failure.0)
}
