//! Answers to the server's requests.

use std::cell::Cell;
use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;

use bowline_protocol::{Failure as WireFailure, Payload};
use bytestring::ByteString;
use futures::FutureExt;

use crate::platform::{BoxFuture, MaybeSend, MaybeSync};
use crate::shared::{Call, INTERNAL, Shared};

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

/// Runs the handler of a request. A panic ends the request, not the client.
pub(crate) async fn run(shared: &Arc<Shared>, call: &Call) -> Result<Payload, WireFailure> {
    let client = Arc::as_ptr(shared).addr();
    let at_work = AtWork { client, epoch: call.epoch, request: call.request };
    let mut handling = pin!(async { call.handler.call(call.payload.clone()).await });
    let scoped = poll_fn(|cx| {
        let _scope = Scope::enter(at_work);
        handling.as_mut().poll(cx)
    });
    let outcome = AssertUnwindSafe(scoped).catch_unwind().await;
    outcome.unwrap_or_else(|_| Err(Failure::new(INTERNAL))).map_err(|failure| failure.0)
}

/// The number of the server's request whose handler is being polled on this thread, if it came in the session that the
/// client has now.
pub(crate) fn request_at_work(shared: &Arc<Shared>) -> Option<u64> {
    let handler = AT_WORK.get().filter(|handler| handler.client == Arc::as_ptr(shared).addr())?;
    (handler.epoch == shared.lock().engine.epoch()).then_some(handler.request)
}

/// A handler that is being polled.
#[derive(Debug, Clone, Copy)]
struct AtWork {
    /// Where the client is in memory.
    client: usize,
    /// Which of its sessions it is.
    epoch: u64,
    request: u64,
}

/// Until it is dropped, even by a panic, a handler is being polled on this thread. Holds the one around it.
struct Scope(Option<AtWork>);

impl Scope {
    fn enter(handler: AtWork) -> Self {
        Self(AT_WORK.replace(Some(handler)))
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        AT_WORK.set(self.0);
    }
}

thread_local! {
    static AT_WORK: Cell<Option<AtWork>> = const { Cell::new(None) };
}
