//! What has happened.

/// What a [`FaultProxy`](crate::FaultProxy) did since it was started.
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
    /// Connections at once that had a server, at most.
    pub busiest: usize,
    /// Connections that the server ended while the client had not.
    pub closed_by_server: usize,
    /// Upgrade requests that were passed on.
    pub upgrades: usize,
    /// Upgrades that the server agreed to.
    pub upgraded: usize,
    /// Upgrade requests that were answered in the server's place, or never.
    pub refused_upgrades: usize,
    /// Other requests that were answered in the server's place, or never.
    pub refused_requests: usize,
    /// Heads of requests and answers that were changed.
    pub rewritten: usize,
    /// Times that part of an answer was kept although the server had said nothing more.
    pub held: usize,
    /// Pieces that waited for others on a slow link, or took longer at random.
    pub late: usize,
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
