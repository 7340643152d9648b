//! The transports.
//!
//! Spec: 02-carriers.

use std::fmt;

/// A kind of carrier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// A WebSocket: both directions on one connection.
    WebSocket,
    /// Server-Sent Events down, POST up.
    Sse,
    /// Long polling down, POST up: passes wherever anything does.
    Polling,
}

impl Transport {
    /// True if every body begins with a line that says which session it speaks for.
    #[must_use]
    pub const fn is_http(self) -> bool {
        !matches!(self, Self::WebSocket)
    }
}

impl fmt::Display for Transport {
    /// The word of the specification: `websocket`, `sse` or `polling`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WebSocket => "websocket",
            Self::Sse => "sse",
            Self::Polling => "polling",
        })
    }
}
