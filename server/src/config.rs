//! What the builder decides, read by everyone below it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bowline_protocol::{Limits, SessionConfig};

use crate::broker::Broker;
use crate::cluster::Gap;

/// The settings of one `Bowline`. Each has a setter of the same name on the builder, which documents it.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) path: String,
    pub(crate) session: Arc<SessionConfig>,
    pub(crate) limits: Limits,
    pub(crate) handshake_timeout: Duration,
    pub(crate) inbox_limit: usize,
    pub(crate) concurrency: usize,
    pub(crate) max_sessions: usize,
    pub(crate) max_sessions_per_address: usize,
    pub(crate) max_rooms_per_session: usize,
    pub(crate) origins: Origins,
    pub(crate) drain_spread: Duration,
    pub(crate) broker: Option<Arc<dyn Broker>>,
    pub(crate) on_gap: Option<GapHook>,
}

/// What the application does when messages of other nodes were lost.
pub(crate) struct GapHook(pub(crate) Box<dyn Fn(&Gap) + Send + Sync>);

impl fmt::Debug for GapHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GapHook")
    }
}

/// Which pages may connect.
#[derive(Debug)]
pub(crate) enum Origins {
    /// Pages of the host that the request names, and those listed.
    SameHostAnd(Vec<String>),
    Any,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            path: "/bowline".to_owned(),
            session: SessionConfig::server(),
            limits: Limits::default(),
            handshake_timeout: Duration::from_secs(10),
            inbox_limit: 4 * 1024 * 1024,
            concurrency: 1,
            max_sessions: 1_000_000,
            max_sessions_per_address: 10_000,
            max_rooms_per_session: 1_000,
            origins: Origins::SameHostAnd(Vec::new()),
            drain_spread: Duration::from_secs(10),
            broker: None,
            on_gap: None,
        }
    }
}
