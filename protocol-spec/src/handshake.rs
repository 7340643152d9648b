//! The first lines: `open`, `attach` and `welcome`.
//!
//! Spec: 03-opening.

use std::fmt;
use std::time::Duration;

use crate::scan::{Scanner, number, position};
use crate::time::millis;
use crate::write::{put_number, put_payload};
use crate::{Limits, OpenKey, ProtocolError, Secret, SessionId, Token, VERSION};

/// The name of the request with which a server asks for a new authentication before the present one
/// expires. Client libraries answer it.
///
/// Spec: 03-opening, "Authentication that expires".
pub const AUTH: &str = "bowline.auth";

/// Asks for a new session. A repeated `open` with the same key attaches to the session that the
/// first one opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// The random key that the client made for this session.
    pub key: OpenKey,
    /// The attach counter: the attachment with the highest counter of an instance is the current
    /// one.
    pub counter: u64,
    /// The instance of the client; 0 for an instance without a name.
    pub instance: u64,
    /// The take-over, if this instance continues the session of another one.
    pub take: Option<Take>,
    /// The authentication of the application, JSON; empty when absent.
    pub auth: Box<str>,
}

/// Asks to attach to an existing session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attach {
    /// The session.
    pub session: SessionId,
    /// The secret that proves that the client owns the session.
    pub secret: Secret,
    /// The attach counter; 0 in the body of a POST, which does not attach.
    pub counter: u64,
    /// The number of tracked packets of the server that the client has received.
    pub received: u64,
    /// The number of the first tracked packet after this line.
    pub next: u64,
    /// The number of the last tracked packet that the client has sent on any carrier: at least
    /// `next - 1`.
    pub last: u64,
    /// The instance of the client; 0 for an instance without a name.
    pub instance: u64,
    /// The take-over, if this instance continues the session of another one.
    pub take: Option<Take>,
    /// Asks the server to respond to a poll at once with a welcome. The server always sends a
    /// welcome on the other carriers.
    pub greet: bool,
}

/// A request to continue the session of another instance of the same client.
///
/// Spec: 03-opening, "Instances".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Take {
    /// The instance whose session this one continues.
    pub from: u64,
    /// The number of the last tracked packet that the earlier instance is known to have sent on
    /// any carrier.
    pub last: u64,
    /// The number of the last tracked packet that this instance took over, sent or not: at least
    /// `last`.
    pub kept: u64,
}

/// The server's answer to `open` and `attach`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Welcome {
    /// The session.
    pub session: SessionId,
    /// The secret; only in the answer to an `open`.
    pub secret: Option<Secret>,
    /// The number of tracked packets of the client that the server has received.
    pub received: u64,
    /// The number of the first tracked packet after this line.
    pub next: u64,
    /// How long the carrier may be silent before the server sends a heartbeat.
    pub heartbeat: Duration,
    /// How long the server then waits for a sign of life.
    pub grace: Duration,
    /// How long the server keeps the session without a carrier.
    pub window: Duration,
    /// The limits of the server.
    pub limits: Limits,
}

impl Open {
    pub(crate) fn read(mut scan: Scanner<'_>) -> Result<Self, ProtocolError> {
        let (mut key, mut counter, mut version) = (None, None, None);
        let mut claim = Claim::default();
        while let Some((name, value)) = scan.key_value() {
            match name {
                "v" => version = Some(number(value)?),
                "key" => key = Some(value.parse()?),
                "n" => counter = Some(number(value)?),
                _ => claim.read(name, value)?,
            }
        }
        check_version(version)?;
        Ok(Self {
            key: required(key)?,
            counter: required(counter)?,
            instance: claim.instance,
            take: claim.take(1),
            auth: scan.rest().unwrap_or_default().into(),
        })
    }
}

impl Attach {
    pub(crate) fn read(mut scan: Scanner<'_>) -> Result<Self, ProtocolError> {
        let (mut session, mut secret, mut received, mut next) = (None, None, None, None);
        let (mut counter, mut version, mut greet) = (0, None, false);
        let mut claim = Claim::default();
        while let Some((name, value)) = scan.key_value() {
            match name {
                "v" => version = Some(number(value)?),
                "sid" => session = Some(value.parse()?),
                "secret" => secret = Some(value.parse()?),
                "n" => counter = number(value)?,
                "recv" => received = Some(number(value)?),
                "next" => next = Some(position(value)?),
                "greet" => greet = number(value)? != 0,
                _ => claim.read(name, value)?,
            }
        }
        scan.end()?;
        check_version(version)?;
        let next = required(next)?;
        let last = claim.last(next);
        Ok(Self {
            session: required(session)?,
            secret: required(secret)?,
            counter,
            received: required(received)?,
            next,
            last,
            instance: claim.instance,
            take: claim.take(next),
            greet,
        })
    }
}

