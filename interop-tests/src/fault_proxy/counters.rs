//! What has happened.

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
    /// Upgrade requests that were answered in the server's place, or never.
    pub refused_upgrades: usize,
    /// Other requests that were answered in the server's place, or never.
    pub refused_requests: usize,
    /// POST requests that were sent twice and answered twice.
    pub replayed: usize,
    /// POST requests that were held until another had passed.
    pub reordered: usize,
    /// Bytes that came from either peer, whatever became of them.
    pub bytes_received: usize,
    /// Bytes that reached the server, copies of requests not included.
    pub bytes_up: usize,
    /// Bytes that reached the client.
    pub bytes_down: usize,
    /// Bytes that were swallowed in either direction.
    pub bytes_muted: usize,
}
