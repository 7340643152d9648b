//! Bowline in browsers: for applications in Rust (Yew, Leptos, Dioxus and others), and behind the
//! JavaScript class of the npm package `bowline-client`.
//!
//! # For applications in Rust
//!
//! [`builder`] and [`BuildInBrowser`] yield the same [`client::Client`] that native programs use,
//! with the same typed contract. WebSocket, requests, timers and page events are the browser's own.
//!
//! ```no_run
//! use bowline_client_wasm::client::event;
//! use bowline_client_wasm::{BuildInBrowser, builder};
//! use futures::StreamExt;
//!
//! event! {
//!     /// Stores a line of chat. The reply is its number.
//!     Say = "say" to server (String) -> u64;
//! }
//!
//! # async fn chat() -> Result<(), Box<dyn std::error::Error>> {
//! // The mount point, relative to the page.
//! let client = builder("/bowline").auth("my token").build_in_browser()?;
//!
//! // Subscribe first, to miss no event.
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
//! The crate works in pages and in workers. On other targets it compiles, for code that a server
//! renders as well, and building a client is an error.
//!
//! # For JavaScript
//!
//! The class of the npm package (feature `npm`) calls the engine of [`client`], compiled for
//! `wasm32-unknown-unknown`. That class and its network are in the folder `js`. The engine decides
//! which packets to send, store and confirm, and when to try which transport. Names, payloads and
//! packets stay JavaScript values from end to end, and JavaScript parses the lines: WebAssembly
//! receives their types and numbers, and a megabyte of JSON is never copied into it.
//!
//! # Features
//!
//! - `browser` (default): for applications in Rust, with payloads as types.
//! - `npm`: the exports for the npm package.

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

/// Compiles the examples of the README.
#[cfg(all(doctest, feature = "browser"))]
#[doc = include_str!("../README.md")]
mod readme {}
