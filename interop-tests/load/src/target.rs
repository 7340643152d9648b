//! What is loaded.

use std::net::SocketAddr;
use std::time::Duration;

/// A server that is to be loaded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target<'a> {
    pub(crate) server: SocketAddr,
    /// Its process id.
    pub(crate) process: &'a str,
    pub(crate) dialect: &'a str,
    pub(crate) warm_up: Duration,
    pub(crate) time: Duration,
}
