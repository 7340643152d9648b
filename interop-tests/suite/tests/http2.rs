//! What HTTP/2 makes different: one connection for many requests, the host in `:authority`, no
//! upgrades, no headers of one connection, and streams that end without it.

#[path = "http2/client.rs"]
mod client;
#[path = "http2/origin.rs"]
mod origin;
#[path = "http2/streams.rs"]
mod streams;
#[path = "http2/websocket.rs"]
mod websocket;
