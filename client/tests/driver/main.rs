//! A client against a server that the test simulates, with a clock that the test holds.

mod delivery;
mod host;
mod http;
mod journal;
mod lifecycle;
mod refusals;
mod setup;
mod sleep;
mod slow;
mod trials;
