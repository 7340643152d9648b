//! Refusals by something that is no Bowline server, or that stands before one. Spec: 02-carriers, "Errors".

use std::fmt;
use std::time::Duration;

use bowline_protocol::{Close, CloseCode, Form, Millis, Time};

use super::{End, Engine, Finding, Transport};

/// An attempt or a carrier that ended for a reason which only the application or whoever runs the
/// server, or the network, can mend.
///
/// As text it says what was met, whose fault that is and what to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// What refused it.
    pub cause: Cause,
    /// What was met: `HTTP 404`, or the words of the operating system or of the TLS library.
    pub detail: Box<str>,
    /// When to come back, as the answer's `Retry-After` says it.
    pub retry_after: Option<Duration>,
}

/// Defines the causes and every lookup from one table.
macro_rules! causes {
    ($($name:ident = $number:literal, $code:literal, $advice:literal;)*) => {
        /// What refused a request, in words that programs compare.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Cause {
            $(#[doc = concat!("`", $code, "`: ", $advice, ".")] $name = $number,)*
        }

        impl Cause {
            /// The cause with this number: hosts of other languages know them by it.
            #[must_use]
            pub const fn from_number(number: u32) -> Option<Self> {
                match number { $($number => Some(Self::$name),)* _ => None }
            }

            /// The word for it, such as `not-found`: the npm package has the same.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// Whose fault it is and what to change, for a person.
            #[must_use]
            pub const fn advice(self) -> &'static str {
                match self { $(Self::$name => $advice,)* }
            }
        }
    };
}

// The numbers are those of `client-wasm/js/causes.js`. What waiting does not mend comes first.
causes! {
    Unauthorized = 1, "unauthorized", "something before the server wants credentials: have it let \
        these requests pass, or send what it wants in a header";
    Forbidden = 2, "forbidden", "something before the server forbids these requests: a firewall, a \
        proxy or an access list has to let them pass";
    NotFound = 3, "not-found", "there is no Bowline server at this path: check the URL, the path of \
        the server's builder, and what routes requests to it";
    MethodNotAllowed = 4, "method-not-allowed", "something at this path takes other requests only, \
        so it is no Bowline server: check the URL and what routes requests to it";
    ProxyAuthentication = 5, "proxy-authentication", "a proxy wants credentials: put them into the \
        URL of the proxy that the environment names";
    Redirected = 6, "redirected", "redirects are never followed, because secrets would follow them: \
        use the URL to which it leads, or have the server's operator remove the redirect";
    Rejected = 7, "rejected", "something before the server takes these requests for wrong: its \
        operator has to let them pass";
    NotBowline = 8, "not-bowline", "something else than a Bowline server answers at this address: \
        check the URL and what routes requests to it";
    TlsExpected = 9, "tls-expected", "this port expects TLS: use https or wss in the URL";
    TlsMissing = 10, "tls-missing", "this port does not speak TLS: use http or ws in the URL, or the \
        port that does";
    UntrustedCertificate = 11, "untrusted-certificate", "nobody trusts the server's certificate: its \
        operator has to renew or complete it, or this machine has to trust its authority";
    NoWebSocket = 12, "no-websocket", "this runtime has no WebSocket that could be used: allow \
        another transport, or use a newer runtime";
    TooManyRequests = 13, "too-many-requests", "something before the server limits the rate of \
        requests: the client comes back later by itself";
    Unavailable = 14, "unavailable", "the server, or what passes requests on to it, fails: the client \
        comes back later by itself";
    UnknownHost = 15, "unknown-host", "the name of the host is not known here: check the URL and the \
        network";
    ConnectionRefused = 16, "connection-refused", "nothing listens at this host and port: check the \
        URL, and whether the server runs";
}

impl Cause {
    /// What an HTTP status says that comes without an `x` line; `None` if it says nothing about whose
    /// fault it is. 426 is of this kind: something on the way takes the `Upgrade` header out.
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

    /// True if waiting does not mend it.
    #[must_use]
    pub const fn is_lasting(self) -> bool {
        (self as u32) < Self::TooManyRequests as u32
    }

    /// True if it says something about the way of this one transport, and not about the address.
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
    /// A refusal without a time to come back.
    #[must_use]
    pub fn new(cause: Cause, detail: impl Into<Box<str>>) -> Self {
        Self { cause, detail: detail.into(), retry_after: None }
    }
}

/// What speaks for and against a cause that waiting does not mend.
///
/// A portal, a proxy or a load balancer in the middle of a change may answer anything, on one transport or
/// for a moment. So the client gives up only when all transports were refused that way in two rounds in a
/// row, and never when it has been welcomed once: the server is there then.
#[derive(Debug, Default)]
pub(super) struct Doubts {
    /// An attempt of this round failed in another way.
    doubted: bool,
    /// Rounds in a row without a doubt.
    rounds: u8,
}

impl Doubts {
    /// There is a Bowline server.
    pub(super) const fn refute(&mut self) {
        (self.doubted, self.rounds) = (true, 0);
    }

    /// A round is over. True if there is no doubt left.
    const fn is_certain(&mut self, refused: bool) -> bool {
        self.rounds = if refused && !self.doubted { self.rounds + 1 } else { 0 };
        self.doubted = false;
        self.rounds >= ROUNDS
    }
}

impl<F: Form> Engine<F> {
    /// Looks at what has just failed. Browsers do not say why a WebSocket has: then it says nothing.
    pub(super) fn weigh(&mut self, transport: Transport) {
        let Some(why) = &self.last_failure else { return };
        let says_nothing = transport == Transport::WebSocket && matches!(why, End::Lost(_));
        self.doubts.doubted |= !says_nothing && !why.is_lasting();
    }

    /// Every transport has failed: true if that will not change by itself.
    pub(super) fn is_hopeless(&mut self) -> bool {
        let is_new = self.last_transport.is_none() && self.is_fresh();
        let refused = self.last_failure.as_ref().is_some_and(End::is_lasting);
        self.doubts.is_certain(is_new && refused)
    }

    /// The application is told, and the client does not come back.
    pub(super) fn give_up(&mut self, now: Time) {
        self.stopped(Close::new(CloseCode::NO_CARRIER), now);
    }

    /// Something limits the rate of requests: the same transport is tried later.
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

    /// A wait that is at least as long as the answer that has just failed asked for, within bounds.
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

/// Rounds in a row that prove it.
const ROUNDS: u8 = 2;
/// The longest wait that is granted: whoever asks for a day is not worth a day.
const LONGEST_ASKED: Millis = Millis::from_secs(300);

#[cfg(test)]
mod tests {
    use super::Cause;

    #[test]
    fn the_npm_package_has_the_same_causes_in_the_same_order() {
        let script = include_str!("../../../client-wasm/js/causes.js");
        let written: Vec<&str> = script
            .lines()
            .filter_map(|line| Some(line.strip_prefix("  \"")?.split_once(": ")?.0))
            .collect();
        let codes: Vec<&str> =
            (1..).map_while(Cause::from_number).map(|cause| cause.code()).collect();
        assert_eq!(written, codes);
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
