//! Whether a page comes from the host that its request was sent to.
//!
//! Spec: 09-security, "Origin".

use actix_web::dev::RequestHead;
use actix_web::http::Uri;
use actix_web::http::header::{self, HeaderValue};
use actix_web::http::uri::Authority;

/// True if the origin's host and port are those that the request names, wherever it names them: HTTP/2 has
/// `:authority`, HTTP/1.1 has `Host`, and both may have the other as well. A request that names two hosts
/// was changed on its way, and nobody knows which one the browser meant.
///
/// Headers that any client can add, such as `X-Forwarded-Host`, count for nothing.
pub(super) fn is_same(origin: &str, request: &RequestHead) -> bool {
    let origin = origin.parse::<Uri>().ok();
    let Some(origin) = origin.as_ref().and_then(Page::parse) else { return false };
    let target = request.uri.authority().map(|authority| origin.has(authority));
    let headers = request.headers.get_all(header::HOST).map(|host| origin.is_at(host));
    let mut named = target.into_iter().chain(headers).peekable();
    named.peek().is_some() && named.all(|same| same)
}

/// Where a page comes from.
struct Page<'a> {
    host: &'a str,
    port: u16,
    /// What a host without a port means to the browser.
    default_port: u16,
}

impl<'a> Page<'a> {
    fn parse(origin: &'a Uri) -> Option<Self> {
        let default_port = match origin.scheme_str() {
            Some("http") => 80,
            Some("https") => 443,
            _ => return None,
        };
        let (host, port) = split(origin.authority()?)?;
        Some(Self { host, port: port.unwrap_or(default_port), default_port })
    }

    fn is_at(&self, host: &HeaderValue) -> bool {
        Authority::try_from(host.as_bytes()).is_ok_and(|authority| self.has(&authority))
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

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::is_same;

    /// `target` is as it came: a path, or with the host before it, as HTTP/2 has it.
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
    fn what_proxies_add_names_no_host() {
        for name in ["x-forwarded-host", "forwarded", "x-host", "x-original-host"] {
            let request = TestRequest::with_uri(PATH)
                .append_header(("host", "inner.test"))
                .append_header((name, "example.com"))
                .append_header((name, "host=example.com"))
                .to_http_request();
            assert!(!is_same("https://example.com", request.head()), "{name}");
        }
    }
}
