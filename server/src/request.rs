//! Questions to clients, as futures.

use std::collections::HashMap;
use std::fmt;
use std::future::{IntoFuture, Ready, poll_fn, ready};
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bowline_protocol::{AnswerError, Encoded, Payload, SessionId};
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt as _, Stream};
use serde::de::DeserializeOwned;
use tokio::sync::{mpsc, oneshot};

use crate::audience::Audience;
use crate::error::{EmitError, RequestError};
use crate::message;
use crate::session::{self, AtWork, LiveSession, Waiting};

/// A request that is sent when it is awaited. Dropping the future withdraws it if it was not sent to the client yet;
/// else the client still handles it, and its answer is dropped.
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

/// A request to everyone in an [`Audience`]. It is sent when it is awaited, which yields the answers, or an
/// [`EmitError`] when the payload or the name cannot be written.
#[must_use = "a request is sent when it is awaited"]
pub struct RequestAll<R> {
    audience: Audience,
    name: String,
    payload: Result<Payload, serde_json::Error>,
    timeout: Duration,
    reply: PhantomData<fn() -> R>,
}

impl<R: DeserializeOwned> RequestAll<R> {
    pub(crate) fn new(
        audience: Audience,
        name: &str,
        payload: Result<Payload, serde_json::Error>,
    ) -> Self {
        Self {
            audience,
            name: name.to_owned(),
            payload,
            timeout: DEFAULT_TIMEOUT,
            reply: PhantomData,
        }
    }

    /// How long to wait for the answers. Defaults to 20 s.
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Sends bytes beside the payload.
    pub fn bytes(mut self, bytes: Bytes) -> Self {
        self.payload = self.payload.map(|payload| payload.with_bytes(bytes));
        self
    }

    fn send(self) -> Result<Replies<R>, EmitError> {
        let packet = Encoded::request(&self.name, &self.payload?)?;
        let (sender, answers) = mpsc::unbounded_channel();
        let open = self.audience.ask(&packet, self.timeout, sender);
        Ok(Replies { answers, open, asker: None, reply: PhantomData })
    }
}

impl<R: DeserializeOwned> IntoFuture for RequestAll<R> {
    type Output = Result<Replies<R>, EmitError>;
    type IntoFuture = Ready<Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        ready(self.send())
    }
}

impl<R> fmt::Debug for RequestAll<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestAll").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The answers to a broadcast request, in the order they come: who answered, and what. Each session
/// that was asked appears exactly once.
///
/// Dropping it withdraws the requests that were not sent to their clients yet; of the others the answers are dropped.
#[derive(Debug)]
#[must_use = "streams do nothing unless polled"]
pub struct Replies<R> {
    answers: mpsc::UnboundedReceiver<(SessionId, Result<Payload, AnswerError>)>,
    /// Those of this node.
    open: HashMap<SessionId, Forget>,
    /// The session whose handler has polled last.
    asker: Option<SessionId>,
    reply: PhantomData<fn() -> R>,
}

impl<R: DeserializeOwned> Stream for Replies<R> {
    type Item = (SessionId, Result<R, RequestError>);

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let polled = this.answers.poll_recv(cx);
        if polled.is_pending() {
            this.is_polled();
        }
        polled.map(|answer| {
            let (session, outcome) = answer?;
            this.open.remove(&session).into_iter().for_each(Forget::disarm);
            let reply = outcome
                .map_err(RequestError::from)
                .and_then(|payload| message::from_payload(&payload).map_err(RequestError::Decode));
            Some((session, reply))
        })
    }
}

impl<R> Replies<R> {
    /// Whoever polls now waits for the answers, its own client's among them.
    fn is_polled(&mut self) {
        let asker = session::at_work().map(|handler| handler.session());
        let before =
            std::mem::replace(&mut self.asker, asker).filter(|before| Some(*before) != asker);
        for session in before.into_iter().chain(asker) {
            if let Some(open) = self.open.get_mut(&session) {
                open.is_polled();
            }
        }
    }
}

/// Forgets a request whose future was dropped, so that its answer is dropped too when it comes.
#[derive(Debug)]
pub(crate) struct Forget {
    session: Arc<LiveSession>,
    request: u64,
    /// Who waits for the answer, if it is a handler of the same session.
    handler: Option<AtWork>,
    is_over: bool,
}

impl Forget {
    pub(crate) const fn new(session: Arc<LiveSession>, request: u64) -> Self {
        Self { session, request, handler: None, is_over: false }
    }

    /// There is nothing to forget any more.
    pub(crate) fn disarm(mut self) {
        self.is_over = true;
    }

    /// Whoever polls now waits for the answer.
    fn is_polled(&mut self) {
        let handler = session::at_work().filter(|handler| handler.session() == self.session.id);
        if handler != self.handler {
            self.handler = handler;
            self.session.with(|state, _| state.waits(self.request, handler));
        }
    }
}

impl Drop for Forget {
    fn drop(&mut self) {
        if !self.is_over {
            self.session.with(|state, _| state.forget_request(self.request));
        }
    }
}

/// How long a request waits unless told otherwise.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(20);
