//! The configuration of a client.

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
    /// The first invalid setting, which [`Self::build`] reports.
    failed: Option<BuildError>,
    on_session: Option<OnSession>,
    setup_timeout: Duration,
    options: Options,
}

impl Client {
    /// Starts to build a client for the server mounted at `url`, such as
    /// `https://example.org/bowline`. The schemes `ws` and `wss` mean `http` and `https`: the URL
    /// does not choose the transport.
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

    /// Sends this compact JSON with the `open` of every session, for the server's connect hook.
    /// Defaults to nothing.
    pub fn auth_raw(mut self, json: impl Into<Box<str>>) -> Self {
        self.options.auth = Auth::Fixed(json.into());
        self
    }

    /// Calls `source` for the authentication (compact JSON) before each `open` of a session: for
    /// tokens that expire. The client retries a failure with back-off.
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

    /// How long a request waits for its answer unless it has a timeout of its own. Defaults to 20
    /// s.
    pub const fn request_timeout(mut self, timeout: Duration) -> Self {
        self.options.request_timeout = timeout;
        self
    }

    /// How long [`Client::connect`] may take, with every attempt and wait, before it fails with
    /// [`ConnectError::Deadline`](crate::ConnectError::Deadline). The client keeps trying after
    /// that: call `connect` again to wait longer, or close the client. Defaults to no limit.
    pub const fn connect_deadline(mut self, deadline: Duration) -> Self {
        self.options.connect_deadline = Some(deadline);
        self
    }

    /// How long one attempt with one transport may take, up to the server's welcome. Defaults to 5
    /// s. While another transport is left to try, the client starts the next one after 1 s (a
    /// WebSocket continues to open beside it) or 2 s.
    pub const fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.options.engine.connect_timeout = Millis::of(timeout);
        self
    }

    /// How long the client avoids a transport that failed while a lower one served, before it tries
    /// the transport again in the background. Defaults to 60 s. Each further failure doubles the
    /// time, up to 16 times as long. A WebSocket that ends early twice in a row, not counting a
    /// first end after 2 s of silence, starts at 4 times as long.
    pub const fn trial_interval(mut self, interval: Duration) -> Self {
        self.options.engine.trial_interval = Millis::of(interval);
        self
    }

    /// Starts with the transport that served an earlier client in the same network: see
    /// [`Client::verdict`].
    pub const fn verdict(mut self, verdict: Verdict) -> Self {
        self.options.verdict = Some(verdict);
        self
    }

    /// The most bytes that wait for the server's confirmation, counting 64 for each message beside
    /// its own. Above it the client refuses messages with
    /// [`EmitError::Full`](crate::EmitError::Full). Defaults to 8 MiB.
    pub const fn outbox_limit(mut self, bytes: usize) -> Self {
        self.options.engine.outbox_limit = bytes;
        self
    }

    /// The most bytes of received events that wait in all subscriptions together. Above it the
    /// client stops reading until subscribers have caught up; it drops nothing. A client that does
    /// not read for longer than the server's resume window loses its session. Defaults to 16 MiB.
    pub const fn backlog_limit(mut self, bytes: usize) -> Self {
        self.options.backlog_limit = bytes;
        self
    }

    /// Adds a header to every request, the WebSocket handshake included: a cookie or an
    /// authorization for a proxy before the server, for example. Values never appear in logs. The
    /// builder refuses headers that the client sets itself, such as `Host` or `Content-Type`;
    /// browsers refuse all headers.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if is_header(name, value) {
            self.headers.push((name.to_owned(), value.to_owned()));
        } else {
            self.fail(BuildError::Header(name.to_owned()));
        }
        self
    }

    /// Calls `source` for the headers of each request before it is sent, in place of those of
    /// [`Self::header`]: for values that expire. When `source` fails, the request fails.
    pub fn headers_with<F, Fut, E>(mut self, source: F) -> Self
    where
        F: Fn() -> Fut + MaybeSend + MaybeSync + 'static,
        Fut: Future<Output = Result<Vec<(String, String)>, E>> + MaybeSend + 'static,
        E: fmt::Display,
    {
        self.options.headers = HeaderSource::asked(source);
        self
    }

    /// What the client does when the server no longer has the session. Defaults to
    /// [`OnSessionLost::Reopen`].
    pub const fn on_session_lost(mut self, policy: OnSessionLost) -> Self {
        self.options.engine.on_session_lost = policy;
        self
    }

    /// Sets up each new session, the first one and those that follow a loss, before the client
    /// sends any queued message: for a login request, or to join the rooms of the previous session.
    /// The client does not call the hook when it resumes a session. Defaults to nothing.
    ///
    /// The client first sends the messages that the hook sends through its [`Setup`]. All messages
    /// that the application has sent before, or sends meanwhile, wait and keep their order;
    /// volatile events are dropped. The client is connected, and [`Client::connect`] resolves, when
    /// the hook has returned.
    ///
    /// When the hook fails or takes longer than [`setup_timeout`](Self::setup_timeout), the client
    /// calls it again in the same session after the next wait of the back-off; no queued message is
    /// lost, or sent before. [`Setup::close`] ends the client instead. When the session is lost,
    /// the client drops its hook, and calls the hook for the next session.
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

    /// Builds the client. It does not connect yet, so that the application can subscribe first.
    ///
    /// # Errors
    /// When a setting is invalid.
    #[cfg(feature = "native")]
    pub fn build(self) -> Result<Client, BuildError> {
        let platform = crate::platform::Native::new();
        self.build_on(Arc::new(platform.map_err(|error| BuildError::Host(error.to_string()))?))
    }

    /// Builds the client on a host of your own.
    ///
    /// # Errors
    /// When a setting is invalid.
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
        self.options.engine.set_up_timeout = self.setup_timeout.into();
        self.options.engine.set_up = has_hook.then(|| self.setup_timeout.into());
        let shared = Arc::new(Shared::new(platform, self.options));
        Ok(Client::new(shared, self.on_session))
    }

    /// Records a failure; `build` reports the first one.
    pub(crate) fn fail(&mut self, error: BuildError) {
        self.failed.get_or_insert(error);
    }
}

impl fmt::Debug for ClientBuilder {
    /// Debug output never contains the values of headers.
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

/// Hides the URL's credentials. `build` refuses such a URL; until then, debug output must not show
/// them.
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
