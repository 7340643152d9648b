//! The typed contract: one definition that server, native client and browser compile in common.

/// A message of the application: its name, what it carries, what answers it.
///
/// The type is a marker; its value stands in calls where a string could stand as well. Payloads and
/// replies are whatever the calling crate can serialize. [`event!`](crate::event!) declares events; where
/// it does not suffice, implement this trait and [`ToServer`] or [`ToClient`], or both.
pub trait Event {
    /// The name on the wire: 1 to 128 bytes without spaces and control characters.
    const NAME: &'static str;
    /// What the message carries; `()` for nothing.
    type Payload;
    /// What answers it when it is sent as a request; `()` for nothing but the acknowledgement.
    type Reply;
}

/// An event that clients send to the server: they emit and request it, the server handles it. A string may
/// be one, too.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not go from a client to the server",
    label = "an event that clients send and the server handles is needed here",
    note = "declare it with `event!` and `to server`, or `both ways`; by hand, implement `ToServer` for it"
)]
pub trait ToServer {}

/// An event that the server sends to clients: it emits and requests it, clients listen and answer. A string
/// may be one, too.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not go from the server to clients",
    label = "an event that the server sends and clients receive is needed here",
    note = "declare it with `event!` and `to client`, or `both ways`; by hand, implement `ToClient` for it"
)]
pub trait ToClient {}

/// Declares events: for each a type, its name on the wire, which way it goes, its payload, and the reply to
/// it, `()` unless stated.
///
/// Whoever sends or handles an event the wrong way does not compile. A crate with such a contract needs only
/// this one and serde.
///
/// ```
/// use bowline_protocol::event;
///
/// event! {
///     /// Says something. Answered with how many others it goes to.
///     pub Say = "say" to server (String) -> usize;
///     /// What someone else has said.
///     pub Said = "said" to client (String);
///     /// Asks the other end whether it is there.
///     Knock = "knock" both ways (());
/// }
/// ```
#[macro_export]
macro_rules! event {
    (@reply) => { () };
    (@reply $reply:ty) => { $reply };
    (@goes $name:ident to server) => { impl $crate::ToServer for $name {} };
    (@goes $name:ident to client) => { impl $crate::ToClient for $name {} };
    (@goes $name:ident both ways) => {
        impl $crate::ToServer for $name {}
        impl $crate::ToClient for $name {}
    };
    ($(
        $(#[$attribute:meta])*
        $visibility:vis $name:ident = $wire:literal $which:ident $way:ident ($payload:ty) $(-> $reply:ty)?;
    )+) => {$(
        $(#[$attribute])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        $visibility struct $name;

        impl $crate::Event for $name {
            const NAME: &'static str = $wire;
            type Payload = $payload;
            type Reply = $crate::event!(@reply $($reply)?);
        }

        $crate::event!(@goes $name $which $way);
    )+};
}

/// Names a message: a string, or the value of a type that implements [`Event`].
pub trait EventName {
    /// What a handler of it may return: the reply type of an [`Event`], [`Dynamic`] for a string.
    type Reply;
    /// The name on the wire.
    fn name(&self) -> &str;
}

/// A name that may be sent with a payload of type `P`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not carry a `{P}`",
    label = "the payload of this event is of another type"
)]
pub trait Carries<P: ?Sized>: EventName {}

/// A name whose requests may be answered with a reply of type `R`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not answered with a `{R}`",
    label = "the reply to this event is of another type"
)]
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

impl ToServer for &str {}
impl ToClient for &str {}
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
