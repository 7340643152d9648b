//! Bowline in browsers: for applications in Rust (Yew, Leptos, Dioxus and others), and behind the
//! JavaScript class of the npm package `bowline-client`.
//!
//! # For applications in Rust
//!
//! [`builder`] and [`BuildInBrowser`] yield the same [`client::Client`] that native programs use, with
//! the same typed contract. WebSocket, requests, timers and the life of the page are the browser's own.
//!
//! ```no_run
//! use bowline_client_wasm::client::event;
//! use bowline_client_wasm::{BuildInBrowser, builder};
//! use futures::StreamExt;
//!
//! event! {
//!     /// Asks the server to store a line of chat; answers with its number.
//!     Say = "say" to server (String) -> u64;
//! }
//!
//! # async fn chat() -> Result<(), Box<dyn std::error::Error>> {
//! // The mount point, seen from the page.
//! let client = builder("/bowline").auth("my token").build_in_browser()?;
//!
//! // Subscribe first, so that nothing is missed.
//! let mut said = client.on::<_, String>("said");
//! client.connect().await?;
//! let number = client.request(Say, &"hello".to_owned()).await?;
//!
//! while let Some(line) = said.next().await {
//!     println!("{}", line?.payload);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! It works in pages and in workers. Elsewhere it compiles, for code that a server renders as well, and
//! building a client is an error.
//!
//! # For JavaScript
//!
//! The engine of [`client`], compiled for `wasm32-unknown-unknown`, is called by the class of the npm
//! package (feature `npm`). That class and its network live in the folder `js`; what is said on the wire,
//! when to try which transport, what to keep and what to confirm is decided here. Names, payloads and
//! packets stay JavaScript values from end to end: only the head of a line, at most 512 units of UTF-16,
//! enters WebAssembly. A megabyte of JSON is never copied here.
//!
//! # Features
//!
//! - `browser` (default): for applications in Rust, with payloads as types.
//! - `npm`: what the npm package exports to JavaScript.

#![cfg_attr(
    target_arch = "wasm32",
    allow(
        clippy::arc_with_non_send_sync,
        reason = "the client shares between threads elsewhere, and there is one thread here"
    )
)]

#[cfg(feature = "browser")]
mod browser;
#[cfg(feature = "npm")]
mod npm;
#[cfg(feature = "browser")]
#[cfg_attr(not(target_arch = "wasm32"), path = "elsewhere.rs")]
mod platform;

pub use bowline_client as client;

#[cfg(feature = "browser")]
pub use browser::{BuildInBrowser, builder};

/// Compiles the examples of the page that newcomers read.
#[cfg(all(doctest, feature = "browser"))]
#[doc = include_str!("../README.md")]
mod readme {}
