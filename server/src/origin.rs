//! The origins of pages, as browsers state them.
//!
//! Spec: 09-security, "Origin"; RFC 6454, section 6.2.

use url::{Host, Url};

/// An origin in the form in which a browser sends it, which is what requests are compared with.
///
/// # Errors
/// What to write instead.
pub(crate) fn serialize(origin: &str) -> Result<String, String> {
    match origin.trim_end_matches('/') {
        "null" => return Ok("null".to_owned()),
        // What pages from a disk say in some browsers; in others it is null.
        "file:" => return Ok("file://".to_owned()),
        "*" => return Err("every origin is dangerously_accept_any_origin()".to_owned()),
        _ => {}
    }
    let Some((scheme, rest)) = origin.split_once("://") else {
        return Err(format!("write the scheme as well, such as https://{origin}"));
    };
    let url = Url::parse(origin).map_err(|error| format!("it is no address ({error})"))?;
    if rest.contains('*') {
        return Err("there are no patterns; name each origin with a call of its own".to_owned());
    }
    let plain = serialized(&url).ok_or("it names no host")?;
    match scheme.to_ascii_lowercase().as_str() {
        "ws" => Err(format!(
            "pages come from http://, not ws://: write {}",
            plain.replacen("ws", "http", 1)
        )),
        "wss" => Err(format!(
            "pages come from https://, not wss://: write {}",
            plain.replacen("wss", "https", 1)
        )),
        _ if has_more(&url) => Err(format!(
            "an origin is a scheme, a host and a port, and nothing else: write {plain}"
        )),
        _ => Ok(plain),
    }
}

/// A host in the form in which requests name it.
///
/// # Errors
/// What to write instead.
pub(crate) fn host(name: &str) -> Result<String, String> {
    if name.contains('*') {
        return Err("there are no patterns; name each host with a call of its own".to_owned());
    }
    let bare = |_| "write a host and nothing else, such as app.example.com".to_owned();
    match Host::parse(name).map_err(bare)? {
        Host::Domain(name) => Ok(name),
        _ => Err("addresses are let in without being named".to_owned()),
    }
}

/// Scheme, host and port; the default port is left out.
fn serialized(url: &Url) -> Option<String> {
    let host = match url.host()? {
        Host::Domain("") => return None,
        host => host,
    };
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    Some(format!("{}://{host}{port}", url.scheme()))
}

fn has_more(url: &Url) -> bool {
    !matches!(url.path(), "" | "/")
        || url.query().is_some()
        || url.fragment().is_some()
        || !url.username().is_empty()
        || url.password().is_some()
}

#[cfg(test)]
mod tests {
    use super::{host, serialize};

    #[test]
    fn what_is_clear_becomes_what_browsers_send() {
        for (written, sent) in [
            ("https://app.example.com", "https://app.example.com"),
            ("https://app.example.com/", "https://app.example.com"),
            ("HTTPS://App.Example.COM", "https://app.example.com"),
            ("https://app.example.com:443", "https://app.example.com"),
            ("http://app.example.com:80/", "http://app.example.com"),
            ("http://app.example.com:443", "http://app.example.com:443"),
            ("http://localhost:3000", "http://localhost:3000"),
            ("http://[::1]:3000", "http://[::1]:3000"),
            ("https://b\u{fc}cher.example", "https://xn--bcher-kva.example"),
            ("chrome-extension://abcdefghijklmnop", "chrome-extension://abcdefghijklmnop"),
            ("moz-extension://0a1b-2c3d/", "moz-extension://0a1b-2c3d"),
            ("capacitor://localhost", "capacitor://localhost"),
            ("file://", "file://"),
            ("file:///", "file://"),
            ("null", "null"),
        ] {
            assert_eq!(serialize(written).as_deref(), Ok(sent), "{written}");
        }
    }

    #[test]
    fn an_origin_that_can_never_match_is_an_error_with_the_correct_form() {
        for (written, advice) in [
            ("*", "dangerously_accept_any_origin()"),
            ("app.example.com", "https://app.example.com"),
            ("localhost:3000", "https://localhost:3000"),
            ("https://*.example.com", "name each"),
            ("https://app.example.com/chat", "write https://app.example.com"),
            ("https://app.example.com?x", "write https://app.example.com"),
            ("https://me@app.example.com", "write https://app.example.com"),
            ("wss://app.example.com", "write https://app.example.com"),
            ("ws://localhost:3000", "write http://localhost:3000"),
            ("https://", "no address"),
            ("https://a b", "no address"),
            ("https://app.example.com:99999", "no address"),
            ("app://", "no host"),
            ("", "scheme"),
        ] {
            let error = serialize(written).expect_err(written);
            assert!(error.contains(advice), "{written}: {error}");
        }
    }

    #[test]
    fn a_host_is_a_name_and_nothing_else() {
        assert_eq!(host("App.Example.com").as_deref(), Ok("app.example.com"));
        assert_eq!(host("b\u{fc}cher.example").as_deref(), Ok("xn--bcher-kva.example"));
        for wrong in
            ["", "https://a.test", "a.test:80", "a.test/", "*.a.test", "a b", "127.0.0.1", "[::1]"]
        {
            assert!(host(wrong).is_err(), "{wrong}");
        }
    }
}
