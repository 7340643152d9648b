//! The errors between nodes.

use std::fmt;

/// Why the other nodes did not all respond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClusterError {
    /// The broker cannot be reached.
    Unavailable,
    /// Some nodes did not respond in time.
    Unanswered {
        /// How many.
        nodes: usize,
    },
}

impl fmt::Display for ClusterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable => f.write_str("the other nodes cannot be reached"),
            Self::Unanswered { nodes } => write!(f, "{nodes} other nodes did not answer in time"),
        }
    }
}

impl std::error::Error for ClusterError {}
