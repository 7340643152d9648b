//! Every wait on a peer has a deadline: connections that stall or do not read end, and what the
//! application is at work on does not.
//!
//! Only Linux cuts peers that do not read.
#![cfg(target_os = "linux")]

#[path = "guard/patience.rs"]
mod patience;
#[path = "guard/scene.rs"]
mod scene;
#[path = "guard/secure.rs"]
mod secure;
#[path = "guard/stalled.rs"]
mod stalled;
#[path = "guard/unread.rs"]
mod unread;
