//! The configuration, which the builder makes and everything below it reads.

use std::any::{Any, TypeId};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bowline_protocol::{Limits, SessionConfig, Window};
use serde::Serialize;
use serde::de::DeserializeOwned;
use subtle::ConstantTimeEq as _;

use crate::address::Proxies;
use crate::broker::{Broker, DurableLogs, Keep};
use crate::gap::Gap;
use crate::memory;
use crate::rates::RateLimits;
use crate::store::Store;

/// The settings of one `Bowline`. Each has a setter of the same name on the builder, which
/// documents it.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) path: String,
    pub(crate) session: Arc<SessionConfig>,
    pub(crate) limits: Limits,
    pub(crate) handshake_timeout: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) write_timeout: Duration,
    pub(crate) idle_timeout: Duration,
    pub(crate) inbox_limit: usize,
    /// The same before the connect hook has decided.
    pub(crate) connect_inbox_limit: usize,
    /// For all sessions together; a share of what there is if it is not set.
    pub(crate) memory_limit: Option<usize>,
    pub(crate) handler_deadline: Duration,
    pub(crate) concurrency: usize,
    pub(crate) max_sessions: usize,
    pub(crate) max_sessions_per_address: usize,
    pub(crate) max_opens_per_address: u32,
    pub(crate) max_carrierless_per_address: usize,
    /// How fast clients may send messages.
    pub(crate) rate_limits: Option<RateLimits>,
    pub(crate) proxies: Proxies,
    pub(crate) max_rooms_per_session: usize,
    pub(crate) max_namespaces: usize,
    pub(crate) max_streams_per_session: usize,
    /// How much of the items of one stream the server receives ahead.
    pub(crate) stream_window: Window,
    pub(crate) presence_limit: usize,
    pub(crate) presence_info_limit: usize,
    pub(crate) away_after: Duration,
    /// A hook for events on their way to a client is set.
    pub(crate) filters_outbound: bool,
    /// A hook for away clients is set.
    pub(crate) watches_away: bool,
    pub(crate) origins: Origins,
    /// The names of this server, in lower case. Empty if any will do.
    pub(crate) hosts: Vec<String>,
    pub(crate) drain_spread: Duration,
    pub(crate) store: Option<Store>,
    /// Clients a second that come back to sessions in a store.
    pub(crate) resume_rate: u32,
    pub(crate) broker: Option<Arc<dyn Broker>>,
    pub(crate) on_gap: Option<GapHook>,
    pub(crate) session_values: Vec<SessionValue>,
    pub(crate) publish_token: Option<BearerToken>,
    /// How the names of rooms with a history begin, and how much of it is kept.
    pub(crate) histories: Vec<(String, Keep)>,
    /// Bytes of one history.
    pub(crate) history_limit: usize,
    /// Bytes of all; a share of `memory_limit` if it is not set.
    pub(crate) history_memory_limit: Option<usize>,
    pub(crate) max_histories: usize,
    pub(crate) once_ids: usize,
    pub(crate) once_age: Duration,
    /// Where histories are that outlive the process.
    pub(crate) history_store: Option<Arc<dyn DurableLogs>>,
}

/// The token with which a program may publish over HTTP.
pub(crate) struct BearerToken(pub(crate) String);

impl BearerToken {
    /// Compares in constant time.
    pub(crate) fn is(&self, given: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(given).into()
    }
}

impl fmt::Debug for BearerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BearerToken(masked)")
    }
}

/// A value that the application keeps with a session.
pub(crate) type Extension = Arc<dyn Any + Send + Sync>;

/// A type of value that travels with a session to another node.
pub(crate) struct SessionValue {
    pub(crate) kind: TypeId,
    pub(crate) name: String,
    pub(crate) write: fn(&Extension) -> Option<String>,
    pub(crate) read: fn(&str) -> Option<Extension>,
}

impl SessionValue {
    pub(crate) fn new<T>(name: &str) -> Self
    where
        T: Serialize + DeserializeOwned + Send + Sync + 'static,
    {
        Self {
            kind: TypeId::of::<T>(),
            name: name.to_owned(),
            write: |value| serde_json::to_string(value.downcast_ref::<T>()?).ok(),
            read: |json| {
                let value: T = serde_json::from_str(json).ok()?;
                Some(Arc::new(value))
            },
        }
    }
}

impl fmt::Debug for SessionValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionValue({:?})", self.name)
    }
}

/// The application's hook for lost messages of other nodes.
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

impl Config {
    /// Bytes that all sessions together may keep.
    pub(crate) fn memory_limit(&self) -> usize {
        self.memory_limit.unwrap_or_else(memory::share)
    }

    /// Over how long the clients of so many sessions come back to them.
    pub(crate) fn resume_spread(&self, sessions: usize) -> Duration {
        let millis = (sessions as u64).saturating_mul(1000) / u64::from(self.resume_rate.max(1));
        Duration::from_millis(millis)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            path: "/bowline".to_owned(),
            session: SessionConfig::server(),
            limits: Limits::default(),
            handshake_timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(20),
            idle_timeout: Duration::from_secs(20),
            inbox_limit: 4 * 1024 * 1024,
            connect_inbox_limit: 64 * 1024,
            memory_limit: None,
            handler_deadline: Duration::from_secs(30),
            concurrency: 1,
            max_sessions: 1_000_000,
            max_sessions_per_address: 10_000,
            max_opens_per_address: 500,
            max_carrierless_per_address: 1_000,
            rate_limits: None,
            proxies: Proxies::default(),
            max_rooms_per_session: 1_000,
            max_namespaces: 16,
            max_streams_per_session: 100,
            stream_window: Window { items: 64, bytes: 256 * 1024 },
            presence_limit: 10_000,
            presence_info_limit: 4 * 1024,
            away_after: Duration::from_secs(5),
            filters_outbound: false,
            watches_away: false,
            origins: Origins::SameHostAnd(Vec::new()),
            hosts: Vec::new(),
            drain_spread: Duration::from_secs(10),
            store: None,
            resume_rate: 5_000,
            broker: None,
            on_gap: None,
            session_values: Vec::new(),
            publish_token: None,
            histories: Vec::new(),
            history_limit: 2 * 1024 * 1024,
            history_memory_limit: None,
            max_histories: 100_000,
            once_ids: 100_000,
            once_age: Duration::from_secs(600),
            history_store: None,
        }
    }
}
