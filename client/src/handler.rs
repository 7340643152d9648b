//! The handlers of the server's requests.

use std::cell::Cell;
use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;

use bowline_protocol::{Failure as WireFailure, Payload};
use bytestring::ByteString;
use futures::FutureExt;

use crate::platform::{BoxFuture, MaybeSend, MaybeSync};

/// A handler's failure, which the server receives instead of a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure(pub(crate) WireFailure);

/// Answers the requests of one name.
pub(crate) trait Handler: MaybeSend + MaybeSync {
    fn call(&self, payload: Payload) -> BoxFuture<Result<Payload, Failure>>;
}

/// A request of the server with the handler that answers it.
pub(crate) struct Call {
    /// The session in which the client received the request.
    pub(crate) epoch: u64,
    pub(crate) request: u64,
    pub(crate) payload: Payload,
    pub(crate) handler: Arc<dyn Handler>,
}

impl Failure {
    /// Creates a failure with a short word that programs compare, such as `not-found`: 1 to 128
    /// bytes without spaces and control characters. The client replaces any other code with
    /// `internal`.
    #[must_use]
    pub fn new(code: impl Into<ByteString>) -> Self {
        Self(WireFailure { code: code.into(), payload: Payload::default() })
    }

    /// Adds details, for programs or people.
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

/// Runs the handler of a request that the client at this address has received. A panic ends the
/// request, not the client.
pub(crate) async fn run(client: usize, call: &Call) -> Result<Payload, WireFailure> {
    let at_work = AtWork { client, epoch: call.epoch, request: call.request };
    let mut handling = pin!(async { call.handler.call(call.payload.clone()).await });
    let scoped = poll_fn(|cx| {
        let _scope = Scope::enter(at_work);
        handling.as_mut().poll(cx)
    });
    let outcome = AssertUnwindSafe(scoped).catch_unwind().await;
    outcome.unwrap_or_else(|_| Err(Failure::new(INTERNAL))).map_err(|failure| failure.0)
}

/// The handler of the client at this address that is being polled on this thread.
pub(crate) fn at_work(client: usize) -> Option<AtWork> {
    AT_WORK.get().filter(|handler| handler.client == client)
}

/// A handler that is being polled.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AtWork {
    /// The address of the client in memory.
    client: usize,
    /// The session of the client, counted from 0.
    pub(crate) epoch: u64,
    pub(crate) request: u64,
}

/// Marks this thread as polling a handler until it is dropped, even by a panic. Contains the mark
/// of the enclosing handler.
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

/// The failure code of a request whose handler panicked or returned an invalid answer.
pub(crate) const INTERNAL: &str = "internal";
