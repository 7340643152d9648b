//! Packets in the form in which they are received: one line of text, some with raw bytes.
//!
//! Spec: 04-packets.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;

use crate::buffers::BufferedLine;
use crate::form::{Buffers, Form, Lines};
use crate::handshake::{Attach, Open, Welcome};
use crate::message::{Failure, Message};
use crate::scan::{Scanner, number, position};
use crate::time::millis;
use crate::write::{put_line, put_number, put_payload};
use crate::{Close, CloseCode, Encoded, InvalidMessage, ProtocolError, Ticket};

/// One packet of either direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet<F: Form = Buffers> {
    /// `e`: a message. Tracked.
    Event(Message<F>),
    /// `q`: a message that requires an answer; its number identifies it. Tracked.
    Request(Message<F>),
    /// `r`: the answer to the peer's request of that number. Tracked.
    Reply(u64, F::Payload),
    /// `f`: the failure of the peer's request of that number. Tracked.
    Failure(u64, Failure<F>),
    /// `v`: a message that may be dropped.
    Volatile(Message<F>),
    /// `c`: the peer has received everything up to this number.
    Confirm(u64),
    /// `h`: the receiver answers at once with the same token.
    Heartbeat(Box<str>),
    /// `a`: the answer to a heartbeat.
    Alive(Box<str>),
    /// `n`: the number of the next tracked packet in this body.
    Position(u64),
    /// `x`: the carrier or the session ends.
    Close(Close),
    /// `open`: the first line of an attachment that asks for a new session.
    Open(Open),
    /// `attach`: the first line of an attachment to an existing session, and of every body after
    /// it.
    Attach(Attach),
    /// `welcome`: the answer to `open` and `attach`.
    Welcome(Box<Welcome>),
    /// `ticket`: a permission that a later request may use instead of a body.
    Ticket(Ticket),
}

impl Packet {
    /// Parses one line of text, whose bytes (if any) are base64.
    ///
    /// # Errors
    /// [`ProtocolError::UnknownPacket`] for a type that this version does not know, and
    /// [`ProtocolError::Malformed`] for a line that does not follow the grammar of 04-packets.
    pub fn parse(line: &ByteString) -> Result<Self, ProtocolError> {
        Self::read(&BufferedLine::new(line.clone(), None))
    }

    /// Parses a binary WebSocket message: a line, a newline, raw bytes.
    ///
    /// # Errors
    /// As [`Self::parse`]; also when the message has no newline, its line is not UTF-8, or its type
    /// cannot have bytes.
    pub fn parse_binary(message: &Bytes) -> Result<Self, ProtocolError> {
        let end = message
            .iter()
            .position(|&byte| byte == b'\n')
            .ok_or(ProtocolError::Malformed("a binary message is a line, a newline and bytes"))?;
        let line =
            ByteString::try_from(message.slice(..end)).map_err(|_| ProtocolError::InvalidUtf8)?;
        if !line.starts_with(|c: char| c.is_ascii_uppercase()) {
            return Err(ProtocolError::Malformed("only an upper case type has bytes"));
        }
        Self::read(&BufferedLine::new(line, Some(message.slice(end + 1..))))
    }

    /// Writes any packet. Drivers send tracked and volatile packets as [`crate::Encoded`], because
    /// several sessions share them; for completeness, this method writes them through it.
    ///
    /// # Errors
    /// When a message contains a character that no line may contain.
    pub fn write_line(&self, out: &mut impl fmt::Write) -> fmt::Result {
        match self {
            Self::Event(message) => {
                write_shared(Encoded::event(&message.name, &message.payload), out)
            }
            Self::Request(message) => {
                write_shared(Encoded::request(&message.name, &message.payload), out)
            }
            Self::Volatile(message) => {
                write_shared(Encoded::volatile(&message.name, &message.payload), out)
            }
            Self::Reply(request, payload) => write_shared(Encoded::reply(*request, payload), out),
            Self::Failure(request, failure) => {
                write_shared(Encoded::failure(*request, failure), out)
            }
            other => other.write_control(out),
        }
    }
}

impl<F: Lines> Packet<F> {
    /// Parses a line in the form that the host uses.
    ///
    /// # Errors
    /// [`ProtocolError::UnknownPacket`] for a type that this version does not know, and
    /// [`ProtocolError::Malformed`] for a line that does not follow the grammar of 04-packets.
    pub fn read(line: &F::Line) -> Result<Self, ProtocolError> {
        if F::has_control_characters(line) {
            return Err(ProtocolError::Malformed("a line has no control characters"));
        }
        let (kind, scan) = Scanner::new(F::text(line));
        match kind {
            "e" | "E" => message(line, scan, kind == "E").map(Self::Event),
            "q" | "Q" => message(line, scan, kind == "Q").map(Self::Request),
            "v" | "V" => message(line, scan, kind == "V").map(Self::Volatile),
            "r" | "R" => reply(line, scan, kind == "R"),
            "f" | "F" => failure(line, scan, kind == "F"),
            "c" => last(scan, Scanner::number).map(Self::Confirm),
            "n" => last(scan, |scan| position(scan.field("the number is missing")?))
                .map(Self::Position),
            "h" => echo(scan).map(Self::Heartbeat),
            "a" => echo(scan).map(Self::Alive),
            "x" => close(scan).map(Self::Close),
            "open" if F::SERVES => Open::read(scan).map(Self::Open),
            "attach" if F::SERVES => Attach::read(scan).map(Self::Attach),
            "welcome" => Ok(Self::Welcome(Box::new(Welcome::read(scan)?))),
            "ticket" if F::SERVES => {
                Ok(Self::Ticket(last(scan, |s| s.field("the ticket is missing"))?.parse()?))
            }
            "" => Err(ProtocolError::Malformed("the packet type is missing")),
            _ => Err(ProtocolError::UnknownPacket),
        }
    }
}

