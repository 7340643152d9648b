//! Who may connect: addresses, proxies, origins and hosts.

use super::BowlineBuilder;
use crate::config::Origins;
use crate::origin;
use crate::rates::RateLimits;

impl BowlineBuilder {
    /// The path of the endpoints below the scope in which the service is mounted. Defaults to
    /// `/bowline`. With `"/"` or `""` the endpoints are directly in the scope, or at the root:
    /// `/ws`, `/sse`, `/poll`, `/post`, `/ticket`, `/health`, `/publish`.
    pub fn path(mut self, path: &str) -> Self {
        let steps = path.split('/').filter(|step| !step.is_empty());
        self.config.path = steps.flat_map(|step| ["/", step]).collect();
        self
    }

    /// The largest number of sessions. Defaults to 1,000,000. Beyond it the server refuses a client
    /// that opens another one, with 4200 and the time after which it may retry.
    pub const fn max_sessions(mut self, sessions: usize) -> Self {
        self.config.max_sessions = sessions;
        self
    }

    /// The largest number of sessions from one address. Defaults to 10,000. An IPv6 address counts
    /// as its network of 64 bits. Beyond it the server ends the session that has been without a
    /// carrier for the longest time, with the code 4100; if all sessions have a carrier, it refuses
    /// the new one (4200).
    ///
    /// Behind a proxy all clients have the address of the proxy, unless
    /// [`trusted_proxies`](Self::trusted_proxies) names it.
    ///
    /// Spec: 08-limits, "Limits of a server".
    pub const fn max_sessions_per_address(mut self, sessions: usize) -> Self {
        self.config.max_sessions_per_address = sessions;
        self
    }

    /// How many sessions one address may open each second. Defaults to 500. An address may open as
    /// many at once as it may have ([`max_sessions_per_address`](Self::max_sessions_per_address)),
    /// because all pages behind one proxy reconnect together after a restart of the server. 500 a
    /// second fill an address again in 20 s, and are too few to wear out the server with opens and
    /// closes. Beyond it the server refuses the open (4200), and the client retries in 30 s.
    pub const fn max_opens_per_address(mut self, per_second: u32) -> Self {
        self.config.max_opens_per_address = if per_second == 0 { 1 } else { per_second };
        self
    }

    /// The largest number of sessions from one address that have no carrier: their clients have
    /// just opened them, are away, or are between two polls. Defaults to 1,000. When a client opens
    /// another one beyond it, the server ends the session that has been without a carrier for the
    /// longest time, with the code 4100; it refuses no open.
    ///
    /// Spec: 08-limits, "Limits of a server"; 09-security, "Memory".
    pub const fn max_carrierless_per_address(mut self, sessions: usize) -> Self {
        self.config.max_carrierless_per_address = sessions;
        self
    }

    /// Limits how fast clients may send messages. Each event and each request counts as one; the
    /// items of a stream do not count, because a stream has a window. There is no limit unless set.
    /// [`Socket::set_limits`](crate::Socket::set_limits) sets others for one session.
    ///
    /// The server counts a message before the hooks around it and its handler, first for the
    /// session, then for its user and its address; a message that it drops counts for none after
    /// that. The client of a dropped request receives the failure `rate-limited`, whose details
    /// name the limit and the milliseconds after which to retry: `{"limit":"session","retry":250}`.
    /// For a dropped event, and a session that it ends, the server logs a warning, limited in rate.
    ///
    /// Each node counts by itself. It remembers users and addresses that have sent messages lately,
    /// at most [`max_sessions`](Self::max_sessions) of each.
    ///
    /// ```
    /// use bowline_server::{Bowline, Failure, RateLimit, RateLimits, Socket};
    ///
    /// async fn log_in(socket: Socket, name: String) -> Result<(), Failure> {
    ///     socket.set_user(name)?;
    ///     let limit = RateLimit::per_second(100);
    ///     socket.set_limits(RateLimits::new().per_session(limit).per_user(limit));
    ///     Ok(())
    /// }
    ///
    /// let strangers = RateLimits::new()
    ///     .per_session(RateLimit::per_second(5))
    ///     .per_address(RateLimit::per_second(500).or_close());
    /// Bowline::builder().rate_limits(strangers).on("log-in", log_in);
    /// ```
    pub const fn rate_limits(mut self, limits: RateLimits) -> Self {
        self.config.rate_limits = Some(limits);
        self
    }

