//! The browser client of Bowline.
//!
//! It is the engine of [`client`], compiled for `wasm32-unknown-unknown`, behind the JavaScript class
//! of the npm package `bowline-client` (feature `npm`). That class and the browser's own objects
//! (sockets, requests, timers) live in the folder `js`; what is said on the wire, when to try which
//! transport, what to keep and what to confirm is decided here.
//!
//! Names, payloads and packets stay JavaScript values from end to end: only the head of a line, at
//! most 512 units of UTF-16, enters WebAssembly. A megabyte of JSON is never copied here.

pub use bowline_client as client;

#[cfg(feature = "npm")]
mod npm;
