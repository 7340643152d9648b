//! What the tests of the whole system are made of. Nothing here is published, and nothing depends
//! on it.
//!
//! - [`fault_proxy`] is a bad network on demand: it stands between a client and a server and does to
//!   their connections what mobile networks, proxies and restarts do.
//! - [`raw`] is a client that speaks bytes, for what no client of ours would ever send.

pub mod fault_proxy;
pub mod raw;
