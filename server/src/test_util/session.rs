//! A client of the application, as tests hold it.

#![expect(clippy::disallowed_methods, reason = "a test waits for its application")]

use std::collections::{HashMap, VecDeque};
use std::fmt;

use actix_web::http::header::{HeaderName, HeaderValue};
use bowline_protocol::{
    Answers, Carries, Close, Encoded, Message, Packet, Payload, SessionId, ToClient, ToServer,
};
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::TestApp;
use super::app::PATIENCE;
use super::carrier::{Carrier, Numbered};
use crate::failure::Failure;
use crate::handles::Socket;
use crate::message;

/// A client of a [`TestApp`]: its session, and what it has received.
pub struct TestSession {
    carrier: Carrier,
    events: VecDeque<TestEvent>,
    questions: VecDeque<(u64, Message)>,
    answers: HashMap<u64, Result<Payload, Failure>>,
    /// The number of the last packet that the client has sent.
    sent: u64,
    /// The number of the last stream that it has opened.
    pub(super) streams: u64,
    closed: Option<Close>,
    /// The token of the last heartbeat, and of the last one that was answered.
    beats: (u64, u64),
}

/// An event that a client has received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestEvent {
    /// Its name.
    pub name: String,
    /// Its JSON, empty for `null`.
    pub json: String,
    /// The bytes beside it.
    pub bytes: Option<Bytes>,
}

/// A request that a client has sent: see [`TestSession::ask`].
#[derive(Debug)]
#[must_use = "TestSession::answer awaits the answer"]
pub struct Asked(u64);

/// A request of the server to the client: see [`TestSession::expect_request`].
#[derive(Debug)]
#[must_use = "the server waits for a reply"]
pub struct Question<P> {
    /// What the server asks.
    pub payload: P,
    number: u64,
}

impl TestSession {
    pub(super) async fn open(
        app: TestApp,
        auth: String,
        headers: Vec<(HeaderName, HeaderValue)>,
    ) -> Result<Self, Close> {
        let (carrier, packets) = Carrier::open(app, auth, headers).await?;
        let mut session = Self {
            carrier,
            events: VecDeque::new(),
            questions: VecDeque::new(),
            answers: HashMap::new(),
            sent: 0,
            streams: 0,
            closed: None,
            beats: (0, 0),
        };
        session.take(packets).await;
        Ok(session)
    }

    /// The public id of the session.
    #[must_use]
    pub fn id(&self) -> SessionId {
        self.carrier.session
    }

    /// The session as handlers have it: to emit to it, or to look at its rooms. `None` when it has
    /// ended.
    #[must_use]
    pub fn socket(&self) -> Option<Socket> {
        self.carrier.app.bowline().socket(&self.id())
    }

    /// Sends an event. A handler that does not wait for anything has handled it when this resolves.
    ///
    /// # Panics
    /// When the payload cannot be encoded, or the network is cut.
    pub async fn emit<P: Serialize + ?Sized>(
        &mut self,
        name: impl Carries<P> + ToServer,
        payload: &P,
    ) {
        let packet = Encoded::event(name.name(), &encode(payload)).expect(NAMED);
        self.send(&packet).await;
    }

    /// Sends a request and awaits its answer.
    ///
    /// # Errors
    /// The failure with which the handler answers.
    ///
    /// # Panics
    /// When no answer comes within 5 s, or the reply is no `R`.
    pub async fn request<P: Serialize + ?Sized, R: DeserializeOwned>(
        &mut self,
        name: impl Carries<P> + Answers<R> + ToServer,
        payload: &P,
    ) -> Result<R, Failure> {
        let asked = self.ask(name, payload).await;
        self.answer(asked).await
    }

    /// Sends a request whose handler asks something back before it answers: see
    /// [`Self::expect_request`] and [`Self::answer`].
    ///
    /// # Panics
    /// As [`Self::emit`].
    pub async fn ask<P: Serialize + ?Sized>(
        &mut self,
        name: impl Carries<P> + ToServer,
        payload: &P,
    ) -> Asked {
        let packet = Encoded::request(name.name(), &encode(payload)).expect(NAMED);
        self.send(&packet).await;
        Asked(self.sent)
    }

    /// Awaits the answer to a request.
    ///
    /// # Errors
    /// The failure with which the handler answers.
    ///
    /// # Panics
    /// As [`Self::request`].
    pub async fn answer<R: DeserializeOwned>(&mut self, Asked(asked): Asked) -> Result<R, Failure> {
        let what = format!("the answer to request {asked}");
        let answer = self.wait_for(&what, |session| session.answers.remove(&asked)).await;
        Ok(decode(&answer?, &what))
    }

    /// The next event of this name. Others that came before it wait for their turn.
    ///
    /// # Panics
    /// When none comes within 5 s, or its payload is no `P`.
    pub async fn expect<P: DeserializeOwned>(&mut self, name: impl Carries<P> + ToClient) -> P {
        let name = name.name();
        let TestEvent { json, bytes, .. } =
            self.event(&format!("an event {name:?}"), |event| event.name == name).await;
        decode(&Payload { json: json.into(), bytes }, name)
    }

    /// The next event, whatever it is.
    ///
    /// # Panics
    /// When none comes within 5 s.
    pub async fn next_event(&mut self) -> TestEvent {
        self.wait_for("an event", |session| session.events.pop_front()).await
    }

