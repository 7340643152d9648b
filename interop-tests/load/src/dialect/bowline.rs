//! Bowline's protocol, as its clients speak it: what is said in one turn leaves as one batch, and a
//! confirmation leaves with what is sent anyway after 2 KiB, at the latest after 32 packets.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{Dialect, Outgoing, Role, Seen, Transport, field, http};

/// A session.
#[derive(Debug)]
pub(crate) struct Bowline {
    role: Role,
    key: String,
    /// How lines of this session name it, once it is known.
    session: Option<String>,
    attachments: u64,
    sent: u64,
    received: u64,
    stated: u64,
    /// Bytes that were received and not confirmed.
    unconfirmed: usize,
}

impl Bowline {
    /// A session that is about to open.
    #[must_use]
    pub(crate) fn new(role: Role) -> Self {
        static OPENED: AtomicU64 = AtomicU64::new(0);
        let number = OPENED.fetch_add(1, Ordering::Relaxed);
        // 22 characters of base64 are 16 bytes when the last one has no spare bits.
        let key = format!("{:06}{number:015}A", std::process::id() % 1_000_000);
        Self {
            role,
            key,
            session: None,
            attachments: 0,
            sent: 0,
            received: 0,
            stated: 0,
            unconfirmed: 0,
        }
    }

    /// The line that begins a conversation or a body.
    fn first_line(&mut self, attaches: bool) -> String {
        let count = if attaches {
            self.attachments += 1;
            format!(" n={}", self.attachments)
        } else {
            String::new()
        };
        self.confirmed();
        match &self.session {
            None => format!("open v=1 key={}{count}", self.key),
            Some(session) => {
                let (received, next) = (self.received, self.sent + 1);
                format!("attach v=1 {session}{count} recv={received} next={next}")
            }
        }
    }

    /// What was received is being said.
    fn confirmed(&mut self) {
        (self.stated, self.unconfirmed) = (self.received, 0);
    }

    fn confirm(&mut self, out: &mut Outgoing) {
        self.confirmed();
        out.message(&[b"c ", self.received.to_string().as_bytes()]);
    }

    fn line(
        &mut self,
        line: &[u8],
        out: &mut Outgoing,
        seen: &mut dyn FnMut(Seen<'_>),
    ) -> Result<(), String> {
        match line {
            [b'r', b' ', ..] => {
                self.received += 1;
                seen(if self.role == Role::Member { Seen::Ready } else { Seen::Answer(line) });
            }
            [b'e', b' ', b'm', b's', b'g', b' ', b'"', rest @ ..] => {
                self.received += 1;
                seen(Seen::Delivery(rest));
            }
            [b'h', ..] => out.message(&[b"a"]),
            // The server's confirmations free an outbox that is not kept here. An empty body is a
            // poll that a newer one has ended.
            [b'c' | b'n', b' ', ..] | [] => {}
            [b'w', b'e', b'l', ..] => self.welcomed(line, out, seen)?,
            _ => return Err(String::from_utf8_lossy(line).into_owned()),
        }
        Ok(())
    }

    fn welcomed(
        &mut self,
        line: &[u8],
        out: &mut Outgoing,
        seen: &mut dyn FnMut(Seen<'_>),
    ) -> Result<(), String> {
        if self.session.is_some() {
            seen(Seen::Ready);
            return Ok(());
        }
        let (id, secret) = (field(line, " sid=", b" ")?, field(line, " secret=", b" ")?);
        self.session = Some(format!("sid={id} secret={secret}"));
        if self.role == Role::Member {
            self.sent += 1;
            out.message(&[b"q join"]);
        } else {
            seen(Seen::Ready);
        }
        Ok(())
    }
}

impl Dialect for Bowline {
    fn socket_path(&self) -> &'static str {
        "/bowline/ws"
    }

    fn opened(&mut self, out: &mut Outgoing, _: &mut dyn FnMut(Seen<'_>)) {
        let line = self.first_line(true);
        out.message(&[line.as_bytes()]);
    }

    fn message(
        &mut self,
        message: &[u8],
        out: &mut Outgoing,
        seen: &mut dyn FnMut(Seen<'_>),
    ) -> Result<(), String> {
        for line in message.split(|byte| *byte == SEPARATOR) {
            self.line(line, out, seen)?;
        }
        self.unconfirmed += message.len();
        if self.received - self.stated >= CONFIRM_COUNT {
            self.confirm(out);
        }
        Ok(())
    }

    fn request(&mut self, payload: &[u8], out: &mut Outgoing) {
        if self.unconfirmed >= CONFIRM_BESIDE {
            self.confirm(out);
        }
        self.sent += 1;
        out.message(&[b"q echo \"", payload, b"\""]);
    }

    fn publish(&mut self, payload: &[u8], out: &mut Outgoing) {
        self.sent += 1;
        out.message(&[b"e pub \"", payload, b"\""]);
    }

    fn separator(&self, transport: Transport) -> Option<u8> {
        let is_apart = self.role == Role::Apart && transport == Transport::WebSocket;
        (!is_apart).then_some(SEPARATOR)
    }

    fn open(&mut self, transport: Transport, out: &mut Vec<u8>) {
        let path = if transport == Transport::Events { "/bowline/sse" } else { "/bowline/poll" };
        let line = self.first_line(true);
        http::post(path, &[line.as_bytes()], out);
    }

    fn poll(&mut self, out: &mut Vec<u8>) {
        let line = self.first_line(true);
        http::post("/bowline/poll", &[line.as_bytes()], out);
    }

    fn post(&mut self, batch: &[u8], out: &mut Vec<u8>) {
        let packets = batch.split(|byte| *byte == SEPARATOR);
        let tracked = packets.filter(|line| matches!(line, [b'e' | b'q', ..])).count() as u64;
        self.sent -= tracked;
        let line = self.first_line(false);
        self.sent += tracked;
        http::post("/bowline/post", &[line.as_bytes(), &[SEPARATOR], batch], out);
    }

    fn resume(&mut self) {
        self.confirmed();
    }
}

const SEPARATOR: u8 = b'\n';

/// Packets after which a confirmation is due.
const CONFIRM_COUNT: u64 = 32;

/// Bytes after which one goes out with what is sent anyway.
const CONFIRM_BESIDE: usize = 2 * 1024;
