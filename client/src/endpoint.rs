//! The URL of the mount point, and the URLs below it.

use std::fmt;

use crate::error::BuildError;

/// The URL where the server is mounted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Endpoint {
    secure: bool,
    /// Host, port and path without the final slash.
    rest: String,
}

impl Endpoint {
    /// Parses an `http`, `https`, `ws` or `wss` URL.
    pub(crate) fn parse(url: &str) -> Result<Self, BuildError> {
        let bad = |why| Err(BuildError::Url(why));
        let Some((scheme, rest)) = url.trim().split_once("://") else {
            return bad("it does not begin with a scheme and ://");
        };
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "http" | "ws" => false,
            "https" | "wss" => true,
            _ => return bad("its scheme is none of http, https, ws and wss"),
        };
        if rest.contains(['?', '#']) {
            return bad("the URL of a mount point has no query and no fragment");
        }
        if !rest.bytes().all(|byte| byte.is_ascii_graphic()) {
            return bad("it holds spaces or characters that are not ASCII");
        }
        let host = rest.split('/').next().unwrap_or_default();
        if host.is_empty() || host.starts_with(':') {
            return bad("it has no host");
        }
        if host.contains('@') {
            return bad("credentials in a URL end up in logs: send them with auth or a header");
        }
        Ok(Self { secure, rest: rest.trim_end_matches('/').to_owned() })
    }

    /// The URL of the WebSocket.
    pub(crate) fn socket(&self) -> String {
        format!("{}://{}/ws", if self.secure { "wss" } else { "ws" }, self.rest)
    }

    /// The URL of an HTTP route below the mount point.
    pub(crate) fn http(&self, route: &str) -> String {
        format!("{self}/{route}")
    }
}

impl fmt::Display for Endpoint {
    /// The URL of the mount point.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.secure { "https" } else { "http" }, self.rest)
    }
}

#[cfg(test)]
mod tests {
    use super::Endpoint;

    #[test]
    fn every_scheme_leads_to_both_kinds_of_url() {
        for url in ["http://host:80/a/bowline", "ws://host:80/a/bowline/"] {
            let endpoint = Endpoint::parse(url).unwrap();
            assert_eq!(endpoint.socket(), "ws://host:80/a/bowline/ws");
            assert_eq!(endpoint.http("poll"), "http://host:80/a/bowline/poll");
        }
        let endpoint = Endpoint::parse("WSS://[::1]").unwrap();
        assert_eq!(endpoint.http("sse"), "https://[::1]/sse");
    }

    #[test]
    fn what_is_no_mount_point_is_refused() {
        let urls = [
            "host/bowline",
            "ftp://host",
            "http://",
            "http://:80/a",
            "http://host/a?b=c",
            "http://host/a b",
            "http://me:secret@host/a",
        ];
        for url in urls {
            assert!(Endpoint::parse(url).is_err(), "{url}");
        }
    }
}
