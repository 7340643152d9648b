//! Servers that are replaced or killed under their clients.
//!
//! - [`deploy`] replaces the server process again and again, and counts what its clients notice.
//! - [`fleet`] runs real server processes behind HAProxy and Redis, and drains and kills them.
//! - [`jitter`] broadcasts to clients whose connections are cut again and again, beside other
//!   libraries.

pub mod deploy;
pub mod fleet;
pub mod jitter;
