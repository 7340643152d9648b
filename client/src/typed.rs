//! Payloads as types: the same operations, with serde on both ends.

use std::fmt;
use std::future::IntoFuture;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bowline_protocol::{Answers, Carries, Kept, Payload, ToClient, ToServer};
use bytes::Bytes;
use futures::{FutureExt, Stream, StreamExt};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::events::RawEvents;
use crate::platform::{MaybeSend, MaybeSync};
use crate::request::{RawAnswer, RawRequest};
use crate::{
    BuildError, Client, ClientBuilder, DecodeError, EmitError, Failure, RequestError, Setup,
};

/// A payload that was received: the decoded JSON, and the bytes that came with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received<P> {
    /// The JSON part; absent JSON decodes like `null`.
    pub payload: P,
    /// The bytes, if any were sent.
    pub bytes: Option<Bytes>,
}

/// The events of one name, decoded. Ends when the client is closed; dropping it unsubscribes.
pub struct Events<P> {
    raw: RawEvents,
    payload: PhantomData<fn() -> P>,
}

/// A request whose reply is decoded as `R`. It is sent when it is awaited.
#[must_use = "a request is sent when it is awaited"]
pub struct Request<R> {
    raw: RawRequest,
    reply: PhantomData<fn() -> R>,
}

/// The answer to a [`Request`], exactly one. Dropping it withdraws the request if it was not sent yet; else the
/// server still handles it, and its answer is ignored.
#[must_use = "futures do nothing unless awaited"]
pub struct Answer<R> {
    raw: RawAnswer,
    reply: PhantomData<fn() -> R>,
}

impl ClientBuilder {
    /// Sends this with the open of every session, for the server's connect hook. Defaults to nothing.
    pub fn auth(mut self, auth: &(impl Serialize + ?Sized)) -> Self {
        match serde_json::to_string(auth) {
            Ok(json) => self.auth_raw(json),
            Err(error) => {
                self.fail(BuildError::Auth(error.to_string()));
                self
            }
        }
    }

    /// Asks for the authentication before each open of a session: for tokens that expire. A failure is
    /// retried with back-off.
    pub fn auth_with<F, Fut, T, E>(self, source: F) -> Self
    where
        F: Fn() -> Fut + MaybeSend + MaybeSync + 'static,
        Fut: Future<Output = Result<T, E>> + MaybeSend + 'static,
        T: Serialize,
        E: fmt::Display,
    {
        self.auth_raw_with(move || {
            let auth = source();
            async move {
                let auth = auth.await.map_err(|error| error.to_string())?;
                serde_json::to_string(&auth).map(Into::into).map_err(|error| error.to_string())
            }
        })
    }
}

/// Every message is named by a string, or by a type that implements
/// [`Event`](bowline_protocol::Event) and so fixes what is sent and what comes back.
impl Client {
    /// Sends an event. Never waits: before the client is connected, and while it is not, the event is
    /// kept, and it is kept until the server confirms it.
    ///
    /// # Errors
    /// See [`EmitError`]; nothing was sent then.
    pub fn emit<N, P>(&self, name: N, payload: &P) -> Result<(), EmitError>
    where
        N: Carries<P> + ToServer,
        P: Serialize + ?Sized,
    {
        self.emit_raw(name.name(), &encode(payload)?)
    }

    /// Sends an event with bytes beside the payload.
    ///
    /// # Errors
    /// As [`Self::emit`].
    pub fn emit_with<N, P>(
        &self,
        name: N,
        payload: &P,
        bytes: impl Into<Bytes>,
    ) -> Result<(), EmitError>
    where
        N: Carries<P> + ToServer,
        P: Serialize + ?Sized,
    {
        self.emit_raw(name.name(), &encode(payload)?.with_bytes(bytes.into()))
    }

    /// Sends an event that may be dropped: when the client is not connected, or when newer ones
    /// displace it. Returns whether it was taken.
    pub fn emit_volatile<N, P>(&self, name: N, payload: &P) -> bool
    where
        N: Carries<P> + ToServer,
        P: Serialize + ?Sized,
    {
        encode(payload).is_ok_and(|payload| self.emit_raw_volatile(name.name(), &payload))
    }

    /// Sends a request when the returned value is awaited.
    ///
    /// ```no_run
    /// # async fn ask(client: bowline_client::Client) -> Result<(), bowline_client::RequestError> {
    /// use std::time::Duration;
    ///
    /// let members: Vec<String> =
    ///     client.request("members", "lobby").timeout(Duration::from_secs(3)).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn request<N, P, R>(&self, name: N, payload: &P) -> Request<R>
    where
        N: Carries<P> + Answers<R> + ToServer,
        P: Serialize + ?Sized,
        R: DeserializeOwned,
    {
        let raw = RawRequest::new(self.shared(), name.name(), encode(payload));
        Request { raw, reply: PhantomData }
    }

    /// Subscribes to the events of a name. Subscribe before connecting to miss none. Every subscriber
    /// of a name sees every event.
    #[must_use]
    pub fn on<N, P>(&self, name: N) -> Events<P>
    where
        N: Carries<P> + ToClient,
        P: DeserializeOwned,
    {
        Events { raw: self.on_raw(name.name()), payload: PhantomData }
    }

