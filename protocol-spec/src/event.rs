//! The typed contract: one definition that server, native client and browser share.

/// A message of the application: its name, its payload and its reply.
///
/// The type is a marker. Its value can be used wherever an event name is expected. Payloads and
/// replies are any types that the calling crate can serialize. [`event!`](crate::event!) declares
/// events; where it does not suffice, implement this trait and [`ToServer`] or [`ToClient`], or
/// both.
pub trait Event {
    /// The name on the wire: 1 to 128 bytes without spaces and control characters.
    const NAME: &'static str;
    /// The payload; `()` for none.
    type Payload;
    /// The reply when the message is sent as a request; `()` for an acknowledgement without a
    /// value.
    type Reply;
}

/// An event that clients send to the server: clients emit and request it, the server handles it. A
/// string implements this trait, too.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not go from a client to the server",
    label = "an event that clients send and the server handles is needed here",
    note = "declare it with `event!` and `to server` or `both ways`, or implement `ToServer`"
)]
pub trait ToServer {}

/// An event that the server sends to clients: the server emits and requests it, clients subscribe
/// to it and answer. A string implements this trait, too.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not go from the server to clients",
    label = "an event that the server sends and clients receive is needed here",
    note = "declare it with `event!` and `to client` or `both ways`, or implement `ToClient`"
)]
pub trait ToClient {}

/// Declares events. Each declaration has a type, the name on the wire, the direction, the payload,
/// and the reply (`()` unless stated).
///
/// Code that sends or handles an event in the wrong direction does not compile. A crate with such a
/// contract depends on this crate and serde only.
///
/// ```
/// use bowline_protocol::event;
///
/// event! {
///     /// Posts a line to the room. The reply is the number of other members.
///     pub Say = "say" to server (String) -> usize;
///     /// A line that another member has posted.
///     pub Said = "said" to client (String);
///     /// Checks that the other end answers.
///     Knock = "knock" both ways (());
/// }
/// ```
#[macro_export]
macro_rules! event {
    (@reply) => { () };
    (@reply $reply:ty) => { $reply };
    (@direction $name:ident to server) => { impl $crate::ToServer for $name {} };
    (@direction $name:ident to client) => { impl $crate::ToClient for $name {} };
    (@direction $name:ident both ways) => {
        impl $crate::ToServer for $name {}
        impl $crate::ToClient for $name {}
    };
    ($(
        $(#[$attribute:meta])*
        $visibility:vis $name:ident = $wire:literal $which:ident $way:ident
            ($payload:ty) $(-> $reply:ty)?;
    )+) => {$(
        $(#[$attribute])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        $visibility struct $name;

        impl $crate::Event for $name {
            const NAME: &'static str = $wire;
            type Payload = $payload;
            type Reply = $crate::event!(@reply $($reply)?);
        }

        $crate::event!(@direction $name $which $way);
    )+};
}

/// An event name: a string, or the value of a type that implements [`Event`].
pub trait EventName {
    /// What a handler of the message may return: the reply type of an [`Event`], [`Dynamic`] for a
    /// string.
    type Reply;
    /// The name on the wire.
    fn name(&self) -> &str;
}

/// A name that may be sent with a payload of type `P`.
#[diagnostic::on_unimplemented(
    message = "the payload of `{Self}` is not a `{P}`",
    label = "the payload of this event is of another type"
)]
pub trait Carries<P: ?Sized>: EventName {}

/// A name whose requests may be answered with a reply of type `R`.
#[diagnostic::on_unimplemented(
    message = "the reply to `{Self}` is not a `{R}`",
    label = "the reply to this event is of another type"
)]
pub trait Answers<R>: EventName {}

/// The reply type of a message that is named by a string: any type that can be serialized.
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
