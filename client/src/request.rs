//! Requests: messages that expect an answer, and receive exactly one.

use std::fmt;
use std::future::IntoFuture;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bowline_protocol::{Encoded, Nested, Payload};
use bytes::Bytes;
use futures::FutureExt;
use futures::channel::oneshot;

use crate::error::{EmitError, RequestError};
use crate::pending::{Outcome, Pending};
use crate::shared::Shared;

/// A request with a payload and a reply that are not decoded. It is sent when it is awaited.
#[must_use = "a request is sent when it is awaited"]
pub struct RawRequest {
    shared: Arc<Shared>,
    message: Result<(String, Payload), EmitError>,
    timeout: Duration,
    /// The set-up to which it belongs.
    run: Option<u64>,
    /// The number of the server's request whose handler awaits it.
    within: Option<u64>,
    /// The stream that it opens.
    stream: Option<u64>,
}

/// The answer to a [`RawRequest`], exactly one. Dropping it withdraws a request that was not sent
/// yet; otherwise the server still handles the request, and the client ignores the answer.
#[must_use = "futures do nothing unless awaited"]
pub struct RawAnswer(State);

enum State {
    /// Not sent yet, or refused.
    Unsent(Option<RawRequest>),
    Waiting(Waiting),
}

struct Waiting {
    shared: Arc<Shared>,
    outcome: oneshot::Receiver<Outcome>,
    /// The engine's id of the request.
    id: u64,
}

impl RawRequest {
    pub(crate) fn new(
        shared: &Arc<Shared>,
        name: &str,
        payload: Result<Payload, EmitError>,
    ) -> Self {
        Self {
            shared: Arc::clone(shared),
            message: payload.map(|payload| (name.to_owned(), payload)),
            timeout: shared.options.request_timeout,
            run: None,
            within: None,
            stream: None,
        }
    }

    pub(crate) fn of_set_up(self, run: u64) -> Self {
        Self { run: Some(run), ..self }
    }

    /// The handler of this request of the server awaits it, on another task.
    #[cfg(feature = "json")]
    pub(crate) fn within(self, within: Option<u64>) -> Self {
        Self { within, ..self }
    }

    /// It opens this stream.
    #[cfg(feature = "json")]
    pub(crate) fn of_stream(self, stream: u64) -> Self {
        Self { stream: Some(stream), ..self }
    }

    /// Waits this long for the answer, from the moment when the request is awaited, connected or
    /// not. Defaults to the client's [`request_timeout`](crate::ClientBuilder::request_timeout).
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sends bytes beside the payload.
    pub fn bytes(self, bytes: impl Into<Bytes>) -> Self {
        let with_bytes =
            |(name, payload): (String, Payload)| (name, payload.with_bytes(bytes.into()));
        Self { message: self.message.map(with_bytes), ..self }
    }

    fn send(self) -> Result<Waiting, EmitError> {
        let (name, payload) = self.message?;
        let within = self.within.or_else(|| self.shared.request_at_work());
        let nested = within.map(|within| Nested { within, name: &name }.wire_name());
        let packet = Encoded::request(nested.as_ref().unwrap_or(&name), &payload)?;
        let (pending, outcome) = Pending::new(self.stream);
        let now = self.shared.platform.now();
        let mut core = self.shared.lock();
        core.check_size(&packet)?;
        let deadline = now + self.timeout;
        if let Some(run) = self.run {
            core.check_run(run)?;
        }
        let id = core.engine.send(packet, Some(deadline), self.run.is_some(), now)?;
        core.requests.insert(id, pending);
        drop(core);
        self.shared.wake.notify();
        Ok(Waiting { shared: self.shared, outcome, id })
    }
}

impl IntoFuture for RawRequest {
    type Output = Outcome;
    type IntoFuture = RawAnswer;

    fn into_future(self) -> RawAnswer {
        RawAnswer(State::Unsent(Some(self)))
    }
}

impl Future for RawAnswer {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        // The caller that awaits the request sends it, not the caller that creates it.
        if let State::Unsent(request) = &mut self.0 {
            let request = request.take().ok_or(NOT_SENT)?;
            self.0 = State::Waiting(request.send().map_err(RequestError::Send)?);
        }
        let State::Waiting(waiting) = &mut self.0 else { return Poll::Ready(Err(NOT_SENT)) };
        let outcome = std::task::ready!(waiting.outcome.poll_unpin(cx));
        // Only the end of the driver drops an unanswered request.
        Poll::Ready(outcome.unwrap_or(Err(RequestError::SessionLost { sent: true })))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut core = self.shared.lock();
        if core.requests.remove(&self.id).is_some() {
            core.engine.forget_request(self.id);
        }
    }
}

impl fmt::Debug for RawRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawRequest")
            .field("message", &self.message)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for RawAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawAnswer").finish_non_exhaustive()
    }
}

/// The result of a future that is polled after its end.
const NOT_SENT: RequestError = RequestError::SessionLost { sent: false };
