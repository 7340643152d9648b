//! The events that the tests speak, compiled into the server and the clients alike.

use bowline_protocol::event;
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

event! {
    /// Answers what it is asked.
    pub Echo = "echo" to server (String) -> String;
    /// A numbered message up. As a request it is answered with its number and the worker's name.
    pub Up = "up" to server (u64) -> Handled;
    /// A numbered message down. As a request it is answered with twice its number.
    pub Down = "down" to client (u64) -> u64;
    /// Asks the server for events numbered 1 to n, one after another.
    pub CountDown = "count-down" to server (u64);
    /// Joins a room.
    pub Join = "join" to server (String);
    /// Leaves a room.
    pub Leave = "leave" to server (String);
    /// Says something to everyone else in a room. Answered with how many heard it.
    pub Say = "say" to server (Line) -> usize;
    /// What others said.
    pub Said = "said" to client (Line);
    /// Asks everyone in a room [`Down`] and answers with the sum of their answers.
    pub Poll = "poll-room" to server (String) -> u64;
    /// The handler asks the same client [`Down`] before it answers.
    pub AskBack = "ask-back" to server (u64) -> u64;
    /// Fails with the code that is sent.
    pub Fail = "fail" to server (String);
    /// Takes bytes and answers with them, reversed.
    pub Reverse = "reverse" to server (String) -> String;
    /// Ends the session with the application's code 4501.
    pub KickMe = "kick-me" to server (());
    /// Never answers. Stands in the journal as number 0.
    pub Hang = "hang" to server (());
    /// Trusts the client for so many milliseconds from now on.
    pub TrustFor = "trust-for" to server (u64);
    /// Limits the client to so many messages in an hour. Beyond them the server drops messages, or
    /// ends the session if the second value is true.
    pub SendAtMost = "send-at-most" to server ((u32, bool));
    /// Panics.
    pub Panic = "panic" to server (());
}
