//! The browser client of Bowline.
//!
//! It is the engine, the carriers and the driver of [`client`] without features, compiled for
//! `wasm32-unknown-unknown`. The browser's [`Platform`](client::platform::Platform) and the
//! JavaScript class follow.

pub use bowline_client as client;
