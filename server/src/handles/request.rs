//! Questions to clients, as futures.

use std::fmt;
use std::future::{IntoFuture, poll_fn};
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use bowline_protocol::{AnswerError, Encoded, Payload};
use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde::de::DeserializeOwned;
use tokio::sync::oneshot;

use crate::delivery::Forget;
use crate::error::{EmitError, RequestError};
use crate::message;
use crate::session::{LiveSession, Waiting};

/// A request to one client. The server sends it when it is awaited. Dropping the future withdraws a
/// request that was not sent to the client yet; otherwise the client handles it, and the server
/// drops its answer.
#[must_use = "a request is sent when it is awaited"]
pub struct Request<R> {
    session: Arc<LiveSession>,
    name: String,
    payload: Result<Payload, serde_json::Error>,
    timeout: Duration,
    reply: PhantomData<fn() -> R>,
}

impl<R: DeserializeOwned> Request<R> {
    pub(crate) fn new(
        session: Arc<LiveSession>,
        name: &str,
        payload: Result<Payload, serde_json::Error>,
    ) -> Self {
        Self {
            session,
            name: name.to_owned(),
            payload,
            timeout: DEFAULT_TIMEOUT,
            reply: PhantomData,
        }
    }

    /// How long to wait for the answer. Defaults to 20 s.
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Sends bytes beside the payload.
    pub fn bytes(mut self, bytes: Bytes) -> Self {
        self.payload = self.payload.map(|payload| payload.with_bytes(bytes));
        self
    }

    /// Sends the request; the future resolves with the reply and the bytes beside it.
    ///
    /// # Errors
    /// See [`RequestError`].
    pub fn with_bytes(
        self,
    ) -> impl Future<Output = Result<(R, Option<Bytes>), RequestError>> + Send + use<R> {
        let sent = self.send();
        async move {
            let (mut answer, mut guard) = sent.map_err(RequestError::Send)?;
            let outcome = poll_fn(|cx| {
                let polled = answer.poll_unpin(cx);
                if polled.is_pending() {
                    guard.is_polled();
                }
                polled
            });
            let outcome = outcome.await;
            guard.disarm();
            let payload = outcome.map_err(|_| RequestError::SessionLost { sent: true })??;
            let value = message::from_payload(&payload).map_err(RequestError::Decode)?;
            Ok((value, payload.bytes))
        }
    }

    fn send(self) -> Result<(oneshot::Receiver<Result<Payload, AnswerError>>, Forget), EmitError> {
        let packet = Encoded::request(&self.name, &self.payload?)?;
        let (sender, answer) = oneshot::channel();
        let request = self.session.request(packet, self.timeout, Waiting::One(sender))?;
        Ok((answer, Forget::new(self.session, request)))
    }
}

impl<R: DeserializeOwned + 'static> IntoFuture for Request<R> {
    type Output = Result<R, RequestError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        let answer = self.with_bytes();
        Box::pin(async move { answer.await.map(|(value, _)| value) })
    }
}

impl<R> fmt::Debug for Request<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("name", &self.name).finish_non_exhaustive()
    }
}

/// How long a request waits unless the application sets another time.
pub(super) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(20);
