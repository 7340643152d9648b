//! The registry of close codes: one table that feeds the constants, the lookups and the documents.
//!
//! Spec: 07-close-codes.

use std::fmt::{self, Write as _};
use std::time::Duration;

use crate::invalid::InvalidMessage;
use crate::json;

/// What a client does after a close.
///
/// Spec: 07-close-codes, "Retry classes".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Retry {
    /// Attach to the same session again after a back-off; no packet is lost yet.
    Attach,
    /// The session is gone. Report the packets that may or may not have been handled and, by
    /// default, open a new session.
    Reopen,
    /// Attach again after the time that the close packet states.
    Later,
    /// Do not reconnect automatically: the answer would be the same.
    Stop,
    /// Do nothing: only this carrier ended, and another one serves the session.
    Ignore,
}

/// Why a carrier or a session ended: the number in close packets and WebSocket close frames.
///
/// Spec: 07-close-codes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CloseCode(u16);

impl CloseCode {
    /// The code for an application's own reason, 4500 to 4999. `None` outside that range.
    #[must_use]
    pub const fn application(code: u16) -> Option<Self> {
        if code >= 4500 && code <= 4999 { Some(Self(code)) } else { None }
    }

    /// Any number that a peer may send: 1000 to 4999.
    #[must_use]
    pub const fn from_wire(code: u16) -> Option<Self> {
        if code >= 1000 && code <= 4999 { Some(Self(code)) } else { None }
    }

    /// The number on the wire.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }
}

/// Defines the constants and every lookup from one table.
macro_rules! close_codes {
    ($($name:ident = $code:literal, $retry:ident, $status:literal, $meaning:literal;)*) => {
        impl CloseCode {
            $(#[doc = concat!($meaning, ". Retry class: [`Retry::", stringify!($retry), "`].")]
            pub const $name: Self = Self($code);)*

            /// Every code that the protocol itself defines, in order.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The constant's name, or `None` for a code the protocol does not define.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self.0 { $($code => Some(stringify!($name)),)* _ => None }
            }

            /// One line that describes what happened.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self.0 {
                    $($code => $meaning,)*
                    4500..=4999 => "the application closed it",
                    _ => "unknown close code",
                }
            }

            /// What a client does next. Codes of the application have the class [`Retry::Stop`]; a
            /// client treats an unknown code as a lost carrier.
            #[must_use]
            pub const fn retry(self) -> Retry {
                match self.0 {
                    $($code => Retry::$retry,)*
                    4500..=4999 => Retry::Stop,
                    _ => Retry::Attach,
                }
            }

            /// The HTTP status of a response that refuses a request with this code.
            #[must_use]
            pub const fn http_status(self) -> u16 {
                match self.0 { $($code => $status,)* 4500..=4999 => 403, _ => 500 }
            }
        }
    };
}

close_codes! {
    NORMAL              = 1000, Stop,   200, "the session was closed on purpose";
    DRAINING            = 4000, Later,  503, "the server shuts down and states when to reconnect";
    REPLACED            = 4001, Ignore, 409, "a newer attachment serves the session";
    HEARTBEAT_TIMEOUT   = 4002, Attach, 408, "no bytes arrived within the heartbeat and its grace";
    HANDSHAKE_TIMEOUT   = 4003, Attach, 408, "the attachment's first line did not arrive in time";
    INTERNAL            = 4004, Attach, 500, "something failed on the server";
    SESSION_EXPIRED     = 4100, Reopen, 404, "no session has this id and secret, or it expired";
    SESSION_RESTARTED   = 4101, Reopen, 404, "the server that held the session was restarted";
    SESSION_GAP         = 4102, Reopen, 409, "the end has dropped packets that the peer needs";
    SLOW_CONSUMER       = 4103, Reopen, 409, "the peer reads too slowly and the outbox is full";
    AUTH_EXPIRED        = 4104, Reopen, 401, "the authentication was not renewed in time";
    SESSION_TAKEN       = 4105, Reopen, 409, "another instance of the client took the session over";
    TOO_MANY_SESSIONS   = 4200, Later,  503, "a limit on the number of sessions is reached";
    REFUSED             = 4300, Stop,   403, "the application refused the session";
    ORIGIN_REFUSED      = 4301, Stop,   403, "the page's origin may not use this server";
    UNSUPPORTED_VERSION = 4302, Stop,   400, "the server refuses the protocol version";
    MALFORMED           = 4303, Stop,   400, "a line does not follow the grammar";
    UNKNOWN_PACKET      = 4304, Stop,   400, "the packet has an unknown type";
    TOO_LARGE           = 4305, Stop,   413, "a packet or a batch is larger than the limit";
    INVALID_UTF8        = 4306, Stop,   400, "text that is not UTF-8";
    PROTOCOL_VIOLATION  = 4307, Stop,   400, "a well-formed packet that may not be sent now";
    TICKET_REFUSED      = 4308, Attach, 403, "the ticket is unknown, expired or was used before";
    AUTH_REFUSED        = 4309, Stop,   401, "the application refused the renewed authentication";
    NO_CARRIER          = 4310, Stop,   502, "every transport fails, and retries would fail too";
    RATE_LIMITED        = 4311, Stop,   429, "more messages arrive than a limit allows";
}

