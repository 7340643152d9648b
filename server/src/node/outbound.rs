//! The application's hook for events on their way to one client.

use std::cell::Cell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use bowline_protocol::{
    Encoded, Message, Packet, Payload, SessionId, TOPIC, TopicEvent, TopicMessage,
};
use bytestring::ByteString;
use serde_json::value::RawValue;

use super::application::RESERVED;
use crate::complaints::limited;
use crate::message;
use crate::session::LiveSession;

/// An event that is about to be queued for one client: see
/// [`BowlineBuilder::outbound`](crate::BowlineBuilder::outbound).
pub struct Outbound<'a> {
    session: &'a LiveSession,
    message: &'a Message,
    topic: Option<&'a str>,
}

/// What becomes of an event on its way to one client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The client receives the event as it is. Clients that receive it so share one buffer.
    Send,
    /// The client receives this payload instead, as JSON. The server encodes it for this client
    /// alone.
    Replace(Payload),
    /// The client does not receive the event.
    Drop,
}

pub(crate) type AnyOutbound = dyn Fn(&Outbound<'_>) -> Verdict + Send + Sync;

impl Outbound<'_> {
    /// The name of the event. Of a message of a topic, the name with which it was published.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.message.name
    }

    /// The topic to which the event was published, if it was.
    #[must_use]
    pub const fn topic(&self) -> Option<&str> {
        self.topic
    }

    /// The payload, as the client receives it: a message of a room with a history is a
    /// [`Kept`](crate::Kept), which has the position beside the application's payload. Of a message
    /// of a topic, the payload with which it was published.
    #[must_use]
    pub const fn payload(&self) -> &Payload {
        &self.message.payload
    }

    /// The session of the client.
    #[must_use]
    pub const fn session(&self) -> SessionId {
        self.session.id
    }

    /// The user of the session: see [`Socket::set_user`](crate::Socket::set_user).
    #[must_use]
    pub fn user(&self) -> Option<String> {
        self.session.user()
    }

    /// A value that the application keeps with the session: see
    /// [`Socket::insert`](crate::Socket::insert).
    #[must_use]
    pub fn get<T: Clone + Send + Sync + 'static>(&self) -> Option<T> {
        self.session.extension()
    }
}

/// What this client receives instead of a packet; `None` if nothing.
pub(super) fn filter(
    hook: &AnyOutbound,
    session: &LiveSession,
    packet: &Encoded,
) -> Option<Encoded> {
    let Some(event) = Event::read(packet) else { return Some(packet.clone()) };
    let topic = event.published.as_ref().map(|published| &*published.payload.topic);
    let outbound = Outbound { session, message: &event.message, topic };
    match ask(hook, &outbound) {
        Verdict::Send => Some(packet.clone()),
        Verdict::Drop => None,
        Verdict::Replace(payload) => {
            let changed = event.with(payload);
            if changed.is_none() {
                limited!(
                    "an outbound hook returned a payload that is not JSON on one line: the \
                        event is dropped"
                );
            }
            changed
        }
    }
}

/// Calls the hook. What it should not do drops the event: it may be there to hide something.
fn ask(hook: &AnyOutbound, outbound: &Outbound<'_>) -> Verdict {
    if IS_ASKING.replace(true) {
        limited!("an outbound hook has sent an event, which is dropped: it would call itself");
        return Verdict::Drop;
    }
    let verdict = catch_unwind(AssertUnwindSafe(|| hook(outbound)));
    IS_ASKING.set(false);
    verdict.unwrap_or_else(|_| {
        limited!("an outbound hook panicked: the event is dropped");
        Verdict::Drop
    })
}

thread_local! {
    static IS_ASKING: Cell<bool> = const { Cell::new(false) };
}

/// An event of the application, taken out of its packet.
struct Event {
    is_volatile: bool,
    message: Message,
    /// The message of a topic that contains it.
    published: Option<TopicEvent<()>>,
}

impl Event {
    /// `None` for everything that no hook decides about: the protocol's own events, and what is no
    /// event.
    fn read(packet: &Encoded) -> Option<Self> {
        let bytes = packet.as_bytes();
        let packet = if packet.binary_message().is_some() {
            Packet::parse_binary(bytes)
        } else {
            Packet::parse(&ByteString::try_from(bytes.clone()).ok()?)
        };
        let (is_volatile, message) = match packet.ok()? {
            Packet::Event(message) => (false, message),
            Packet::Volatile(message) => (true, message),
            _ => return None,
        };
        if &*message.name == TOPIC {
            return Self::published(is_volatile, message.payload);
        }
        let is_own = message.name.starts_with(RESERVED);
        (!is_own).then_some(Self { is_volatile, message, published: None })
    }

    fn published(is_volatile: bool, payload: Payload) -> Option<Self> {
        let event: TopicEvent<Box<RawValue>> = message::from_payload(&payload).ok()?;
        let TopicMessage { topic, name, payload: inner } = event.payload;
        let json = inner.map(|inner| Box::<str>::from(inner).into()).unwrap_or_default();
        let message =
            Message { name: name.as_str().into(), payload: Payload { json, bytes: payload.bytes } };
        let around = TopicMessage { topic, name, payload: None };
        let published = TopicEvent { at: event.at, copy: event.copy, payload: around };
        Some(Self { is_volatile, message, published: Some(published) })
    }

    /// The packet of the same event with another payload. `None` if that is no JSON.
    fn with(self, payload: Payload) -> Option<Encoded> {
        let json = RawValue::from_string(payload.json_or_null().to_owned()).ok()?;
        let (name, payload) = match self.published {
            None => (self.message.name, payload),
            Some(TopicEvent { at, copy, payload: TopicMessage { topic, name, .. } }) => {
                let inner = TopicMessage { topic, name, payload: Some(json) };
                let event = TopicEvent { at, copy, payload: inner };
                (TOPIC.into(), message::to_payload_with(&event, payload.bytes).ok()?)
            }
        };
        let encode = if self.is_volatile { Encoded::volatile } else { Encoded::event };
        encode(&name, &payload).ok()
    }
}

impl fmt::Debug for Outbound<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbound")
            .field("session", &self.session.id)
            .field("topic", &self.topic)
            .field("message", &self.message)
            .finish()
    }
}