impl Welcome {
    pub(crate) fn read(mut scan: Scanner<'_>) -> Result<Self, ProtocolError> {
        let (mut session, mut secret, mut received, mut next) = (None, None, None, None);
        let (mut heartbeat, mut grace, mut window) = (None, None, None);
        let mut limits = Limits::default();
        let duration = |value| number(value).map(|millis| Some(Duration::from_millis(millis)));
        let size = |value| number(value).map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        while let Some((name, value)) = scan.key_value() {
            match name {
                "sid" => session = Some(value.parse()?),
                "secret" => secret = Some(value.parse()?),
                "recv" => received = Some(number(value)?),
                "next" => next = Some(position(value)?),
                "heartbeat" => heartbeat = duration(value)?,
                "grace" => grace = duration(value)?,
                "window" => window = duration(value)?,
                "packet" => limits.packet = size(value)?,
                "batch" => limits.batch = size(value)?,
                _ => {}
            }
        }
        scan.end()?;
        Ok(Self {
            session: required(session)?,
            secret,
            received: required(received)?,
            next: required(next)?,
            heartbeat: required(heartbeat)?,
            grace: required(grace)?,
            window: required(window)?,
            limits,
        })
    }
}

impl Open {
    /// Writes the line for the wire, with its secrets: do not log it.
    ///
    /// # Errors
    /// When `out` fails.
    pub fn write_line(&self, out: &mut impl fmt::Write) -> fmt::Result {
        put_number(out, "open v=", VERSION.into())?;
        put_token(out, " key=", &self.key)?;
        put_number(out, " n=", self.counter)?;
        write_claim(self.instance, self.take, out)?;
        put_payload(&self.auth, out)
    }
}

impl Attach {
    /// Writes the line for the wire, with its secrets: do not log it.
    ///
    /// # Errors
    /// When `out` fails.
    pub fn write_line(&self, out: &mut impl fmt::Write) -> fmt::Result {
        put_number(out, "attach v=", VERSION.into())?;
        out.write_str(" sid=")?;
        self.session.write(out)?;
        put_token(out, " secret=", &self.secret)?;
        if self.counter > 0 {
            put_number(out, " n=", self.counter)?;
        }
        put_number(out, " recv=", self.received)?;
        put_number(out, " next=", self.next)?;
        write_claim(self.instance, self.take, out)?;
        if self.take.is_none() && self.last >= self.next {
            put_number(out, " last=", self.last)?;
        }
        if self.greet { out.write_str(" greet=1") } else { Ok(()) }
    }
}

impl Welcome {
    /// Writes the line for the wire, with its secrets: do not log it.
    ///
    /// # Errors
    /// When `out` fails.
    pub fn write_line(&self, out: &mut impl fmt::Write) -> fmt::Result {
        out.write_str("welcome sid=")?;
        self.session.write(out)?;
        if let Some(secret) = &self.secret {
            put_token(out, " secret=", secret)?;
        }
        put_number(out, " recv=", self.received)?;
        put_number(out, " next=", self.next)?;
        put_number(out, " heartbeat=", millis(self.heartbeat))?;
        put_number(out, " grace=", millis(self.grace))?;
        put_number(out, " window=", millis(self.window))?;
        put_number(out, " packet=", self.limits.packet as u64)?;
        put_number(out, " batch=", self.limits.batch as u64)
    }
}

/// The pairs that name the instance, and the instance that it continues.
#[derive(Default)]
struct Claim {
    instance: u64,
    from: Option<u64>,
    last: Option<u64>,
    kept: u64,
}

impl Claim {
    fn read(&mut self, name: &str, value: &str) -> Result<(), ProtocolError> {
        match name {
            "by" => self.instance = number(value)?,
            "take" => self.from = Some(number(value)?),
            "last" => self.last = Some(number(value)?),
            "kept" => self.kept = number(value)?,
            _ => {}
        }
        Ok(())
    }

    /// A line without `last` states that the client has sent nothing after `next - 1`.
    fn last(&self, next: u64) -> u64 {
        self.last.unwrap_or(next - 1)
    }

    fn take(&self, next: u64) -> Option<Take> {
        let last = self.last(next);
        self.from.map(|from| Take { from, last, kept: self.kept.max(last) })
    }
}

fn write_claim(instance: u64, take: Option<Take>, out: &mut impl fmt::Write) -> fmt::Result {
    if instance > 0 {
        put_number(out, " by=", instance)?;
    }
    let Some(Take { from, last, kept }) = take else { return Ok(()) };
    put_number(out, " take=", from)?;
    put_number(out, " last=", last)?;
    if kept > last { put_number(out, " kept=", kept) } else { Ok(()) }
}

/// Writes a word and, directly after it, a secret.
fn put_token(out: &mut impl fmt::Write, word: &str, token: &Token) -> fmt::Result {
    out.write_str(word)?;
    out.write_str(&token.reveal())
}

impl fmt::Display for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_line(f)
    }
}

impl fmt::Display for Attach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_line(f)
    }
}

impl fmt::Display for Welcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_line(f)
    }
}

fn check_version(version: Option<u64>) -> Result<(), ProtocolError> {
    match version {
        Some(version) if version == u64::from(VERSION) => Ok(()),
        Some(_) => Err(ProtocolError::UnsupportedVersion),
        None => Err(ProtocolError::Malformed("the version is missing")),
    }
}

fn required<T>(value: Option<T>) -> Result<T, ProtocolError> {
    value.ok_or(ProtocolError::Malformed("a required key=value is missing"))
}
