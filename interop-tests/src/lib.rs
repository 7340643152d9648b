//! What the tests of the whole system are made of. Nothing here is published, and nothing depends
//! on it.
//!
//! - [`fault_proxy`] is a bad network on demand: it stands between a client and a server and does to
//!   their connections what mobile networks, proxies and restarts do.
//! - [`test_server`] runs a real actix server on a port of its own.
//! - [`authority`] signs the certificates of servers that speak TLS.
//! - [`contract`] and [`app`] are the events that the tests speak, and the application that answers.
//! - [`stories`] tell what a user may rely on; one story runs over any transport.
//! - [`browser_host`] offers all this to the tests that run in browsers and Node (`browser/`).
//! - [`raw`] speaks bytes to the server, without any client of ours.
//! - [`nodes`] are several servers in one process that form a cluster; [`redis_server`] runs a real Redis,
//!   and [`shaky_broker`] is a broker whose connections a test can break.
//! - [`fleet`] runs real server processes behind HAProxy and Redis, and does them harm.
//! - [`jitter`] broadcasts to clients whose connections are cut again and again, beside other libraries.
//! - [`deploy`] replaces the server process under its clients again and again, and counts.
//! - [`load`] measures the server beside others.
//! - [`soak`] sends numbered messages both ways through a network that keeps breaking, and counts.
//! - [`networks`] sends clients through bad networks and real proxies, and prints who gets through.
//! - [`demo`] is a chat in the browser whose network a person can break.

pub mod app;
pub mod attack;
pub mod authority;
pub mod browser_host;
pub mod contract;
pub mod demo;
pub mod deploy;
mod dice;
pub mod fault_proxy;
pub mod fleet;
pub mod jitter;
pub mod load;
pub mod networks;
pub mod nodes;
mod process;
mod program;
pub mod raw;
pub mod redis_server;
pub mod shaky_broker;
pub mod soak;
pub mod stories;
pub mod test_server;

/// Compiles the examples of the pages that newcomers read: only this crate sees server and client.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../../README.md")]
    mod readme {}
    #[doc = include_str!("../../server/README.md")]
    mod server_crate {}
    #[doc = include_str!("../../client/README.md")]
    mod client_crate {}
    #[doc = include_str!("../../docs/authentication.md")]
    mod authentication {}
    #[doc = include_str!("../../docs/browser.md")]
    mod browser {}
    #[doc = include_str!("../../docs/concepts.md")]
    mod concepts {}
    #[doc = include_str!("../../docs/errors.md")]
    mod errors {}
    #[doc = include_str!("../../docs/from-signalr.md")]
    mod from_signalr {}
    #[doc = include_str!("../../docs/from-socketio.md")]
    mod from_socketio {}
    #[doc = include_str!("../../docs/history.md")]
    mod history {}
    #[doc = include_str!("../../docs/limits.md")]
    mod limits {}
    #[doc = include_str!("../../docs/native.md")]
    mod native {}
    #[doc = include_str!("../../docs/nodes.md")]
    mod nodes {}
    #[doc = include_str!("../../docs/quick-start.md")]
    mod quick_start {}
    #[doc = include_str!("../../docs/rooms.md")]
    mod rooms {}
    #[doc = include_str!("../../docs/server.md")]
    mod server {}
    #[doc = include_str!("../../docs/shutdown.md")]
    mod shutdown {}
    #[doc = include_str!("../../docs/testing.md")]
    mod testing {}
}
