//! The typed contract: one definition that server, native client and browser compile in common.

/// A message of the application: its name, what it carries, what answers it.
///
/// The type is a marker; its value stands in calls where a string could stand as well. Payloads and
/// replies are whatever the calling crate can serialize.
///
/// ```
/// use bowline_protocol::Event;
///
/// /// Asks the server to store a line of chat.
/// struct Say;
///
/// impl Event for Say {
///     const NAME: &'static str = "say";
///     type Payload = String;
///     type Reply = u64;
/// }
/// ```
pub trait Event {
    /// The name on the wire: 1 to 128 bytes without spaces and control characters.
    const NAME: &'static str;
    /// What the message carries; `()` for nothing.
    type Payload;
    /// What answers it when it is sent as a request; `()` for nothing but the acknowledgement.
    type Reply;
}

/// Names a message: a string, or the value of a type that implements [`Event`].
pub trait EventName {
    /// What a handler of it may return: the reply type of an [`Event`], [`Dynamic`] for a string.
    type Reply;
    /// The name on the wire.
    fn name(&self) -> &str;
}

/// A name that may be sent with a payload of type `P`.
pub trait Carries<P: ?Sized>: EventName {}

/// A name whose requests may be answered with a reply of type `R`.
pub trait Answers<R>: EventName {}

/// The reply type of a message that is named by a string: anything that says how it is written.
#[derive(Debug)]
pub enum Dynamic {}

impl EventName for &str {
    type Reply = Dynamic;

    fn name(&self) -> &str {
        self
    }
}

impl<P: ?Sized> Carries<P> for &str {}
impl<R> Answers<R> for &str {}

impl<E: Event> EventName for E {
    type Reply = E::Reply;

    fn name(&self) -> &str {
        E::NAME
    }
}

impl<E: Event> Carries<E::Payload> for E {}
impl<E: Event> Answers<E::Reply> for E {}