impl fmt::Debug for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0, self.name().unwrap_or("APPLICATION"))
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0, self.meaning())
    }
}

/// A close packet: a code, optionally the time after which to come back, optionally a reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Close {
    /// The code.
    pub code: CloseCode,
    /// The time after which the client attaches again, for the class [`Retry::Later`]; sent in
    /// whole milliseconds.
    pub retry_after: Option<Duration>,
    /// The number of the last packet that the instance which took the session over has, for
    /// [`CloseCode::SESSION_TAKEN`].
    pub last: Option<u64>,
    /// The reason, as JSON on one line.
    pub(crate) reason: Box<str>,
}

impl Close {
    /// A close with a code and no reason.
    #[must_use]
    pub fn new(code: CloseCode) -> Self {
        Self::with(code, "")
    }

    /// A close with a text for people as its reason, sent as a JSON string. Any text is allowed;
    /// the function cuts it after 1,000 characters.
    #[must_use]
    pub fn with_reason(code: CloseCode, words: &str) -> Self {
        if words.is_empty() {
            return Self::new(code);
        }
        let end = words.char_indices().nth(LONGEST_WORDS).map_or(words.len(), |(at, _)| at);
        Self::with(code, json::string(&words[..end]))
    }

    /// A close with a JSON value of at most 8 KiB as its reason.
    ///
    /// # Errors
    /// When the text is longer, or is not JSON without white space between its tokens.
    pub fn with_json(code: CloseCode, json: &str) -> Result<Self, InvalidMessage> {
        if json.len() > LONGEST_REASON || !json::is_compact(json) {
            return Err(InvalidMessage::Json);
        }
        Ok(Self::with(code, json))
    }

    /// A close of a peer, with the reason of its line.
    #[must_use]
    pub fn received(code: CloseCode, reason: String) -> Self {
        Self::with(code, reason)
    }

    /// A close with this reason, which must be one line.
    pub(crate) fn with(code: CloseCode, reason: impl Into<Box<str>>) -> Self {
        Self { code, retry_after: None, last: None, reason: reason.into() }
    }

    /// The same close, with the time after which the client attaches again.
    #[must_use]
    pub fn after(self, time: Duration) -> Self {
        Self { retry_after: Some(time), ..self }
    }

    /// The reason: JSON, usually a string. Empty when there is none. A close that was received has
    /// any line as its reason, JSON or not.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// The close for an instance that has lost its session to another instance, which has its
    /// packets up to this number.
    #[must_use]
    pub fn taken(last: u64) -> Self {
        Self { last: Some(last), ..Self::new(CloseCode::SESSION_TAKEN) }
    }
}

impl fmt::Display for Close {
    /// A reason may come from an untrusted peer: characters that could change how a terminal or a
    /// page shows it are escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if self.reason.is_empty() {
            return Ok(());
        }
        f.write_str(" (")?;
        for character in self.reason.chars() {
            if is_hidden(character) {
                write!(f, "{}", character.escape_unicode())?;
            } else {
                f.write_char(character)?;
            }
        }
        f.write_str(")")
    }
}

/// True for control characters, and for characters that change the direction of text or have no
/// width.
const fn is_hidden(character: char) -> bool {
    matches!(
        character,
        '\0'..='\x1f' | '\x7f'..='\u{9f}' | '\u{61c}' | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
    )
}

/// Characters in a reason that is a text.
const LONGEST_WORDS: usize = 1000;
/// Bytes of a reason.
const LONGEST_REASON: usize = 8 * 1024;

#[cfg(test)]
mod tests {
    use super::{Close, CloseCode, LONGEST_REASON, LONGEST_WORDS};
    use crate::Packet;

    fn line(close: Close) -> String {
        let mut line = String::new();
        let packet: Packet = Packet::Close(close);
        packet.write_line(&mut line).unwrap();
        line
    }

    #[test]
    fn whatever_words_an_application_has_are_one_line_of_json() {
        let close = |words: &str| line(Close::with_reason(CloseCode::REFUSED, words));
        assert_eq!(close("bye"), "x 4300 \"bye\"");
        assert_eq!(close("a\nx 1000"), "x 4300 \"a\\u000ax 1000\"");
        assert_eq!(close("retry=5"), "x 4300 \"retry=5\"");
        assert_eq!(close(""), "x 4300");
        assert_eq!(close(&"\u{0}".repeat(5_000)).len(), "x 4300 ".len() + 2 + 6 * LONGEST_WORDS);
    }

    #[test]
    fn a_reason_that_is_no_json_is_no_reason() {
        let with = |json: &str| Close::with_json(CloseCode::REFUSED, json).map(line);
        assert_eq!(with("{\"why\":[1]}").as_deref(), Ok("x 4300 {\"why\":[1]}"));
        let long = format!("\"{}\"", "a".repeat(LONGEST_REASON));
        for wrong in ["you asked", "\"a\nb\"", "\"a\"\nx 1000", "", "retry=1", "1 2", &long] {
            assert!(with(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn what_a_peer_says_cannot_move_a_cursor_where_it_is_shown() {
        let close = Close::with(CloseCode::REFUSED, "\"a\u{9b}2J\u{202e}b\"");
        assert!(close.to_string().ends_with("(\"a\\u{9b}2J\\u{202e}b\")"), "{close}");
    }
}
