//! The host to which a request was sent, and whether a page comes from there.
//!
//! Spec: 09-security, "Origin".

use std::fmt;
use std::net::IpAddr;

use actix_web::dev::RequestHead;
use actix_web::http::Uri;
use actix_web::http::header;
use actix_web::http::uri::Authority;

use crate::address::Client;
use crate::complaints::Foreign;

/// The hosts to which a request was sent, as it states them: HTTP/2 has `:authority`, HTTP/1.1 has
/// `Host`, and both may have the other as well. What trusted proxies state comes first.
pub(super) struct Target {
    /// `None` for a value that names no host.
    hosts: Vec<Option<Authority>>,
    /// The request is known to have come over TLS.
    is_secure: bool,
}

impl Target {
    /// Headers that any client can add, such as `X-Forwarded-Host`, are ignored: `client` has what
    /// trusted proxies state. `tls` if this server has terminated TLS itself.
    pub(super) fn of(request: &RequestHead, client: &Client, tls: bool) -> Self {
        let parse = |host: &[u8]| {
            // Neither an origin nor a host has a user.
            Authority::try_from(host).ok().filter(|host| !host.as_str().contains('@'))
        };
        let hosts = if client.hosts.is_empty() {
            let target = request.uri.authority().map(|host| parse(host.as_str().as_bytes()));
            let headers = request.headers.get_all(header::HOST).map(|host| parse(host.as_bytes()));
            target.into_iter().chain(headers).collect()
        } else {
            client.hosts.iter().map(|host| parse(host.as_bytes())).collect()
        };
        Self { hosts, is_secure: client.https.unwrap_or(tls) }
    }

    /// True if this is the origin of a page of the same host: its host and port equal those in the
    /// request, in every place where the request names them. A request that names two hosts was
    /// changed on its way, so the server cannot know which one the browser meant.
    ///
    /// If the request came over TLS, the page must have come over TLS too: an attacker on the
    /// network can forge any other page. Over a plain connection either is accepted, because a
    /// proxy that is not configured as trusted may have terminated TLS.
    pub(super) fn is_origin(&self, origin: &str) -> bool {
        let origin = origin.parse::<Uri>().ok();
        let Some(page) = origin.as_ref().and_then(Page::parse) else { return false };
        let is_here = |host: &Option<Authority>| host.as_ref().is_some_and(|host| page.has(host));
        let is_safe = !self.is_secure || page.default_port == HTTPS;
        is_safe && !self.hosts.is_empty() && self.hosts.iter().all(is_here)
    }

    /// True if all hosts that the request names are in this list, or cannot belong to anybody else:
    /// an address, or this machine.
    pub(super) fn is_among(&self, own: &[String]) -> bool {
        let is_own = |host: &Option<Authority>| {
            let Some(host) = host.as_ref().map(|host| host.host().to_ascii_lowercase()) else {
                return false;
            };
            let address = host.trim_start_matches('[').trim_end_matches(']');
            let is_here = host == "localhost" || host.ends_with(".localhost");
            is_here || address.parse::<IpAddr>().is_ok() || own.contains(&host)
        };
        self.hosts.iter().all(is_own)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts: Vec<_> = self.hosts.iter().flatten().map(Authority::as_str).collect();
        Foreign(&hosts.join(" and ")).fmt(f)
    }
}

/// The origin of a page.
struct Page<'a> {
    host: &'a str,
    port: u16,
    /// The port that the browser assumes for a host without one.
    default_port: u16,
}

impl<'a> Page<'a> {
    fn parse(origin: &'a Uri) -> Option<Self> {
        let default_port = match origin.scheme_str() {
            Some("http") => HTTP,
            Some("https") => HTTPS,
            _ => return None,
        };
        let (host, port) = split(origin.authority()?)?;
        Some(Self { host, port: port.unwrap_or(default_port), default_port })
    }

    fn has(&self, authority: &Authority) -> bool {
        split(authority).is_some_and(|(host, port)| {
            host.eq_ignore_ascii_case(self.host) && port.unwrap_or(self.default_port) == self.port
        })
    }
}

/// The host and the port that is written beside it. Neither an origin nor a host has a user.
fn split(authority: &Authority) -> Option<(&str, Option<u16>)> {
    let (host, port) = (authority.host(), authority.port());
    (!authority.as_str().contains('@')).then_some((host, port.map(|port| port.as_u16())))
}

