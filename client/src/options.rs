//! The settings that a client keeps after it is built.

use std::time::Duration;

use crate::auth::Auth;
use crate::endpoint::Endpoint;
use crate::engine::{EngineConfig, Verdict};
use crate::headers::HeaderSource;
use crate::platform::Headers;
use bowline_protocol::Transport;

/// Settings for the whole life of the client.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) endpoint: Endpoint,
    pub(crate) headers: HeaderSource,
    pub(crate) auth: Auth,
    pub(crate) engine: EngineConfig,
    pub(crate) verdict: Option<Verdict>,
    pub(crate) request_timeout: Duration,
    /// How long connecting may take before `connect` fails.
    pub(crate) connect_deadline: Option<Duration>,
    pub(crate) backlog_limit: usize,
}

impl Default for Options {
    fn default() -> Self {
        let transports = vec![Transport::WebSocket, Transport::Sse, Transport::Polling];
        Self {
            endpoint: Endpoint::default(),
            headers: HeaderSource::Fixed(Headers::default()),
            auth: Auth::Fixed("".into()),
            engine: EngineConfig::new(transports),
            verdict: None,
            request_timeout: Duration::from_secs(20),
            connect_deadline: None,
            backlog_limit: 16 * 1024 * 1024,
        }
    }
}
