//! A chat in the browser whose network a person can break: what Bowline is for, shown.
//!
//! Everything is behind one address. There, a [`FaultProxy`](bowline_fault_proxy::FaultProxy)
//! stands in front of the server that serves the page and the sessions alike, so that the page's
//! buttons can do to its connections what networks and deploys do.
//!
//! - `chat` keeps rooms and what was said in them, as a database would: it outlives the server.
//! - `handlers` is the application: who may come in, and what happens when they speak.
//! - `presence` tells everyone who is there.
//! - `server` is one version of the server, and `network` breaks the connections and deploys the
//!   next version.
//! - `pages` serves the files in `page/` and the package under test.

mod buttons;
mod chat;
mod demo;
mod handlers;
mod network;
mod pages;
mod presence;
mod server;

pub use demo::Demo;