const HTTP: u16 = 80;
const HTTPS: u16 = 443;

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::{Client, Target};

    fn is_same(origin: &str, request: &actix_web::dev::RequestHead) -> bool {
        Target::of(request, &Client::default(), false).is_origin(origin)
    }

    /// `target` is the request target as received: a path, or with the host before it, as in
    /// HTTP/2.
    fn same(origin: &str, target: &str, hosts: &[&str]) -> bool {
        let request = TestRequest::with_uri(target);
        let request =
            hosts.iter().fold(request, |request, host| request.append_header(("host", *host)));
        is_same(origin, request.to_http_request().head())
    }

    const PATH: &str = "/bowline/poll";

    #[test]
    fn an_origin_is_the_same_only_with_the_same_host_and_port() {
        let table = [
            ("https://example.com", "example.com", true),
            ("https://example.com", "example.com:443", true),
            ("https://example.com:443", "example.com", true),
            ("https://example.com", "EXAMPLE.com:", true),
            ("http://localhost:8080", "LOCALHOST:8080", true),
            ("http://[::1]:8080", "[::1]:8080", true),
            ("http://[::1]", "[::1]:80", true),
            ("https://example.com:8443", "example.com:8443", true),
            ("http://example.com", "example.com:443", false),
            ("https://example.com", "example.com:80", false),
            ("https://example.com", "example.com:4430", false),
            ("http://localhost:8080", "localhost", false),
            ("http://[::1]:8080", "[::2]:8080", false),
            ("http://[fe80::80]", "[fe80:]", false),
            ("https://example.com.evil.test", "example.com", false),
            ("https://evil.test/example.com", "example.com", false),
            ("https://example.com@evil.test", "example.com", false),
            ("https://me@example.com", "me@example.com", false),
            ("https://example.com", "me@example.com", false),
            ("https://example.com", "example.com, evil.test", false),
            ("https://example.com", "", false),
            ("ftp://example.com", "example.com", false),
            ("example.com", "example.com", false),
            ("null", "null", false),
            ("", "", false),
        ];
        for (origin, host, is) in table {
            assert_eq!(same(origin, PATH, &[host]), is, "{origin:?} at {host:?}");
            let target = format!("https://{host}{PATH}");
            if target.parse::<actix_web::http::Uri>().is_ok() {
                assert_eq!(same(origin, &target, &[]), is, "{origin:?} in {target:?}");
            }
        }
    }

    #[test]
    fn a_request_that_names_two_hosts_or_none_is_of_no_host() {
        let target = format!("https://example.com{PATH}");
        let page = "https://example.com";
        assert!(same(page, &target, &["example.com"]));
        assert!(same(page, &target, &["Example.com:443", "example.com"]));
        assert!(!same(page, &target, &["evil.test"]));
        assert!(!same("https://evil.test", &target, &["evil.test"]));
        assert!(!same(page, PATH, &["example.com", "evil.test"]));
        assert!(!same(page, PATH, &["evil.test", "example.com"]));
        assert!(!same(page, PATH, &[]));
    }

    #[test]
    fn headers_of_untrusted_proxies_name_no_host() {
        for name in ["x-forwarded-host", "forwarded", "x-host", "x-original-host"] {
            let request = TestRequest::with_uri(PATH)
                .append_header(("host", "inner.test"))
                .append_header((name, "example.com"))
                .append_header((name, "host=example.com"))
                .to_http_request();
            assert!(!is_same("https://example.com", request.head()), "{name}");
        }
    }

    fn target(host: &str, https: Option<bool>, tls: bool) -> Target {
        let request = TestRequest::with_uri(PATH).append_header(("host", host)).to_http_request();
        Target::of(request.head(), &Client { https, ..Client::default() }, tls)
    }

    #[test]
    fn over_tls_only_pages_that_came_over_tls_are_of_the_same_origin() {
        let table = [
            // The scheme as far as it is known, whether this server has TLS, and which origins are
            // accepted: https, http.
            (None, true, true, false),
            (Some(true), false, true, false),
            (Some(true), true, true, false),
            // The server does not know whether a proxy has terminated TLS.
            (None, false, true, true),
            (Some(false), false, true, true),
            // A proxy that speaks TLS to us and not to the page.
            (Some(false), true, true, true),
        ];
        for (https, tls, secure, plain) in table {
            let target = target("example.com", https, tls);
            assert_eq!(target.is_origin("https://example.com"), secure, "{https:?} {tls}");
            assert_eq!(target.is_origin("http://example.com"), plain, "{https:?} {tls}");
        }
        let target = target("example.com:443", None, true);
        assert!(!target.is_origin("http://example.com:443"), "whatever the port");
    }

    #[test]
    fn a_trusted_proxy_states_the_requested_host() {
        let request = TestRequest::with_uri(PATH).append_header(("host", "inner:8080"));
        let hosts = |hosts: &[&str]| {
            let hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
            Client { hosts, ..Client::default() }
        };
        let request = request.to_http_request();
        let target = |names: &[&str]| Target::of(request.head(), &hosts(names), false);
        assert!(target(&["example.com"]).is_origin("https://example.com"));
        assert!(!target(&["example.com"]).is_origin("http://inner:8080"));
        assert!(!target(&["example.com", "evil.test"]).is_origin("https://example.com"));
        assert!(!target(&["a b"]).is_origin("https://example.com"));
    }

    #[test]
    fn a_list_of_own_hosts_knows_all_names_but_addresses_and_this_machine() {
        let own = ["example.com".to_owned(), "xn--bcher-kva.example".to_owned()];
        for host in [
            "example.com",
            "EXAMPLE.com:8443",
            "xn--bcher-kva.example",
            "127.0.0.1:8080",
            "[::1]:8080",
            "192.0.2.1",
            "localhost",
            "app.localhost:3000",
        ] {
            assert!(target(host, None, false).is_among(&own), "{host}");
        }
        for host in [
            "evil.test",
            "sub.example.com",
            "example.com.evil.test",
            "example.com.",
            "me@example.com",
            "",
            "127.0.0.1.nip.test",
            "localhost.evil.test",
            "a b",
        ] {
            assert!(!target(host, None, false).is_among(&own), "{host}");
        }
        let none = TestRequest::with_uri(PATH).to_http_request();
        assert!(Target::of(none.head(), &Client::default(), false).is_among(&own));
    }
}
