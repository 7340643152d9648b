//! Lines by their fields, which are on the desk: JavaScript parses those of the server
//! (`js/read.js`) and writes those of the client (`js/desk.js`).

use std::time::Duration;

use bowline_client::engine::{Cause, End, FirstLine, Refused};
use bowline_protocol::{
    Close, CloseCode, Failure, Limits, Message, NodeId, OpenKey, Packet, ProtocolError, Secret,
    SessionId, Take, Token, Welcome,
};

use super::acts::millis;
use super::desk::{self, bytes, left, next, numbers, taken};
use super::values::{Part, Values};

/// The identity that an earlier page has stored.
pub(super) enum Known {
    /// The key of an open.
    Key(OpenKey),
    /// A session and its secret.
    Session(SessionId, Secret),
}

/// Takes a packet; `size` is the size of its line and the bytes beside it.
pub(super) fn packet(size: usize) -> Result<Packet<Values>, ProtocolError> {
    let kind = next() as u32;
    let (number, at) = (next() as u64, next() as usize);
    let payload = Part { at, size };
    let message = Message { name: (), payload };
    Ok(match kind {
        EVENT => Packet::Event(message),
        REQUEST => Packet::Request(message),
        VOLATILE => Packet::Volatile(message),
        REPLY => Packet::Reply(number, payload),
        FAILURE => Packet::Failure(number, Failure { code: (), payload }),
        CONFIRM => Packet::Confirm(number),
        POSITION => Packet::Position(number),
        HEARTBEAT => Packet::Heartbeat(taken().into()),
        ALIVE => Packet::Alive(taken().into()),
        CLOSE => Packet::Close(close(number)),
        WELCOME => Packet::Welcome(Box::new(welcome())),
        UNKNOWN => return Err(ProtocolError::UnknownPacket),
        _ => return Err(ProtocolError::Malformed("a line does not follow the grammar")),
    })
}

/// Takes why something ended: a close, or a text beside an HTTP status or the number of a cause,
/// and the milliseconds after which to retry.
pub(super) fn end(cause: f64, asked: f64) -> End {
    if next() as u32 == CLOSE {
        let code = next() as u64;
        next();
        return End::Close(close(code));
    }
    let (words, number) = (taken(), cause as u32);
    let cause = if number < 100 { Cause::from_number(number) } else { Cause::of_status(number) };
    let Some(cause) = cause else { return End::Lost(words) };
    let retry_after = (asked > 0.0).then(|| millis(asked).into());
    End::Refused(Refused { cause, detail: words.into(), retry_after })
}

/// Takes the result of a trial. An empty text means success.
pub(super) fn outcome(cause: f64, asked: f64) -> Result<(), End> {
    match end(cause, asked) {
        End::Lost(words) if words.is_empty() => Ok(()),
        end => Err(end),
    }
}

/// Takes a text that is not a line.
pub(super) fn words() -> String {
    next();
    taken()
}

/// Takes the identity of an earlier page, if there is one.
pub(super) fn known() -> Option<Known> {
    match next() as u32 {
        KEY => Some(Known::Key(Token::from_bytes(bytes()))),
        WELCOME => {
            // A welcome has neither number nor payload.
            next();
            next();
            let welcome = welcome();
            Some(Known::Session(welcome.session, welcome.secret?))
        }
        _ => None,
    }
}

fn welcome() -> Welcome {
    let [received, next_number] = [(); 2].map(|()| next() as u64);
    let [heartbeat, grace, window] = [(); 3].map(|()| Duration::from_millis(next() as u64));
    let mut limits = Limits::default();
    for limit in [&mut limits.packet, &mut limits.batch] {
        *limit = optional().map_or(*limit, |bytes| bytes as usize);
    }
    let session = SessionId::new(NodeId::from_bytes(bytes()), bytes());
    let secret = (left() > 0).then(|| Token::from_bytes(bytes()));
    Welcome { session, secret, received, next: next_number, heartbeat, grace, window, limits }
}

fn close(code: u64) -> Close {
    let (retry, last) = (optional(), optional());
    let code = CloseCode::from_wire(code as u16).unwrap_or(CloseCode::MALFORMED);
    let mut close = Close::received(code, taken());
    close.retry_after = retry.map(Duration::from_millis);
    close.last = last;
    close
}

fn optional() -> Option<u64> {
    let number = next();
    (number >= 0.0).then_some(number as u64)
}

/// Leaves a first line.
pub(super) fn first(line: &FirstLine) {
    match line {
        FirstLine::Open(open) => {
            pairs(open.counter, [ABSENT; 2], (open.instance, open.take), ABSENT, false);
            desk::first(open.key.reveal_bytes(), open.auth.as_bytes());
        }
        FirstLine::Attach(attach) => {
            let last = if attach.last < attach.next { ABSENT } else { attach.last as f64 };
            let position = [attach.received as f64, attach.next as f64];
            pairs(attach.counter, position, (attach.instance, attach.take), last, attach.greet);
            let mut ids = Vec::with_capacity(34);
            ids.extend_from_slice(attach.session.node().as_bytes());
            ids.extend_from_slice(attach.session.local());
            ids.extend_from_slice(attach.secret.reveal_bytes());
            desk::first(&ids, b"");
        }
    }
}

/// Leaves the numbers of a first line.
fn pairs(
    counter: u64,
    [received, next]: [f64; 2],
    (by, take): (u64, Option<Take>),
    last: f64,
    greet: bool,
) {
    let (from, last, kept) = take.map_or((ABSENT, last, ABSENT), |Take { from, last, kept }| {
        (from as f64, last as f64, if kept > last { kept as f64 } else { ABSENT })
    });
    let positive = |number: u64| if number > 0 { number as f64 } else { ABSENT };
    numbers(positive(counter), received, next);
    numbers(positive(by), from, last);
    numbers(kept, positive(greet.into()), ABSENT);
}

/// Leaves a line that the session has not stored.
pub(super) fn control(packet: &Packet<Values>) {
    let (kind, number, text) = match packet {
        Packet::Confirm(through) => (CONFIRM, Some(*through), ""),
        Packet::Position(next) => (POSITION, Some(*next), ""),
        Packet::Heartbeat(token) => (HEARTBEAT, None, &**token),
        Packet::Alive(token) => (ALIVE, None, &**token),
        Packet::Close(close) => (CLOSE, Some(close.code.get().into()), close.reason()),
        _ => return,
    };
    desk::control(kind, number.map_or(ABSENT, |number| number as f64), text.as_bytes());
}

/// A number that a line does not have.
const ABSENT: f64 = -1.0;

/// The types of packets.
const EVENT: u32 = b'e' as u32;
const REQUEST: u32 = b'q' as u32;
const VOLATILE: u32 = b'v' as u32;
const REPLY: u32 = b'r' as u32;
const FAILURE: u32 = b'f' as u32;
const CONFIRM: u32 = b'c' as u32;
const POSITION: u32 = b'n' as u32;
const HEARTBEAT: u32 = b'h' as u32;
const ALIVE: u32 = b'a' as u32;

super::numbers::from_file! { "../../js/read.js": UNKNOWN KEY WELCOME CLOSE }
