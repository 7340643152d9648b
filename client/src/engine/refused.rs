//! Refusals by something that is not a Bowline server, or stands before one. Spec: 02-carriers,
//! "Errors".

use std::fmt;
use std::time::Duration;

use bowline_protocol::{Close, CloseCode, Form, Millis, Time};

use super::{End, Engine, Finding, Transport};

/// An attempt or a carrier that ended for a reason which only the application, or the administrator
/// of the server or network, can repair.
///
/// As text it states what happened, who can repair it and what to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The cause.
    pub cause: Cause,
    /// What happened: `HTTP 404`, or the error text of the operating system or of the TLS library.
    pub detail: Box<str>,
    /// When to retry, as `Retry-After` of the response states.
    pub retry_after: Option<Duration>,
}

/// Defines the causes and every lookup from one table.
macro_rules! causes {
    ($($name:ident = $number:literal, $code:literal, $advice:literal;)*) => {
        /// The cause of a refusal, as a word that programs compare.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Cause {
            $(#[doc = concat!("`", $code, "`: ", $advice, ".")] $name = $number,)*
        }

        impl Cause {
            /// The cause with this number, by which hosts in other languages refer to it.
            #[must_use]
            pub const fn from_number(number: u32) -> Option<Self> {
                match number { $($number => Some(Self::$name),)* _ => None }
            }

            /// The word for the cause, such as `not-found`: the npm package uses the same.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// Who can repair it and what to change, as a text for people.
            #[must_use]
            pub const fn advice(self) -> &'static str {
                match self { $(Self::$name => $advice,)* }
            }
        }
    };
}

// The numbers are those of `client-wasm/js/causes.js`. Causes that waiting does not repair come
// first.
causes! {
    Unauthorized = 1, "unauthorized", "something before the server requires credentials: let it \
        pass these requests, or send them in a header";
    Forbidden = 2, "forbidden", "something before the server forbids these requests: a firewall, \
        a proxy or an access list must accept them";
    NotFound = 3, "not-found", "there is no Bowline server at this path: check the URL, the path \
        of the server's builder, and the routes to it";
    MethodNotAllowed = 4, "method-not-allowed", "something at this path refuses the method, so it \
        is no Bowline server: check the URL and the routes to it";
    ProxyAuthentication = 5, "proxy-authentication", "a proxy requires credentials: put them into \
        the URL of the proxy in the environment";
    Redirected = 6, "redirected", "redirects are never followed, because they would leak secrets: \
        use the URL to which it leads, or have the operator remove the redirect";
    Rejected = 7, "rejected", "something before the server rejects these requests: its operator \
        must let it accept them";
    NotBowline = 8, "not-bowline", "something other than a Bowline server answers at this URL: \
        check the URL and the routes to it";
    TlsExpected = 9, "tls-expected", "this port expects TLS: use https or wss in the URL";
    TlsMissing = 10, "tls-missing", "this port does not speak TLS: use http or ws in the URL, or \
        the port that does";
    UntrustedCertificate = 11, "untrusted-certificate", "the server's certificate is not trusted: \
        its operator must renew or complete it, or this machine must trust its authority";
    NoWebSocket = 12, "no-websocket", "this runtime has no usable WebSocket: allow another \
        transport, or use a newer runtime";
    TooManyRequests = 13, "too-many-requests", "something before the server limits the rate of \
        requests: the client retries later by itself";
    Unavailable = 14, "unavailable", "the server, or a proxy before it, fails: the client retries \
        later by itself";
    UnknownHost = 15, "unknown-host", "DNS has no such host name: check the URL and the network";
    ConnectionRefused = 16, "connection-refused", "nothing listens at this host and port: check \
        the URL, and whether the server runs";
}

impl Cause {
    /// The cause of an HTTP status without an `x` line; `None` if the status does not identify one.
    /// 426 is such a status: an intermediary removes the `Upgrade` header.
    #[must_use]
    pub const fn of_status(status: u32) -> Option<Self> {
        Some(match status {
            200..300 => Self::NotBowline,
            300..400 => Self::Redirected,
            401 => Self::Unauthorized,
            403 => Self::Forbidden,
            404 | 410 => Self::NotFound,
            405 => Self::MethodNotAllowed,
            407 => Self::ProxyAuthentication,
            429 => Self::TooManyRequests,
            408 | 425 | 500..600 => Self::Unavailable,
            426 => return None,
            400..500 => Self::Rejected,
            _ => return None,
        })
    }

    /// True if waiting does not repair it.
    #[must_use]
    pub const fn is_lasting(self) -> bool {
        (self as u32) < Self::TooManyRequests as u32
    }

    /// True if it concerns this one transport, and not the URL.
    pub(crate) const fn may_concern_transport(self) -> bool {
        matches!(
            self,
            Self::Forbidden
                | Self::NotFound
                | Self::MethodNotAllowed
                | Self::Rejected
                | Self::NotBowline
                | Self::Unavailable
        )
    }
}