impl<F: Form> Packet<F> {
    /// True for tracked packets: they have a number, are stored until confirmed, and are delivered
    /// exactly once.
    #[must_use]
    pub const fn is_tracked(&self) -> bool {
        matches!(self, Self::Event(_) | Self::Request(_) | Self::Reply(..) | Self::Failure(..))
    }

    /// Writes a control packet or a first line.
    ///
    /// # Errors
    /// For messages and answers: [`crate::Encoded`] encodes those.
    pub fn write_control(&self, out: &mut impl fmt::Write) -> fmt::Result {
        match self {
            Self::Confirm(through) => put_number(out, "c ", *through),
            Self::Position(next) => put_number(out, "n ", *next),
            Self::Heartbeat(token) => write_echo("h", token, out),
            Self::Alive(token) => write_echo("a", token, out),
            Self::Close(close) => write_close(close, out),
            Self::Open(open) if F::SERVES => open.write_line(out),
            Self::Attach(attach) if F::SERVES => attach.write_line(out),
            Self::Welcome(welcome) if F::SERVES => welcome.write_line(out),
            Self::Ticket(ticket) if F::SERVES => {
                out.write_str("ticket ")?;
                ticket.write(out)
            }
            _ => Err(fmt::Error),
        }
    }
}

fn write_echo(kind: &str, token: &str, out: &mut impl fmt::Write) -> fmt::Result {
    out.write_str(kind)?;
    if token.is_empty() {
        return Ok(());
    }
    put_line(token, out)
}

fn write_close(close: &Close, out: &mut impl fmt::Write) -> fmt::Result {
    put_number(out, "x ", close.code.get().into())?;
    if let Some(after) = close.retry_after {
        put_number(out, " retry=", millis(after))?;
    }
    if let Some(last) = close.last {
        put_number(out, " last=", last)?;
    }
    put_payload(&close.reason, out)
}

fn write_shared(
    encoded: Result<Encoded, InvalidMessage>,
    out: &mut impl fmt::Write,
) -> fmt::Result {
    let encoded = encoded.map_err(|_| fmt::Error)?;
    out.write_str(std::str::from_utf8(encoded.text_line()).map_err(|_| fmt::Error)?)
}

fn message<F: Lines>(
    line: &F::Line,
    mut scan: Scanner<'_>,
    with_bytes: bool,
) -> Result<Message<F>, ProtocolError> {
    let name = F::name(line, scan.name()?);
    Ok(Message { name, payload: F::payload(line, scan.rest(), with_bytes)? })
}

fn reply<F: Lines>(
    line: &F::Line,
    mut scan: Scanner<'_>,
    with_bytes: bool,
) -> Result<Packet<F>, ProtocolError> {
    let request = scan.number()?;
    Ok(Packet::Reply(request, F::payload(line, scan.rest(), with_bytes)?))
}

fn failure<F: Lines>(
    line: &F::Line,
    mut scan: Scanner<'_>,
    with_bytes: bool,
) -> Result<Packet<F>, ProtocolError> {
    let request = scan.number()?;
    let code = F::name(line, scan.name()?);
    let payload = F::payload(line, scan.rest(), with_bytes)?;
    Ok(Packet::Failure(request, Failure { code, payload }))
}

fn echo(mut scan: Scanner<'_>) -> Result<Box<str>, ProtocolError> {
    if scan.rest().is_none() {
        return Ok("".into());
    }
    let token = scan.name()?.into();
    scan.end()?;
    Ok(token)
}

fn close(mut scan: Scanner<'_>) -> Result<Close, ProtocolError> {
    let code = u16::try_from(scan.number()?)
        .ok()
        .and_then(CloseCode::from_wire)
        .ok_or(ProtocolError::Malformed("a close code is a number from 1000 to 4999"))?;
    let (mut retry_after, mut last) = (None, None);
    while let Some((key, value)) = scan.key_value() {
        match key {
            "retry" => retry_after = Some(Duration::from_millis(number(value)?)),
            "last" => last = Some(number(value)?),
            _ => {}
        }
    }
    Ok(Close { code, retry_after, last, reason: scan.rest().unwrap_or_default().into() })
}

fn last<'a, T>(
    mut scan: Scanner<'a>,
    field: impl FnOnce(&mut Scanner<'a>) -> Result<T, ProtocolError>,
) -> Result<T, ProtocolError> {
    let value = field(&mut scan)?;
    scan.end()?;
    Ok(value)
}
