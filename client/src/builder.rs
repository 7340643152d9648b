//! What a client is told once.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bowline_protocol::Millis;

use crate::auth::Auth;
use crate::client::Client;
use crate::endpoint::Endpoint;
use crate::engine::{Backoff, OnSessionLost, Verdict};
use crate::error::BuildError;
use crate::headers::HeaderSource;
use crate::options::Options;
use crate::platform::{Headers, MaybeSend, MaybeSync, Platform, is_header};
use crate::setup::{OnSession, Setup};
use crate::shared::Shared;
use bowline_protocol::Transport;

/// Builds a [`Client`]. Every setting has a default.
#[must_use = "a builder does nothing until it builds"]
pub struct ClientBuilder {
    url: String,
    headers: Vec<(String, String)>,
    /// What went wrong on the way to [`Self::build`].
    failed: Option<BuildError>,
    on_session: Option<OnSession>,
    setup_timeout: Duration,
    options: Options,
}

impl Client {
    /// Begins to build a client of the server mounted at `url`, such as
    /// `https://example.org/bowline`. The schemes `ws` and `wss` mean `http` and `https`: which
    /// transport serves is another question.
    pub fn builder(url: &str) -> ClientBuilder {
        ClientBuilder::new(url)
    }
}

impl ClientBuilder {
    fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            headers: Vec::new(),
            failed: None,
            on_session: None,
            setup_timeout: Duration::from_secs(20),
            options: Options::default(),
        }
    }

    /// Sends this compact JSON with the open of every session, for the server's connect hook.
    /// Defaults to nothing.
    pub fn auth_raw(mut self, json: impl Into<Box<str>>) -> Self {
        self.options.auth = Auth::Fixed(json.into());
        self
    }

    /// Asks for the authentication (compact JSON) before each open of a session: for tokens that
    /// expire. A failure is retried with back-off.
    pub fn auth_raw_with<F, Fut, E>(mut self, source: F) -> Self
    where
        F: Fn() -> Fut + MaybeSend + MaybeSync + 'static,
        Fut: Future<Output = Result<Box<str>, E>> + MaybeSend + 'static,
        E: fmt::Display,
    {
        self.options.auth = Auth::asked(source);
        self
    }

    /// The transports in order of preference. Defaults to WebSocket, SSE, polling.
    pub fn transports(mut self, transports: impl IntoIterator<Item = Transport>) -> Self {
        self.options.engine.transports = transports.into_iter().collect();
        self
    }

    /// How long to wait between rounds of attempts. Defaults to random waits up to 0.5 s, then 1 s,
    /// and so on up to 20 s.
    pub const fn backoff(mut self, backoff: Backoff) -> Self {
        self.options.engine.backoff = backoff;
        self
    }

    /// How long a request waits for its answer unless it says so itself. Defaults to 20 s.
    pub const fn request_timeout(mut self, timeout: Duration) -> Self {
        self.options.request_timeout = timeout;
        self
    }

    /// How long [`Client::connect`] may take, with every attempt and wait, before it fails with
    /// [`ConnectError::Deadline`](crate::ConnectError::Deadline). The client goes on trying all the same:
    /// call `connect` again to wait on, or close it. Defaults to no limit.
    pub const fn connect_deadline(mut self, deadline: Duration) -> Self {
        self.options.connect_deadline = Some(deadline);
        self
    }

    /// How long one attempt with one transport may take, up to the server's welcome. Defaults to 5 s;
    /// while another transport is left to try, the next one starts after 1 s (WebSocket, which goes on beside
    /// it) or 2 s.
    pub const fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.options.engine.connect_timeout = Millis::of(timeout);
        self
    }

    /// How long a transport that failed where a lower one serves is left alone before it is tried again, in
    /// the background. Defaults to 60 s. Each further failure doubles it, up to 16 times as long; a
    /// WebSocket that ends early twice in a row, not counting a first end after 2 s of silence, starts at
    /// 4 times as long.
    pub const fn trial_interval(mut self, interval: Duration) -> Self {
        self.options.engine.trial_interval = Millis::of(interval);
        self
    }

    /// Begins where an earlier client in the same network stood: see [`Client::verdict`].
    pub const fn verdict(mut self, verdict: Verdict) -> Self {
        self.options.verdict = Some(verdict);
        self
    }

    /// Bytes that wait to be confirmed by the server at most, counting 64 for each message beside its
    /// own. What is emitted above it is refused with [`EmitError::Full`](crate::EmitError::Full).
    /// Defaults to 8 MiB.
    pub const fn outbox_limit(mut self, bytes: usize) -> Self {
        self.options.engine.outbox_limit = bytes;
        self
    }

    /// Bytes of received events that wait in all subscriptions together. Above it the client stops
    /// reading until subscribers have caught up; nothing is dropped. A client that does not read for
    /// longer than the server's resume window loses its session. Defaults to 16 MiB.
    pub const fn backlog_limit(mut self, bytes: usize) -> Self {
        self.options.backlog_limit = bytes;
        self
    }

    /// Adds a header to every request, the WebSocket handshake included: a cookie or an
    /// authorization, for what stands before the server. Values never appear in logs. Headers that the client
    /// sets itself, such as `Host` or `Content-Type`, are refused, and in browsers all are.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if is_header(name, value) {
            self.headers.push((name.to_owned(), value.to_owned()));
        } else {
            self.fail(BuildError::Header(name.to_owned()));
        }
        self
    }

    /// Asks for the headers of each request before it is sent, in the place of those of
    /// [`Self::header`]: for what expires. A failure counts as that of the request.
    pub fn headers_with<F, Fut, E>(mut self, source: F) -> Self
    where
        F: Fn() -> Fut + MaybeSend + MaybeSync + 'static,
        Fut: Future<Output = Result<Vec<(String, String)>, E>> + MaybeSend + 'static,
        E: fmt::Display,
    {
        self.options.headers = HeaderSource::asked(source);
        self
    }

    /// What follows when the server no longer has the session. Defaults to
    /// [`OnSessionLost::Reopen`].
    pub const fn on_session_lost(mut self, policy: OnSessionLost) -> Self {
        self.options.engine.on_session_lost = policy;
        self
    }

    /// Sets each new session up, the first one and those that follow a loss, before anything that is queued goes
    /// out: to log in by a request, or to join what the session before had joined. Not called when a session is
    /// resumed. Defaults to nothing.
    ///
    /// What the hook sends through its [`Setup`] goes first. Everything that the application has sent before, or
    /// sends meanwhile, waits and keeps its order; volatile events are dropped. The client counts as connected,
    /// and [`Client::connect`] resolves, when the hook is done.
    ///
    /// When the hook fails or takes longer than [`setup_timeout`](Self::setup_timeout), it is called again in the
    /// same session after the next wait of the back-off; nothing that is queued is lost, or sent before.
    /// [`Setup::close`] ends the client instead. A hook whose session is lost is dropped, and called for the next.
    ///
    /// ```no_run
    /// # use bowline_client::{BuildError, Client, RequestError};
    /// # fn build() -> Result<Client, BuildError> {
    /// Client::builder("https://example.org/bowline")
    ///     .on_session(async |setup| {
    ///         setup.request::<_, _, ()>("login", "my token").await?;
    ///         Ok::<_, RequestError>(())
    ///     })
    ///     .build()
    /// # }
    /// ```
    pub fn on_session<F, Fut, E>(mut self, hook: F) -> Self
    where
        F: Fn(Setup) -> Fut + MaybeSend + MaybeSync + 'static,
        Fut: Future<Output = Result<(), E>> + MaybeSend + 'static,
        E: fmt::Display + 'static,
    {
        self.on_session = Some(OnSession::new(hook));
        self
    }

    /// How long [`on_session`](Self::on_session) may take. Defaults to 20 s.
    pub const fn setup_timeout(mut self, timeout: Duration) -> Self {
        self.setup_timeout = timeout;
        self
    }

    /// A client that is not connected yet, so that subscriptions come first.
    ///
    /// # Errors
    /// When a setting cannot be used.
    #[cfg(feature = "native")]
    pub fn build(self) -> Result<Client, BuildError> {
        let platform = crate::platform::Native::new();
        self.build_on(Arc::new(platform.map_err(|error| BuildError::Host(error.to_string()))?))
    }

    /// A client on a host of your own.
    ///
    /// # Errors
    /// When a setting cannot be used.
    pub fn build_on(mut self, platform: Arc<dyn Platform>) -> Result<Client, BuildError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if self.options.engine.transports.is_empty() {
            return Err(BuildError::NoTransports);
        }
        self.options.endpoint = Endpoint::parse(&self.url)?;
        if self.options.headers.is_empty() {
            let headers = Headers::new(self.headers).map_err(BuildError::Header)?;
            self.options.headers = HeaderSource::Fixed(headers);
        }
        if !self.options.headers.is_empty() && !platform.sends_headers() {
            return Err(BuildError::NoHeaders);
        }
        let has_hook = self.on_session.is_some();
        self.options.engine.set_up = has_hook.then(|| self.setup_timeout.into());
        let shared = Arc::new(Shared::new(platform, self.options));
        Ok(Client::new(shared, self.on_session))
    }

    /// The first failure is the one that is reported.
    pub(crate) fn fail(&mut self, error: BuildError) {
        self.failed.get_or_insert(error);
    }
}

impl fmt::Debug for ClientBuilder {
    /// The values of headers stay out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("ClientBuilder")
            .field("url", &without_credentials(&self.url))
            .field("headers", &headers)
            .field("failed", &self.failed)
            .field("on_session", &self.on_session)
            .field("setup_timeout", &self.setup_timeout)
            .field("options", &self.options)
            .finish()
    }
}

/// A URL with credentials is refused when the client is built, and is not shown before.
fn without_credentials(url: &str) -> &str {
    if url.contains('@') { "masked" } else { url }
}

#[cfg(test)]
mod tests {
    use crate::Client;

    #[test]
    fn secrets_stay_out_of_debug_output() {
        let builder = Client::builder("https://me:hush@host/bowline")
            .auth_raw("\"hush\"")
            .header("cookie", "id=hush")
            .header("x-hush", "hush");
        let text = format!("{builder:?}");
        assert!(text.contains("cookie"), "{text}");
        assert_eq!(text.matches("hush").count(), 1, "only a name: {text}");
    }
}