impl Refused {
    /// A refusal without a time to retry.
    #[must_use]
    pub fn new(cause: Cause, detail: impl Into<Box<str>>) -> Self {
        Self { cause, detail: detail.into(), retry_after: None }
    }
}

/// The evidence for and against a cause that waiting does not repair.
///
/// A portal, a proxy or a load balancer that is being changed may send any response, on one
/// transport or for a moment. So the client gives up only when all transports were refused that way
/// in two rounds in a row, and never after a welcome: then the server exists.
#[derive(Debug, Default)]
pub(super) struct Doubts {
    /// An attempt of this round failed in another way.
    doubted: bool,
    /// Rounds in a row in which every attempt was refused.
    rounds: u8,
}

impl Doubts {
    /// There is a Bowline server.
    pub(super) const fn refute(&mut self) {
        (self.doubted, self.rounds) = (true, 0);
    }

    /// Ends a round. Returns true if the evidence suffices.
    const fn is_certain(&mut self, refused: bool) -> bool {
        self.rounds = if refused && !self.doubted { self.rounds + 1 } else { 0 };
        self.doubted = false;
        self.rounds >= ROUNDS
    }
}

impl<F: Form> Engine<F> {
    /// Weighs the latest failure. Browsers do not report why a WebSocket failed: that counts as
    /// nothing.
    pub(super) fn weigh(&mut self, transport: Transport) {
        let Some(why) = &self.last_failure else { return };
        let says_nothing = transport == Transport::WebSocket && matches!(why, End::Lost(_));
        self.doubts.doubted |= !says_nothing && !why.is_lasting();
    }

    /// Every transport has failed: true if waiting will not change that.
    pub(super) fn is_hopeless(&mut self) -> bool {
        let is_new = self.last_transport.is_none() && self.is_fresh();
        let refused = self.last_failure.as_ref().is_some_and(End::is_lasting);
        self.doubts.is_certain(is_new && refused)
    }

    /// Notifies the application and ends the client.
    pub(super) fn give_up(&mut self, now: Time) {
        self.stopped(Close::new(CloseCode::NO_CARRIER), now);
    }

    /// Something limits the rate of requests: the client tries the same transport later.
    pub(super) fn slow_down(&mut self, why: End, now: Time) {
        let Some(service) = self.detach(now) else { return };
        self.doubts.doubted = true;
        self.last_failure = Some(why);
        let own = self.waits.unasked(now);
        let pause = self.granted(own);
        let (finding, since) = match service.welcomed {
            Some(since) => (Finding::Lost, since),
            None => (Finding::Failed, service.began),
        };
        self.note(finding, service.transport, since, now);
        self.wait_for(pause, now);
    }

    /// A wait at least as long as the failed response asked for, within bounds.
    pub(super) fn granted(&mut self, own: Millis) -> Millis {
        let Some(End::Refused(Refused { cause, retry_after: Some(asked), .. })) =
            &self.last_failure
        else {
            return own;
        };
        if cause.is_lasting() {
            return own;
        }
        own.max(self.waits.spread(Millis::from(*asked).min(LONGEST_ASKED)))
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.detail, self.cause.advice())
    }
}

/// Rounds in a row that suffice as evidence.
const ROUNDS: u8 = 2;
/// The longest wait that a response can ask for: a day would be too long.
const LONGEST_ASKED: Millis = Millis::from_secs(300);

#[cfg(test)]
mod tests {
    use super::Cause;

    #[test]
    fn the_npm_package_has_the_same_causes_in_the_same_order() {
        let script = include_str!("../../../client-wasm/js/causes.js");
        let words =
            script.lines().filter_map(|line| line.strip_prefix("  \"")?.strip_suffix("\","));
        // There is no cause of the number 0.
        let written: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
        let codes: Vec<&str> =
            (1..).map_while(Cause::from_number).map(|cause| cause.code()).collect();
        assert_eq!(written, codes);
        let meanings = include_str!("../../../client-wasm/js/diagnostics.js");
        let has_meaning = |code: &&str| {
            [format!("  {code}: "), format!("  \"{code}\": ")]
                .iter()
                .any(|key| meanings.contains(key))
        };
        assert!(codes.iter().all(has_meaning), "diagnostics.js lacks a meaning");
    }

    #[test]
    fn only_what_waiting_mends_is_waited_for() {
        let lasting = |status| Cause::of_status(status).map(Cause::is_lasting);
        for status in [200, 301, 307, 400, 401, 403, 404, 405, 407, 410, 451] {
            assert_eq!(lasting(status), Some(true), "{status}");
        }
        for status in [408, 425, 429, 500, 502, 503, 504] {
            assert_eq!(lasting(status), Some(false), "{status}");
        }
        assert_eq!(lasting(426), None);
    }
}
