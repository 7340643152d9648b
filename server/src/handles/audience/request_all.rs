//! A request to everyone in an audience, and the answers.

use std::collections::HashMap;
use std::fmt;
use std::future::{IntoFuture, Ready, ready};
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bowline_protocol::{AnswerError, Encoded, Payload, SessionId};
use bytes::Bytes;
use futures::Stream;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;

use super::Audience;
use crate::delivery::Forget;
use crate::error::{EmitError, RequestError};
use crate::handles::request::DEFAULT_TIMEOUT;
use crate::message;
use crate::session;

/// The answers to a request to many sessions, in the order in which they arrive: the session, and
/// its reply or error. Each session that was asked appears exactly once.
///
/// Dropping it withdraws the requests that were not sent to their clients yet; the server drops the
/// answers to the others.
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
/// Dropping it withdraws the requests that were not sent to their clients yet; of the others the
/// answers are dropped.
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
