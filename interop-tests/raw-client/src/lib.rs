//! A client that speaks bytes: HTTP/1.1 and WebSocket by hand, and wrong where a test wants it.
//!
//! It shares no code with the client or the server, so that both cannot be wrong together. Whatever
//! it waits for must come within [`PATIENCE`], else the call fails with
//! [`TimedOut`](std::io::ErrorKind::TimedOut): a test that would hang fails instead.

mod body;
mod client;
mod frame;
mod head;

pub use client::{PATIENCE, RawClient, Response};
pub use frame::{Frame, masked_frame, write_masked};
pub use head::Head;
