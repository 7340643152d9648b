//! The three transports.
//!
//! Spec: 02-carriers.

use std::fmt;

/// A kind of carrier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// A WebSocket: both directions on one connection.
    WebSocket,
    /// Server-Sent Events from the server, POST from the client.
    Sse,
    /// Long polling from the server, POST from the client: works wherever HTTP does.
    Polling,
}

impl Transport {
    /// True if every body begins with a line that identifies its session.
    #[must_use]
    pub const fn is_http(self) -> bool {
        !matches!(self, Self::WebSocket)
    }
}

impl fmt::Display for Transport {
    /// Writes the name from the specification: `websocket`, `sse` or `polling`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WebSocket => "websocket",
            Self::Sse => "sse",
            Self::Polling => "polling",
        })
    }
}
