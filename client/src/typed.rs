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

use crate::error::TryRecvError;
use crate::events::RawEvents;
use crate::platform::{MaybeSend, MaybeSync};
use crate::request::{RawAnswer, RawRequest};
use crate::{
    BuildError, Client, ClientBuilder, DecodeError, EmitError, Failure, RequestError, Setup,
};

/// A received payload: the decoded JSON, and the bytes beside it.
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

/// The answer to a [`Request`], exactly one. Dropping it withdraws a request that was not sent yet;
/// otherwise the server still handles the request, and the client ignores the answer.
#[must_use = "futures do nothing unless awaited"]
pub struct Answer<R> {
    raw: RawAnswer,
    reply: PhantomData<fn() -> R>,
}

impl ClientBuilder {
    /// Sends this value with the `open` of every session, for the server's connect hook. Defaults
    /// to nothing.
    pub fn auth(mut self, auth: &(impl Serialize + ?Sized)) -> Self {
        match serde_json::to_string(auth) {
            Ok(json) => self.auth_raw(json),
            Err(error) => {
                self.fail(BuildError::Auth(error.to_string()));
                self
            }
        }
    }

    /// Calls `source` for the authentication before each `open` of a session: for tokens that
    /// expire. The client retries a failure with back-off.
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

/// The name of a message is a string, or a type that implements [`Event`](bowline_protocol::Event)
/// and so fixes the types of payload and reply.
impl Client {
    /// Sends an event. Never waits: the client stores the event until the server confirms it, also
    /// while it is not connected.
    ///
    /// # Errors
    /// See [`EmitError`]; the client does not send the event then.
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

    /// Sends a volatile event. The client drops it while it is not connected, or in favour of newer
    /// ones. Returns true if the client has queued the event.
    pub fn emit_volatile<N, P>(&self, name: N, payload: &P) -> bool
    where
        N: Carries<P> + ToServer,
        P: Serialize + ?Sized,
    {
        encode(payload).is_ok_and(|payload| self.emit_raw_volatile(name.name(), &payload))
    }

    /// Creates a request, which is sent when it is awaited.
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

    /// Subscribes to the events of a name. Subscribe before connecting to miss none. Every
    /// subscriber of a name receives every event.
    #[must_use]
    pub fn on<N, P>(&self, name: N) -> Events<P>
    where
        N: Carries<P> + ToClient,
        P: DeserializeOwned,
    {
        Events { raw: self.on_raw(name.name()), payload: PhantomData }
    }

    /// Subscribes as [`Self::on`] does, to events of a room with a history: each has its position
    /// in the history, from which a later follower can continue. The contract declares one payload
    /// type for an event; the room determines which of the two methods to use.
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

    /// Answers the server's requests of a name; a second handler of the same name replaces the
    /// first.
    ///
    /// Requests without a handler fail with the code `no-handler`, requests whose payload cannot be
    /// decoded with `invalid-payload`, requests whose handler panics with `internal`. Handlers
    /// start in the order of the requests and then run concurrently; a handler that blocks its
    /// thread blocks the client.
    ///
    /// A request to the server that a handler awaits before it answers fails at once with the code
    /// `would-deadlock` if every handler of the server's side waits for this client: see
    /// `BowlineBuilder::concurrency`.
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
    /// Sends an event before all queued messages.
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

    /// Creates a request, which is sent before all queued messages when it is awaited.
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
    /// Waits this long for the answer, from the moment when the request is awaited, connected or
    /// not. Defaults to the client's [`request_timeout`](ClientBuilder::request_timeout).
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.raw = self.raw.timeout(timeout);
        self
    }

    /// Sends bytes beside the payload.
    pub fn bytes(mut self, bytes: impl Into<Bytes>) -> Self {
        self.raw = self.raw.bytes(bytes);
        self
    }

    /// Sends the request and resolves with the reply and the bytes beside it.
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

impl<P: DeserializeOwned> Events<P> {
    /// The next event that has arrived, without waiting: for a game loop that looks once a frame.
    ///
    /// ```no_run
    /// # use bowline_client::Client;
    /// # fn draw(_: [f32; 2]) {}
    /// # fn frame(client: &Client) {
    /// let mut moves = client.on::<_, [f32; 2]>("move");
    /// // Once a frame: all that has arrived since the last one.
    /// while let Ok(Ok(moved)) = moves.try_recv() {
    ///     draw(moved.payload);
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    /// When no event waits, and when none will come any more. The inner error is of a payload that
    /// is no `P`; the events behind it are not affected.
    pub fn try_recv(&mut self) -> Result<Result<Received<P>, DecodeError>, TryRecvError> {
        self.raw.try_recv().map(Received::decode)
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
    /// Adds details, for programs or people. A value that cannot be serialized as JSON is left out.
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
    // Receivers read an absent payload as null, and it is shorter.
    Ok(if json == "null" { Payload::default() } else { Payload::json(json) })
}

fn failure(code: &'static str, words: &str) -> Failure {
    Failure::new(code).with(words)
}
