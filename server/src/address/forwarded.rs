//! The headers in which proxies describe a request: `Forwarded` and the older `X-Forwarded-*`.
//!
//! Everything here is read from the right, because each proxy appends, and a client can have
//! written everything before. Elements before the first one that cannot be read are ignored.
//!
//! Spec: RFC 7239, sections 4 to 6.

use std::net::IpAddr;

use actix_web::http::header::{HeaderMap, HeaderName};

/// What one proxy states about the request that it received.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Hop {
    /// Where it came from. `None` if that is unknown, hidden or not an address.
    pub(super) from: Option<IpAddr>,
    pub(super) proto: Option<String>,
    pub(super) host: Option<String>,
}

/// The elements of `Forwarded`, the last proxy's first.
pub(super) fn forwarded(headers: &HeaderMap) -> impl Iterator<Item = Hop> {
    from_right(headers, &FORWARDED, true).map(element)
}

/// The addresses of `X-Forwarded-For`, the last proxy's first.
pub(super) fn x_forwarded_for(headers: &HeaderMap) -> impl Iterator<Item = Option<IpAddr>> {
    from_right(headers, &X_FORWARDED_FOR, false).map(|text| text.and_then(node))
}

/// The item of a list that the proxy at this distance has written, or the first one there is: most
/// proxies replace what they have received.
pub(super) fn item(headers: &HeaderMap, name: &HeaderName, distance: usize) -> Option<String> {
    let items = from_right(headers, name, false).take(distance + 1);
    items.last().flatten().map(str::to_ascii_lowercase)
}

/// The items of a list over all lines of a header, the last one first. An item that is not text is
/// `None`.
fn from_right<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
    quotes: bool,
) -> impl Iterator<Item = Option<&'a str>> + use<'a> {
    let lines: Vec<_> = headers.get_all(name).collect();
    let lines = lines.into_iter().rev().map(actix_web::http::header::HeaderValue::as_bytes);
    let items = lines.flat_map(move |line| Items { left: Some(line), quotes });
    let texts = items.map(|item| std::str::from_utf8(item).ok().map(str::trim));
    texts.filter(|text| *text != Some(""))
}

/// The items of one line, from the right.
struct Items<'a> {
    left: Option<&'a [u8]>,
    quotes: bool,
}

impl<'a> Iterator for Items<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let left = self.left.take()?;
        let mut quoted = false;
        let comma = (0..left.len()).rev().find(|&at| {
            quoted ^= self.quotes && left[at] == b'"' && !is_escaped(&left[..at]);
            left[at] == b',' && !quoted
        });
        let Some(comma) = comma else { return Some(left) };
        self.left = Some(&left[..comma]);
        Some(&left[comma + 1..])
    }
}

/// True if what follows this is escaped by a backslash.
fn is_escaped(before: &[u8]) -> bool {
    before.iter().rev().take_while(|&&byte| byte == b'\\').count() % 2 == 1
}

/// One element of `Forwarded`. A malformed one is empty.
fn element(text: Option<&str>) -> Hop {
    let mut hop = Hop::default();
    let Some(mut rest) = text else { return hop };
    while !rest.is_empty() {
        let Some((name, value, after)) = pair(rest) else { return Hop::default() };
        match name.to_ascii_lowercase().as_str() {
            "for" => hop.from = node(&value),
            "proto" => hop.proto = Some(value.to_ascii_lowercase()),
            "host" => hop.host = Some(value.to_ascii_lowercase()),
            _ => {}
        }
        rest = after;
    }
    hop
}

/// The first pair, its value without quotes, and what follows it.
fn pair(text: &str) -> Option<(&str, String, &str)> {
    let (name, rest) = text.split_once('=')?;
    let (value, after) = match rest.strip_prefix('"') {
        Some(quoted) => unquote(quoted)?,
        None => {
            let end = rest.find(';').unwrap_or(rest.len());
            (rest[..end].trim_end().to_owned(), &rest[end..])
        }
    };
    let after = after.trim_start();
    let after = if after.is_empty() { after } else { after.strip_prefix(';')?.trim_start() };
    Some((name.trim(), value, after))
}

/// What is in quotes, and what follows the second one.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    loop {
        match characters.next()? {
            (at, '"') => return Some((value, &text[at + 1..])),
            (_, '\\') => value.push(characters.next()?.1),
            (_, other) => value.push(other),
        }
    }
}

/// An address, with or without a port: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`,
/// `[2001:db8::1]:80`.
fn node(text: &str) -> Option<IpAddr> {
    let (address, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, after) = rest.split_once(']')?;
            // What is in brackets is an IPv6 address.
            address.contains(':').then_some(())?;
            (address, if after.is_empty() { None } else { Some(after.strip_prefix(':')?) })
        }
        None => match text.split_once(':') {
            Some((address, port)) if !port.contains(':') => (address, Some(port)),
            _ => (text, None),
        },
    };
    let is_port = |port: &str| {
        let hidden = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        !port.is_empty() && port.bytes().all(hidden)
    };
    port.is_none_or(is_port).then_some(())?;
    address.parse().ok().map(|address: IpAddr| address.to_canonical())
}