    /// Trusts these proxies to state the address, the scheme and the host of their clients:
    /// addresses, networks such as `10.0.0.0/8`, and `unix` for connections over a Unix socket. The
    /// server trusts no proxy unless set.
    ///
    /// The server reads `Forwarded` and `X-Forwarded-For`, `-Proto` and `-Host` from the right,
    /// from one trusted proxy to the next; the first address that is not a trusted proxy is the
    /// client's. A client that no proxy names has the address of the last proxy. When both headers
    /// are present and name two clients, the client has written one of them itself: the address is
    /// that of the proxy that connected. So let proxies replace or remove the header that they do
    /// not write.
    ///
    /// The limits count by this address. Logs, [`Socket::address`](crate::Socket::address) and
    /// [`Attaching::address`](crate::Attaching::address) show it.
    ///
    /// ```
    /// use bowline_server::Bowline;
    ///
    /// Bowline::builder().trusted_proxies(["127.0.0.1", "10.0.0.0/8", "fd00::/8"]);
    /// ```
    ///
    /// Spec: 09-security, "Addresses".
    ///
    /// # Panics
    /// When an item is neither an address nor a network. The message states what to write.
    #[track_caller]
    pub fn trusted_proxies<T: AsRef<str>>(mut self, networks: impl IntoIterator<Item = T>) -> Self {
        for network in networks {
            let network = network.as_ref();
            self.config.proxies.add(network).unwrap_or_else(|advice| {
                panic!("trusted_proxies({network:?}) names no proxy: {advice}")
            });
        }
        self
    }

    /// Accepts pages of this origin, such as `https://app.example.com`, in addition to those of the
    /// host that the request names. Necessary when pages come from another host, or when a proxy
    /// changes `Host`. Over TLS, also when one of the [`trusted_proxies`](Self::trusted_proxies)
    /// has ended TLS, only an `https` page is of the same host.
    ///
    /// The server compares the origin in the form that browsers send: lower case, without a default
    /// port and a slash at the end, and with letters beyond ASCII encoded. `"null"` accepts
    /// sandboxed frames and pages from a disk, of any author.
    ///
    /// # Panics
    /// When no browser sends such an origin: `*`, without a scheme, with a path. The message states
    /// what to write.
    #[track_caller]
    pub fn allow_origin(mut self, origin: &str) -> Self {
        let serialized = origin::serialize(origin).unwrap_or_else(|advice| {
            panic!("allow_origin({origin:?}) would never match: {advice}")
        });
        if let Origins::SameHostAnd(listed) = &mut self.config.origins {
            listed.push(serialized);
        }
        self
    }

    /// Accepts pages of any origin. Cookies then authenticate pages that you did not write.
    pub fn dangerously_accept_any_origin(mut self) -> Self {
        self.config.origins = Origins::Any;
        self
    }

    /// Serves this host, such as `app.example.com`, and those of other calls, and refuses all
    /// others. The server serves any host unless set.
    ///
    /// It stops DNS rebinding: for a browser, a page whose host name suddenly leads to this server
    /// is of the same host. The server refuses it with 403 and the code 4301. Set it where browsers
    /// can reach the server whose users may not: on a person's own machine, or in an internal
    /// network. The host is that of the request, or the one that one of the
    /// [`trusted_proxies`](Self::trusted_proxies) states. The server always serves addresses,
    /// `localhost` and `/health`.
    ///
    /// Spec: 09-security, "Origin".
    ///
    /// # Panics
    /// When it is not a host name. The message states what to write.
    #[track_caller]
    pub fn allow_host(mut self, host: &str) -> Self {
        let name = origin::host(host)
            .unwrap_or_else(|advice| panic!("allow_host({host:?}) would never match: {advice}"));
        self.config.hosts.push(name);
        self
    }
}
