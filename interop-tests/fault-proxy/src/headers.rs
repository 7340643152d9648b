//! The heads of requests and answers: looked into, and rewritten as old and curious proxies do.

use bytes::Bytes;

use crate::faults::Faults;

/// The value of the first of the headers with this name.
pub(crate) fn find<'a>(headers: &[httparse::Header<'a>], name: &str) -> Option<&'a str> {
    let found = headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
    std::str::from_utf8(found.value).ok()
}

/// A head as the faults leave it: every line that they do not change keeps its bytes, which is why
/// this reads lines and not the names and values of httparse. A head that is not text is passed on
/// as it is.
pub(crate) fn rewrite(head: Bytes, faults: &Faults) -> Bytes {
    let rewrites = faults.http_1_0
        || faults.rename_cookies.is_some()
        || !(faults.strip.is_empty() && faults.set.is_empty());
    let Ok(text) = std::str::from_utf8(&head) else { return head };
    if !rewrites {
        return head;
    }
    let mut lines = text.trim_end_matches("\r\n").split("\r\n");
    let first = lines.next().unwrap_or_default();
    let first = if faults.http_1_0 { first.replacen(NEW, OLD, 1) } else { first.to_owned() };
    let kept = lines.filter(|line| !is_gone(line, faults)).map(|line| cookie(line, faults));
    let added = faults.set.iter().map(|(name, value)| format!("{name}: {value}"));
    let close = faults.http_1_0.then(|| "Connection: close".to_owned());
    let lines: Vec<String> = [first].into_iter().chain(kept).chain(added).chain(close).collect();
    Bytes::from(lines.join("\r\n") + "\r\n\r\n")
}

fn is_gone(line: &str, faults: &Faults) -> bool {
    let name = line.split(':').next().unwrap_or_default().trim();
    let is = |other: &str| name.eq_ignore_ascii_case(other);
    faults.strip.iter().any(|strip| is(strip))
        || faults.set.iter().any(|(set, _)| is(set))
        || faults.http_1_0 && (is("connection") || is("upgrade") || is("keep-alive"))
}

fn cookie(line: &str, faults: &Faults) -> String {
    let prefix = faults.rename_cookies.as_deref();
    match line.split_once(':').zip(prefix) {
        Some(((name, value), prefix)) if name.eq_ignore_ascii_case("set-cookie") => {
            format!("{name}: {prefix}{}", value.trim_start())
        }
        _ => line.to_owned(),
    }
}

/// Bytes of a head that are waited for at most.
pub(crate) const MAX_HEAD: usize = 64 * 1024;

/// A head with more headers than these is passed on as if it were not HTTP.
pub(crate) const NO_HEADERS: [httparse::Header; 128] = [httparse::EMPTY_HEADER; 128];

const NEW: &str = "HTTP/1.1";
const OLD: &str = "HTTP/1.0";

#[cfg(test)]
mod tests {
    use super::{Faults, rewrite};

    fn rewritten(head: &'static str, faults: &Faults) -> String {
        String::from_utf8(rewrite(head.into(), faults).to_vec()).unwrap()
    }

    #[test]
    fn headers_are_stripped_and_set() {
        let faults = Faults {
            strip: vec!["upgrade".into()],
            set: vec![("Via".into(), "1.1 old".into())],
            ..Faults::default()
        };
        let head = "GET / HTTP/1.1\r\nUpgrade: websocket\r\nHost: a\r\nvia: new\r\n\r\n";
        assert_eq!(rewritten(head, &faults), "GET / HTTP/1.1\r\nHost: a\r\nVia: 1.1 old\r\n\r\n");
        assert_eq!(rewritten(head, &Faults::default()), head);
    }

    #[test]
    fn http_1_0_keeps_no_connection() {
        let faults = Faults { http_1_0: true, ..Faults::default() };
        let head = "POST / HTTP/1.1\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(
            rewritten(head, &faults),
            "POST / HTTP/1.0\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
    }

    #[test]
    fn cookies_come_back_under_another_name() {
        let faults = Faults { rename_cookies: Some("x_".into()), ..Faults::default() };
        let head = "HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\n\r\n";
        assert_eq!(rewritten(head, &faults), "HTTP/1.1 200 OK\r\nSet-Cookie: x_a=b\r\n\r\n");
    }
}