const FORWARDED: HeaderName = actix_web::http::header::FORWARDED;
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};

    use super::{Hop, forwarded, item, node, x_forwarded_for};

    fn headers(name: &'static str, lines: &[&[u8]]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            let value = HeaderValue::from_bytes(line).unwrap();
            headers.append(HeaderName::from_static(name), value);
        }
        headers
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_is_read_with_and_without_brackets_and_a_port_and_nothing_else_is() {
        for (text, address) in [
            ("192.0.2.1", "192.0.2.1"),
            ("192.0.2.1:8080", "192.0.2.1"),
            ("192.0.2.1:_hidden", "192.0.2.1"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:4711", "2001:db8::1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("[::ffff:192.0.2.1]:80", "192.0.2.1"),
        ] {
            assert_eq!(node(text), Some(ip(address)), "{text}");
        }
        for text in [
            "",
            "unknown",
            "_hidden",
            "_",
            "localhost",
            "192.0.2",
            "192.0.2.1.5",
            "192.0.2.256",
            "192.0.2.1:",
            "192.0.2.1: 80",
            "192.0.2.1 ",
            "[192.0.2.1]",
            "[2001:db8::1",
            "[::1]80",
            "[::1]:",
            "fe80::1%eth0",
            "[]",
            ":",
            "192.0.2.1;",
            "\"192.0.2.1\"",
        ] {
            assert_eq!(node(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_list_over_several_lines_is_read_from_its_end() {
        let found = |lines: &[&[u8]]| -> Vec<_> {
            x_forwarded_for(&headers("x-forwarded-for", lines)).collect()
        };
        let (a, b, c) = (Some(ip("192.0.2.1")), Some(ip("192.0.2.2")), Some(ip("2001:db8::1")));
        assert_eq!(found(&[b"192.0.2.1, 192.0.2.2"]), [b, a]);
        assert_eq!(found(&[b"192.0.2.1", b"192.0.2.2,[2001:db8::1]:9"]), [c, b, a]);
        assert_eq!(found(&[b"192.0.2.1, , 192.0.2.2,"]), [b, a], "empty items are none");
        assert_eq!(found(&[b"\xff, \"192.0.2.1\",192.0.2.2"]), [b, None, None]);
        assert_eq!(found(&[b"unknown, 192.0.2.1"]), [a, None]);
        assert_eq!(found(&[]), []);
    }

    #[test]
    fn what_a_client_leaves_open_does_not_swallow_what_the_proxy_adds() {
        for (lines, hops) in [
            (&[&b"for=\", for=192.0.2.1"[..]][..], 1),
            (&[b"for=\"a\\", b"for=192.0.2.1"], 1),
            (&[b"for=\"192.0.2.9\\\", for=192.0.2.1"], 1),
            (&[b"\xff\xfe, for=192.0.2.1"], 1),
            (&[b"for=192.0.2.9, for=192.0.2.1"], 2),
        ] {
            let headers = headers("forwarded", lines);
            let found: Vec<_> = forwarded(&headers).collect();
            assert_eq!(found[0].from, Some(ip("192.0.2.1")), "{lines:?}");
            let read = found.iter().take_while(|hop| hop.from.is_some()).count();
            assert_eq!(read, hops, "{lines:?}");
        }
    }

    #[test]
    fn an_element_is_read_as_in_rfc_7239_and_a_broken_one_is_ignored() {
        let one = |line: &str| {
            let headers = headers("forwarded", &[line.as_bytes()]);
            let hops: Vec<_> = forwarded(&headers).collect();
            assert_eq!(hops.len(), 1, "{line}");
            hops[0].clone()
        };
        let hop = Hop {
            from: Some(ip("2001:db8::1")),
            proto: Some("https".to_owned()),
            host: Some("a.test:8443".to_owned()),
        };
        assert_eq!(
            one("For=\"[2001:db8::1]:4711\";Proto=HTTPS;by=203.0.113.43;host=\"A.test:8443\""),
            hop
        );
        assert_eq!(one("proto=https; host=\"a.te\\st:8443\" ;for=\"[2001:db8::1]\""), hop);
        assert_eq!(one("for=\"a,b\";proto=http").proto.as_deref(), Some("http"));
        for broken in [
            "for",
            "for=192.0.2.1;proto",
            "for=\"192.0.2.1",
            "for=\"192.0.2.1\"x",
            "for=\"192.0.2.1\\",
        ] {
            assert_eq!(one(broken), Hop::default(), "{broken}");
        }
    }

    #[test]
    fn an_item_is_that_of_the_same_proxy_or_the_only_one() {
        const NAME: HeaderName = HeaderName::from_static("x-forwarded-proto");
        let at =
            |lines: &[&[u8]], distance| item(&headers("x-forwarded-proto", lines), &NAME, distance);
        assert_eq!(at(&[b"HTTPS"], 0).as_deref(), Some("https"));
        assert_eq!(at(&[b"https"], 3).as_deref(), Some("https"));
        assert_eq!(at(&[b"https, http"], 0).as_deref(), Some("http"));
        assert_eq!(at(&[b"https", b"http"], 1).as_deref(), Some("https"));
        assert_eq!(at(&[], 0), None);
    }
}