    /// Checks that the client has received no event but those that were expected already. Lets all
    /// handlers work before: see [`TestApp::settle`].
    ///
    /// # Panics
    /// When there are others.
    pub async fn expect_nothing(&mut self) {
        self.carrier.app.settle().await;
        if self.closed.is_none() {
            self.beats.0 += 1;
            let beat = self.beats.0;
            let packets = self.carrier.send(0, &format!("h {beat}")).await;
            self.take(packets).await;
            // What was emitted before is in the same poll, or in an earlier one.
            self.wait_for("a sign of life", |session| {
                (session.beats.1 >= beat || session.closed.is_some()).then_some(())
            })
            .await;
        }
        assert!(self.events.is_empty(), "these events were not expected: {:?}", self.events);
    }

    /// The server's next request of this name. Answer it with [`Self::reply`].
    ///
    /// # Panics
    /// When none comes within 5 s, or its payload is no `P`.
    pub async fn expect_request<P: DeserializeOwned>(
        &mut self,
        name: impl Carries<P> + ToClient,
    ) -> Question<P> {
        let name = name.name();
        let what = format!("a request {name:?}");
        let (number, message) = self
            .wait_for(&what, |session| {
                let mut questions = session.questions.iter();
                let place = questions.position(|(_, message)| &*message.name == name)?;
                session.questions.remove(place)
            })
            .await;
        Question { payload: decode(&message.payload, &what), number }
    }

    /// Answers a request of the server.
    ///
    /// # Panics
    /// When the value cannot be encoded.
    pub async fn reply<P, R: Serialize + ?Sized>(&mut self, question: Question<P>, reply: &R) {
        let packet = Encoded::reply(question.number, &encode(reply)).expect(NAMED);
        self.send(&packet).await;
    }

    /// Cuts the connection, which the server notices at once: it keeps the session for a while, and
    /// what is emitted to it.
    pub async fn cut(&mut self) {
        let packets = self.carrier.cut().await;
        self.take(packets).await;
    }

    /// The network is back: the client attaches again.
    ///
    /// # Errors
    /// The close, when the server no longer has the session.
    pub async fn resume(&mut self) -> Result<(), Close> {
        let packets = self.carrier.resume().await;
        self.take(packets).await;
        self.closed.clone().map_or(Ok(()), Err)
    }

    /// Ends the session as a client does that is closed.
    pub async fn leave(mut self) {
        let packets = self.carrier.send(0, "x 1000").await;
        self.take(packets).await;
        self.carrier.app.settle().await;
    }

    /// Waits until the server has ended the session.
    ///
    /// # Panics
    /// When it has not within 5 s.
    pub async fn expect_close(&mut self) -> Close {
        self.wait_for("the end of the session", |session| session.closed.clone()).await
    }

    /// The next event that fits.
    pub(super) async fn event(
        &mut self,
        what: &str,
        fits: impl Fn(&TestEvent) -> bool,
    ) -> TestEvent {
        self.wait_for(what, |session| {
            let place = session.events.iter().position(&fits)?;
            session.events.remove(place)
        })
        .await
    }

    pub(super) async fn send(&mut self, packet: &Encoded) {
        let packets = self.carrier.send_packet(packet).await;
        self.sent += 1;
        self.take(packets).await;
    }

    /// Receives until this finds what it wants.
    async fn wait_for<T>(&mut self, what: &str, mut find: impl FnMut(&mut Self) -> Option<T>) -> T {
        loop {
            if let Some(found) = find(self) {
                return found;
            }
            if let Some(close) = &self.closed {
                panic!("{what} was expected, and the session has ended with {close:?}");
            }
            match tokio::time::timeout(PATIENCE, self.carrier.receive()).await {
                Ok(packets) => self.take(packets).await,
                Err(_) => panic!("{what} was expected, and only these came: {:?}", self.events),
            }
        }
    }

    async fn take(&mut self, packets: Vec<Numbered>) {
        for (number, packet) in packets {
            match packet {
                Packet::Event(message) | Packet::Volatile(message) => {
                    let Message { name, payload } = message;
                    let (name, json) = (name.to_string(), payload.json.to_string());
                    self.events.push_back(TestEvent { name, json, bytes: payload.bytes });
                }
                Packet::Request(message) => self.questions.push_back((number, message)),
                Packet::Reply(asked, payload) => _ = self.answers.insert(asked, Ok(payload)),
                Packet::Failure(asked, failure) => {
                    self.answers.insert(asked, Err(Failure::from_wire(failure)));
                }
                // A client that is cut off answers nothing.
                Packet::Heartbeat(_) if self.carrier.is_cut => {}
                Packet::Heartbeat(token) => {
                    let alive = format!("a {token}");
                    Box::pin(self.carrier.send(0, alive.trim_end())).await;
                }
                Packet::Alive(token) => {
                    self.beats.1 = token.parse().unwrap_or(self.beats.1);
                }
                Packet::Close(close) => self.closed = Some(close),
                _ => {}
            }
        }
    }
}

impl fmt::Debug for TestSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (id, events) = (self.id(), &self.events);
        f.debug_struct("TestSession")
            .field("id", &id)
            .field("events", events)
            .finish_non_exhaustive()
    }
}

pub(super) fn encode<P: Serialize + ?Sized>(payload: &P) -> Payload {
    message::to_payload(payload).expect("the payload can be written as JSON")
}

pub(super) fn decode<P: DeserializeOwned>(payload: &Payload, what: &str) -> P {
    message::from_payload(payload).unwrap_or_else(|error| {
        panic!("{what} is not of the expected type: {error} in {}", payload.json_or_null())
    })
}

const NAMED: &str = "the name and the payload are allowed on the wire";
