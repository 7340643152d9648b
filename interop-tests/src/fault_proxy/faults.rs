//! What can go wrong, and what was counted.

use std::net::SocketAddr;
use std::time::Duration;

/// How a connection is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// With an RST: both peers get an error at once.
    Reset,
    /// With a FIN: both peers read the end of the stream, and an error if they write more.
    Finish,
}

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server.
    Up,
    /// From the server to the client.
    Down,
    /// Either way.
    Both,
}

impl Direction {
    pub(super) fn includes(self, other: Self) -> bool {
        self == Self::Both || self == other
    }
}

/// What a [`FaultProxy`](super::FaultProxy) did since it was started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Connections that were made and not refused.
    pub accepted: usize,
    /// Connections that are open now.
    pub open: usize,
    /// Connections that were ended on purpose.
    pub cut: usize,
    /// Connections that were refused, or whose server could not be reached.
    pub refused_connections: usize,
    /// Upgrade requests that were answered in the server's place.
    pub refused_upgrades: usize,
    /// POST requests that were sent twice and answered twice.
    pub replayed: usize,
    /// Bytes that came from either peer, whatever became of them.
    pub bytes_received: usize,
    /// Bytes that reached the server, copies of requests not included.
    pub bytes_up: usize,
    /// Bytes that reached the client.
    pub bytes_down: usize,
    /// Bytes that were swallowed in either direction.
    pub bytes_muted: usize,
}

/// How the proxy behaves at the moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Faults {
    pub(super) target: SocketAddr,
    pub(super) delay: Duration,
    pub(super) jitter: Duration,
    pub(super) refuse_upgrade: Option<u16>,
    pub(super) dead_upgrades: bool,
    pub(super) mute: Option<Direction>,
    pub(super) refuse_connections: bool,
    pub(super) cut_mid_body: Option<usize>,
    pub(super) replay_posts: bool,
}

impl Faults {
    pub(super) fn none(target: SocketAddr) -> Self {
        Self {
            target,
            delay: Duration::ZERO,
            jitter: Duration::ZERO,
            refuse_upgrade: None,
            dead_upgrades: false,
            mute: None,
            refuse_connections: false,
            cut_mid_body: None,
            replay_posts: false,
        }
    }
}
