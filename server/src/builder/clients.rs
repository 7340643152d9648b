//! Who may connect: addresses, proxies, origins and hosts.

use super::BowlineBuilder;
use crate::config::Origins;
use crate::origin;

impl BowlineBuilder {
    /// Where the endpoints are, below the scope in which it is mounted. Defaults to `/bowline`.
    /// With `"/"` or `""` they are directly in the scope or at the root: `/ws`, `/sse`,
    /// `/poll`, `/post`, `/ticket`, `/health`, `/publish`.
    pub fn path(mut self, path: &str) -> Self {
        let steps = path.split('/').filter(|step| !step.is_empty());
        self.config.path = steps.flat_map(|step| ["/", step]).collect();
        self
    }

    /// Sessions at most. Defaults to 1,000,000. Beyond it clients are told to come back later.
    pub const fn max_sessions(mut self, sessions: usize) -> Self {
        self.config.max_sessions = sessions;
        self
    }

    /// Sessions from one address at most. Defaults to 10,000. An IPv6 address counts as its network
    /// of 64 bits. Beyond it the session that has been without a carrier for the longest time
    /// ends with the code 4100; if all have one, clients are told to come back later (4200).
    ///
    /// Behind a proxy all clients have the address of the proxy, unless
    /// [`trusted_proxies`](Self::trusted_proxies) names it.
    ///
    /// Spec: 08-limits, "Limits of a server".
    pub const fn max_sessions_per_address(mut self, sessions: usize) -> Self {
        self.config.max_sessions_per_address = sessions;
        self
    }

    /// Sessions that one address may open each second, after as many at once as it may have
    /// ([`max_sessions_per_address`](Self::max_sessions_per_address)): all pages behind one proxy
    /// come back together when the server has been restarted. Defaults to 500, which fills an
    /// address anew in 20 s, and is too slow for opens and closes to wear out the server.
    /// Beyond it clients are told to come back in 30 s (4200).
    pub const fn max_opens_per_address(mut self, per_second: u32) -> Self {
        self.config.max_opens_per_address = if per_second == 0 { 1 } else { per_second };
        self
    }

    /// Sessions from one address that have no carrier, at most: of clients that have just opened
    /// them, are away or are between two polls. Defaults to 1,000. When another one is opened
    /// beyond it, the session that has been without a carrier for the longest time ends with
    /// the code 4100; nobody is refused.
    ///
    /// Spec: 08-limits, "Limits of a server"; 09-security, "Memory".
    pub const fn max_carrierless_per_address(mut self, sessions: usize) -> Self {
        self.config.max_carrierless_per_address = sessions;
        self
    }

    /// Believes these proxies about the address, the scheme and the host of their clients:
    /// addresses, networks such as `10.0.0.0/8`, and `unix` for whoever connects over a Unix
    /// socket. Nobody is believed unless set.
    ///
    /// `Forwarded` and `X-Forwarded-For`, `-Proto` and `-Host` are read from the right, from one
    /// proxy that is named here to the next; the first address that is none of theirs is the
    /// client's. A client that no proxy names counts as the proxy that does not name it. Where
    /// both headers are there and name two clients, one was written by the client itself: it counts
    /// as the proxy that has connected. So have proxies replace or remove the header that they do
    /// not write.
    ///
    /// The address counts for the limits, and is what logs,
    /// [`Socket::address`](crate::Socket::address) and
    /// [`Attaching::address`](crate::Attaching::address) show.
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
    /// When one is no address and no network. The message says what to write.
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

    /// Lets pages of this origin in, such as `https://app.example.com`, beside those of the host that
    /// the request names. Needed when pages come from another host, or when a proxy changes `Host`.
    /// Over TLS, also TLS that one of the [`trusted_proxies`](Self::trusted_proxies) has ended,
    /// only `https` pages are of the same host.
    ///
    /// Upper case, a default port, a slash at the end and letters beyond ASCII become what browsers
    /// send. `"null"` lets in sandboxed frames and pages from a disk, whoever wrote them.
    ///
    /// # Panics
    /// When no browser sends such an origin: `*`, without a scheme, with a path. The message says
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

    /// Lets pages of any origin in. Cookies then authenticate pages that you did not write.
    pub fn dangerously_accept_any_origin(mut self) -> Self {
        self.config.origins = Origins::Any;
        self
    }

    /// Serves this host, such as `app.example.com`, and those that other calls name, and no others.
    /// Any host is served unless set.
    ///
    /// It stops DNS rebinding: a page of a name that suddenly leads to this server is of the same
    /// host as far as its browser knows, and is refused with 403 and the code 4301. Set it
    /// where browsers of people can reach the server who may not, on a machine of their own or
    /// in their network. The host is that of the request, or the one that a proxy names which is
    /// one of the [`trusted_proxies`](Self::trusted_proxies). Addresses and `localhost` are
    /// always served, and so is `/health`.
    ///
    /// Spec: 09-security, "Origin".
    ///
    /// # Panics
    /// When it is no name of a host. The message says what to write.
    #[track_caller]
    pub fn allow_host(mut self, host: &str) -> Self {
        let name = origin::host(host)
            .unwrap_or_else(|advice| panic!("allow_host({host:?}) would never match: {advice}"));
        self.config.hosts.push(name);
        self
    }
}