    /// As [`Self::on`], for events of a room with a history: each comes with its place there, from which
    /// a later follower can go on. The contract has one type for what the server emits and what
    /// clients receive; which of the two methods fits depends on the room.
    ///
    /// Spec: 06-rooms-and-requests, "History".
    #[must_use]
    pub fn on_kept<N, P>(&self, name: N) -> Events<Kept<P>>
    where
        N: Carries<P> + ToClient,
        P: DeserializeOwned,
    {
        Events { raw: self.on_raw(name.name()), payload: PhantomData }
    }

    /// Answers the server's requests of a name; a second handler of the same name replaces the first.
    ///
    /// Requests without a handler fail with the code `no-handler`, those whose payload cannot be
    /// decoded with `invalid-payload`, those whose handler panics with `internal`. Handlers begin
    /// in the order of the requests and then run side by side; one that blocks its thread blocks the
    /// client.
    ///
    /// What a handler awaits from the server before it answers fails at once with the code `would-deadlock` if
    /// every handler of the server's side waits for this client: see `BowlineBuilder::concurrency`.
    pub fn handle<N, P, R, F, Fut>(&self, name: N, handler: F)
    where
        N: Carries<P> + Answers<R> + ToClient,
        P: DeserializeOwned + MaybeSend + 'static,
        R: Serialize,
        F: Fn(Received<P>) -> Fut + MaybeSend + MaybeSync + 'static,
        Fut: Future<Output = Result<R, Failure>> + MaybeSend + 'static,
    {
        let handler = Arc::new(handler);
        self.handle_raw(name.name(), move |payload| {
            let handler = Arc::clone(&handler);
            async move {
                let received = Received::decode(payload)
                    .map_err(|error| failure("invalid-payload", &error.to_string()))?;
                let reply = handler(received).await?;
                encode(&reply).map_err(|error| failure("internal", &error.to_string()))
            }
        });
    }
}

impl Setup {
    /// Sends an event before everything that is queued.
    ///
    /// # Errors
    /// As [`Client::emit`], and [`EmitError::SetupOver`].
    pub fn emit<N, P>(&self, name: N, payload: &P) -> Result<(), EmitError>
    where
        N: Carries<P> + ToServer,
        P: Serialize + ?Sized,
    {
        self.emit_raw(name.name(), &encode(payload)?)
    }

    /// Sends a request before everything that is queued, when the returned value is awaited.
    pub fn request<N, P, R>(&self, name: N, payload: &P) -> Request<R>
    where
        N: Carries<P> + Answers<R> + ToServer,
        P: Serialize + ?Sized,
        R: DeserializeOwned,
    {
        Request { raw: self.request_encoded(name.name(), encode(payload)), reply: PhantomData }
    }
}

impl<R> Request<R> {
    /// Waits this long for the answer, counted from the sending, whether connected or not. Defaults
    /// to the client's [`request_timeout`](ClientBuilder::request_timeout).
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.raw = self.raw.timeout(timeout);
        self
    }

    /// Sends bytes beside the payload.
    pub fn bytes(mut self, bytes: impl Into<Bytes>) -> Self {
        self.raw = self.raw.bytes(bytes);
        self
    }

    /// Sends the request and resolves with the reply and the bytes that came with it.
    ///
    /// # Errors
    /// As awaiting the request.
    pub async fn received(self) -> Result<Received<R>, RequestError>
    where
        R: DeserializeOwned,
    {
        Received::decode(self.raw.await?).map_err(RequestError::Decode)
    }
}

impl<R: DeserializeOwned> IntoFuture for Request<R> {
    type Output = Result<R, RequestError>;
    type IntoFuture = Answer<R>;

    fn into_future(self) -> Answer<R> {
        Answer { raw: self.raw.into_future(), reply: PhantomData }
    }
}

impl<R: DeserializeOwned> Future for Answer<R> {
    type Output = Result<R, RequestError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.raw.poll_unpin(cx).map(|outcome| {
            let received = Received::decode(outcome?).map_err(RequestError::Decode)?;
            Ok(received.payload)
        })
    }
}

impl<P: DeserializeOwned> Stream for Events<P> {
    type Item = Result<Received<P>, DecodeError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.raw.poll_next_unpin(cx).map(|payload| payload.map(Received::decode))
    }
}

impl<P: DeserializeOwned> Received<P> {
    fn decode(payload: Payload) -> Result<Self, DecodeError> {
        let decoded = serde_json::from_str(payload.json_or_null());
        let decoded = decoded.map_err(|error| DecodeError(error.to_string()))?;
        Ok(Self { payload: decoded, bytes: payload.bytes })
    }
}

impl Failure {
    /// Adds anything more, for programs or people. What cannot be written as JSON is left out.
    #[must_use]
    pub fn with(self, payload: &(impl Serialize + ?Sized)) -> Self {
        match encode(payload) {
            Ok(payload) => self.with_payload(payload),
            Err(_) => self,
        }
    }
}

impl<P> fmt::Debug for Events<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Events").field(&self.raw).finish()
    }
}

impl<R> fmt::Debug for Request<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Request").field(&self.raw).finish()
    }
}

impl<R> fmt::Debug for Answer<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Answer").field(&self.raw).finish()
    }
}

fn encode(payload: &(impl Serialize + ?Sized)) -> Result<Payload, EmitError> {
    let json =
        serde_json::to_string(payload).map_err(|error| EmitError::Encode(error.to_string()))?;
    // An absent payload reads as null and is shorter.
    Ok(if json == "null" { Payload::default() } else { Payload::json(json) })
}

fn failure(code: &'static str, words: &str) -> Failure {
    Failure::new(code).with(words)
}
