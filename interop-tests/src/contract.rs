//! The events that the tests speak, compiled into the server and the clients alike.

use bowline_protocol::Event;
use serde::{Deserialize, Serialize};

/// A message for a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Where it goes.
    pub room: String,
    /// What it says.
    pub text: String,
}

/// Which worker thread handled a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handled {
    /// The number that was sent.
    pub number: u64,
    /// The thread, as text.
    pub worker: String,
}

/// Declares one event.
macro_rules! event {
    ($(#[$doc:meta])* $name:ident = $wire:literal, $payload:ty => $reply:ty) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub struct $name;

        impl Event for $name {
            const NAME: &'static str = $wire;
            type Payload = $payload;
            type Reply = $reply;
        }
    };
}

event!(
    /// Answers what it is asked.
    Echo = "echo", String => String
);
event!(
    /// A numbered message up. As a request it is answered with its number and the worker's name.
    Up = "up", u64 => Handled
);
event!(
    /// A numbered message down. As a request it is answered with twice its number.
    Down = "down", u64 => u64
);
event!(
    /// Asks the server for events numbered 1 to n, one after another.
    CountDown = "count-down", u64 => ()
);
event!(
    /// Joins a room.
    Join = "join", String => ()
);
event!(
    /// Leaves a room.
    Leave = "leave", String => ()
);
event!(
    /// Says something to everyone else in a room. Answered with how many heard it.
    Say = "say", Line => usize
);
event!(
    /// What others said.
    Said = "said", Line => ()
);
event!(
    /// Asks everyone in a room [`Down`] and answers with the sum of their answers.
    Poll = "poll-room", String => u64
);
event!(
    /// The handler asks the same client [`Down`] before it answers.
    AskBack = "ask-back", u64 => u64
);
event!(
    /// Fails with the code that is sent.
    Fail = "fail", String => ()
);
event!(
    /// Takes bytes and answers with them, reversed.
    Reverse = "reverse", String => String
);
event!(
    /// Ends the session with the application's code 4501.
    KickMe = "kick-me", () => ()
);
event!(
    /// Never answers. Stands in the journal as number 0.
    Hang = "hang", () => ()
);
event!(
    /// Trusts the client for so many milliseconds from now on.
    TrustFor = "trust-for", u64 => ()
);
event!(
    /// Panics.
    Panic = "panic", () => ()
);
