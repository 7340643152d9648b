//! The configuration of a session.

use std::sync::Arc;
use std::time::Duration;

/// The times and limits of a session. All sessions of a server share one value.
#[derive(Debug, Clone, Copy)]
pub struct SessionConfig {
    server: bool,
    /// How long a carrier may be silent, in either direction, before the server sends a heartbeat.
    /// Defaults to 25 s: common proxies close silent connections after 60 s.
    pub heartbeat: Duration,
    /// How long the server then waits for a sign of life. Defaults to 15 s.
    pub grace: Duration,
    /// How long a server keeps a session without a carrier. Defaults to 2 minutes: enough for a
    /// ride in a lift or through a tunnel, short enough to bound the memory. Clients do not use
    /// it.
    pub window: Duration,
    /// The most bytes in the outbox, counting 64 for each packet beside its own. Defaults to 4 MiB
    /// on a server, which closes a session that reaches the limit, and to 8 MiB on a client, which
    /// refuses new packets: enough for several packets of the largest size.
    pub outbox_limit: usize,
}

impl SessionConfig {
    /// The defaults of a server.
    #[must_use]
    pub fn server() -> Arc<Self> {
        Arc::new(SERVER)
    }

    /// The defaults of a client. The server's welcome states the times.
    #[must_use]
    pub fn client() -> Arc<Self> {
        Self::client_with(Self::CLIENT_OUTBOX_LIMIT)
    }

    /// The defaults of a client with this outbox limit, in bytes.
    #[must_use]
    pub fn client_with(outbox_limit: usize) -> Arc<Self> {
        Arc::new(Self { server: false, outbox_limit, ..SERVER })
    }

    /// The default limit of a client's outbox: 8 MiB.
    pub const CLIENT_OUTBOX_LIMIT: usize = 8 * 1024 * 1024;

    pub(super) fn with_times(&self, heartbeat: Duration, grace: Duration) -> Arc<Self> {
        Arc::new(Self { heartbeat, grace, ..*self })
    }

    /// True for the end that sends heartbeats, expires sessions and closes slow consumers.
    #[must_use]
    pub const fn is_server(&self) -> bool {
        self.server
    }
}

const SERVER: SessionConfig = SessionConfig {
    server: true,
    heartbeat: Duration::from_secs(25),
    grace: Duration::from_secs(15),
    window: Duration::from_secs(120),
    outbox_limit: 4 * 1024 * 1024,
};
