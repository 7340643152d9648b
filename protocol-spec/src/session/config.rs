//! What a session is told once.

use std::sync::Arc;
use std::time::Duration;

/// The times and limits of a session. Shared by all sessions of a server.
#[derive(Debug, Clone, Copy)]
pub struct SessionConfig {
    server: bool,
    /// How long the server lets a carrier be silent, in either direction, before it sends a
    /// heartbeat. Defaults to 25 s: below the 60 s after which common proxies cut.
    pub heartbeat: Duration,
    /// How long it then waits for a sign of life. Defaults to 15 s.
    pub grace: Duration,
    /// How long a session without a carrier waits for its client. Defaults to 2 minutes: a lift ride
    /// or a tunnel, not a memory leak. Not used by clients.
    pub window: Duration,
    /// Bytes in the outbox at most, counting 64 for each packet beside its own. Defaults to 4 MiB on
    /// a server, which closes the session when it is reached, and to 8 MiB on a client, which
    /// refuses to take more: several packets of the largest size.
    pub outbox_limit: usize,
}

impl SessionConfig {
    /// The defaults of a server.
    #[must_use]
    pub fn server() -> Arc<Self> {
        Arc::new(SERVER)
    }

    /// The defaults of a client, whose times are those that the server's welcome states.
    #[must_use]
    pub fn client() -> Arc<Self> {
        Self::client_with(Self::CLIENT_OUTBOX_LIMIT)
    }

    /// The defaults of a client with another limit of its outbox, in bytes.
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
