//! Finds the cause in the errors of sockets, TLS and proxies.

use std::error::Error;
use std::io;
use std::time::{Duration, SystemTime};

use tokio_rustls::rustls;
use tokio_tungstenite::tungstenite::http::HeaderMap;
use tokio_tungstenite::tungstenite::http::header::{
    CONTENT_TYPE, HeaderName, LOCATION, RETRY_AFTER,
};

use super::HostError;
use crate::engine::Cause;
use crate::platform::Head;

/// Combines an error, its sources, and its cause, if it is known.
pub(crate) fn explain(what: Option<&str>, error: &(dyn Error + 'static)) -> HostError {
    let mut words = what.map_or_else(String::new, |what| format!("{what}: "));
    words.push_str(&error.to_string());
    let mut cause = cause(error);
    let mut source = error.source();
    while let Some(error) = source {
        let text = error.to_string();
        // Some errors repeat the text of their source.
        if !words.ends_with(&text) {
            words = format!("{words}: {text}");
        }
        cause = cause.or_else(|| self::cause(error));
        source = error.source();
    }
    match cause {
        Some(cause) => HostError::Refused(cause, words),
        None => HostError::Failed(words),
    }
}

/// The parts of a response's head that the client uses.
pub(crate) fn head(status: u16, headers: &HeaderMap) -> Head {
    let get = |name: HeaderName| headers.get(name)?.to_str().ok();
    Head {
        status,
        content_type: get(CONTENT_TYPE).map(str::to_owned),
        location: get(LOCATION).map(str::to_owned),
        retry_after: get(RETRY_AFTER).and_then(|value| retry_after(value, SystemTime::now())),
    }
}

/// Seconds, or a date. RFC 9110, section 10.2.3.
fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = httpdate::parse_http_date(value).ok()?;
    Some(at.duration_since(now).unwrap_or_default())
}

fn cause(error: &(dyn Error + 'static)) -> Option<Cause> {
    if let Some(error) = error.downcast_ref::<io::Error>() {
        return match (error.kind(), error.get_ref()) {
            (io::ErrorKind::ConnectionRefused, _) => Some(Cause::ConnectionRefused),
            // It is not the source of its wrapper.
            (_, Some(inner)) => cause(inner),
            _ => None,
        };
    }
    if let Some(error) = error.downcast_ref::<rustls::Error>() {
        return of_tls(error);
    }
    // These errors have no public types.
    match error.to_string() {
        words if words.contains("dns error") => Some(Cause::UnknownHost),
        words if words.contains("proxy authorization required") => Some(Cause::ProxyAuthentication),
        _ => None,
    }
}

fn of_tls(error: &rustls::Error) -> Option<Cause> {
    match error {
        rustls::Error::InvalidCertificate(_) => Some(Cause::UntrustedCertificate),
        // The received bytes were not a TLS record.
        rustls::Error::InvalidMessage(_) => Some(Cause::TlsMissing),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Duration, SystemTime, retry_after};

    #[test]
    fn both_forms_of_retry_after_are_read() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        let read = |value| retry_after(value, now).map(|asked| asked.as_secs());
        assert_eq!(read("120"), Some(120));
        assert_eq!(read("Sun, 06 Nov 1994 08:50:37 GMT"), Some(60));
        assert_eq!(read("Sun, 06 Nov 1994 08:48:37 GMT"), Some(0), "it is over");
        assert_eq!(read("soon"), None);
        assert_eq!(retry_after("0", SystemTime::now()), Some(Duration::ZERO));
    }
}
