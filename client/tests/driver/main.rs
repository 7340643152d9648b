//! Conversations between a client and a server that the test plays, with a clock that the test holds.

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
