//! Requests: messages that want an answer, and get exactly one.

use std::fmt;
use std::future::IntoFuture;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bowline_protocol::{Encoded, Payload};
use bytes::Bytes;
use futures::FutureExt;
use futures::channel::oneshot;

use crate::shared::Shared;
use crate::{EmitError, RequestError};

/// A request whose payload and reply are not decoded. It is sent when it is awaited.
#[must_use = "a request is sent when it is awaited"]
pub struct RawRequest {
    shared: Arc<Shared>,
    message: Result<(String, Payload), EmitError>,
    timeout: Duration,
}

/// The answer to a [`RawRequest`], exactly one. Dropping it forgets the request: the server still
/// handles what was sent, and its answer is ignored.
#[must_use = "futures do nothing unless awaited"]
pub struct RawAnswer(State);

enum State {
    Refused(Option<EmitError>),
    Waiting(Waiting),
}

struct Waiting {
    shared: Arc<Shared>,
    outcome: oneshot::Receiver<Outcome>,
    number: RequestNumber,
}

/// The number of a request, which changes when it moves to another session before it was sent.
#[derive(Debug, Clone)]
pub(crate) struct RequestNumber(Arc<AtomicU64>);

/// A request without an answer yet.
#[derive(Debug)]
pub(crate) struct Pending {
    number: RequestNumber,
    answer: oneshot::Sender<Outcome>,
}

pub(crate) type Outcome = Result<Payload, RequestError>;

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
        }
    }

    /// Waits this long for the answer, counted from the sending, whether connected or not. Defaults
    /// to the client's [`request_timeout`](crate::ClientBuilder::request_timeout).
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
        let packet = Encoded::request(&name, &payload)?;
        let (answer, outcome) = oneshot::channel();
        let now = self.shared.platform.now();
        let mut core = self.shared.lock();
        core.check_size(&packet)?;
        let number = core.engine.request(packet, now + self.timeout, now)?;
        let number = RequestNumber(Arc::new(AtomicU64::new(number)));
        core.requests.insert(number.get(), Pending { number: number.clone(), answer });
        drop(core);
        self.shared.wake.notify();
        Ok(Waiting { shared: self.shared, outcome, number })
    }
}

impl IntoFuture for RawRequest {
    type Output = Outcome;
    type IntoFuture = RawAnswer;

    fn into_future(self) -> RawAnswer {
        RawAnswer(self.send().map_or_else(|error| State::Refused(Some(error)), State::Waiting))
    }
}

impl Future for RawAnswer {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        match &mut self.0 {
            State::Refused(error) => {
                Poll::Ready(Err(error.take().map_or(RequestError::SessionLost, RequestError::Send)))
            }
            // Only the end of the driver drops an unanswered request.
            State::Waiting(waiting) => waiting
                .outcome
                .poll_unpin(cx)
                .map(|outcome| outcome.unwrap_or(Err(RequestError::SessionLost))),
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut core = self.shared.lock();
        let number = self.number.get();
        let mine = |pending: &Pending| Arc::ptr_eq(&pending.number.0, &self.number.0);
        if core.requests.get(&number).is_some_and(mine) {
            core.requests.remove(&number);
            core.engine.forget_request(number);
        }
    }
}

impl RequestNumber {
    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Pending {
    pub(crate) fn resolve(self, outcome: Outcome) {
        // An error means that nobody waits any more.
        _ = self.answer.send(outcome);
    }

    pub(crate) fn renumber(&self, number: u64) {
        self.number.0.store(number, Ordering::Relaxed);
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
