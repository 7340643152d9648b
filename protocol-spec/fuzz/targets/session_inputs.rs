//! Any calls in any order, any packets, any clock: a session never panics and keeps its promises.

#![no_main]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bowline_protocol::{
    Attachment, CarrierId, Close, CloseCode, Encoded, Failure, MessageKind, Packet, Payload,
    SendError, Session, SessionConfig, SessionEvent, Take, Time, Transmit,
};
use bytestring::ByteString;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let mut subject = Subject::new(input.byte());
    while !input.0.is_empty() {
        subject.call(&mut input);
        subject.check();
    }
});

/// The bytes that are left. An empty input is all zeroes.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        first
    }

    /// Mostly near what the session knows, sometimes anything.
    fn number(&mut self, near: u64) -> u64 {
        match self.byte() {
            255 => u64::from(self.byte()) << 45,
            byte => (near + u64::from(byte % 8)).saturating_sub(3),
        }
    }

    fn line(&mut self) -> ByteString {
        let length = usize::from(self.byte()).min(self.0.len());
        let (line, rest) = self.0.split_at(length);
        self.0 = rest;
        String::from_utf8_lossy(line).into_owned().into()
    }
}

struct Subject {
    session: Session,
    server: bool,
    limit: usize,
    now: Time,
    carriers: Vec<CarrierId>,
    /// The last number that was transmitted, and that was taken.
    transmitted: u64,
    emitted: u64,
    received: u64,
    exempt: usize,
    open: BTreeSet<u64>,
    /// The last request.
    asked: u64,
    ended: bool,
}

impl Subject {
    fn new(kind: u8) -> Self {
        let server = kind & 1 == 1;
        let mut config = if server { SessionConfig::server() } else { SessionConfig::client() };
        let settings = Arc::make_mut(&mut config);
        settings.outbox_limit = if kind & 2 == 2 { 500 } else { 100_000 };
        let limit = settings.outbox_limit;
        let now = Time::from_millis(1_000_000);
        Self {
            session: Session::new(config, u64::from(kind), now),
            server,
            limit,
            now,
            carriers: Vec::new(),
            transmitted: 0,
            emitted: 0,
            received: 0,
            exempt: 0,
            open: BTreeSet::new(),
            asked: 0,
            ended: false,
        }
    }

    fn call(&mut self, input: &mut Input<'_>) {
        match input.byte() % 24 {
            0 => self.attach(input),
            1 => {
                if let Some(carrier) = self.carrier(input) {
                    self.session.detach(carrier, self.now);
                }
            }
            2 | 3 => self.transmit(input),
            4 => self.pass_time(input),
            5 | 6 => self.emit(input),
            7 => self.request(input),
            8 => self.reply(input),
            9 => drop(self.session.emit_volatile(packet(b'v', input))),
            10 => self.session.retransmit(),
            11 => self.session.probe("probe".into()),
            12 => {
                let request = input.number(self.asked);
                let kept = self.session.unconfirmed();
                let withdrawn = self.session.forget_request(request);
                assert!(self.open.remove(&request) || !withdrawn, "{request} was not open");
                assert_eq!(kept - self.session.unconfirmed(), usize::from(withdrawn));
            }
            13 => self.end(input),
            14 => self.reopen(input),
            15 => drop(self.session.state_received()),
            16 => self.session.dismiss(Close::new(CloseCode::DRAINING)),
            17 => self.short_packet(input),
            18 => self.session.lose_unsent_requests(),
            19 => self.hold(input),
            20 => self.emit_ahead(input),
            21 if !self.session.is_attached() => self.session.mark_stale(),
            _ => self.read_packet(input),
        }
        if self.session.closed().is_none() {
            self.emitted = self.session.confirmed() + self.session.unconfirmed() as u64;
        }
    }

    fn attach(&mut self, input: &mut Input<'_>) {
        let take = |input: &mut Input<'_>| {
            let (from, last) = (instance(input), input.number(self.session.received()));
            Take { from, last, kept: last }
        };
        let was_stale = self.session.is_stale();
        let attachment = Attachment {
            counter: input.number(self.session.counter() + 1),
            peer_received: input.number(self.session.confirmed()),
            peer_sent: if was_stale { input.number(self.session.received()) } else { 0 },
            instance: instance(input),
            take: (input.byte() > 128).then(|| take(input)),
        };
        let fresh = attachment.counter > self.session.counter();
        let goes_on = self.session.check_owner(attachment.instance).is_ok();
        let admitted = self.session.admit(&attachment);
        let before = self.session.ownership().clone();
        match self.session.attach(attachment, self.now) {
            Ok(carrier) => {
                assert!(admitted.is_ok() && attachment.peer_received <= self.transmitted);
                let known = attachment.peer_sent <= self.session.received();
                assert!(known || !was_stale, "it would take again what was handled");
                let is_owner = goes_on || was_stale;
                assert!((fresh && is_owner) || attachment.take.is_some());
                assert!(!self.session.is_stale());
                assert_eq!(self.session.check_owner(attachment.instance), Ok(()));
                assert!(is_owner || !self.carriers.iter().any(|old| self.session.hears(*old)));
                self.carriers.push(carrier);
            }
            Err(error) => {
                let violates = attachment.peer_received > self.transmitted;
                assert!(admitted == Err(error) || (admitted.is_ok() && violates));
                assert_eq!(*self.session.ownership(), before, "a refusal changes nothing");
            }
        }
    }

    fn transmit(&mut self, input: &mut Input<'_>) {
        let Some(carrier) = self.carrier(input) else { return };
        let wanted = self.session.wants_transmit(self.now);
        let Ok(transmit) = self.session.poll_transmit(carrier, self.now) else { return };
        assert_eq!(transmit.is_some(), wanted);
        if let Some(Transmit::Tracked { number, packet }) = transmit {
            assert!(number <= self.transmitted + 1, "a number was skipped");
            let may_go = self.session.held_after().is_none_or(|before| number <= before);
            assert!(may_go, "{number} is held");
            assert!(number > self.session.confirmed(), "what is confirmed is not sent");
            self.transmitted = self.transmitted.max(number);
            drop(packet);
        }
    }

    fn pass_time(&mut self, input: &mut Input<'_>) {
        let step = Duration::from_millis(u64::from(input.byte()) * u64::from(input.byte()) * 10);
        self.now = match input.byte() {
            0 => Time::from_millis(self.now.as_millis().saturating_sub(500)),
            1 => self.session.poll_timeout().map_or(self.now, |at| at.min(LATEST)),
            _ => (self.now + step).min(LATEST),
        };
        self.session.handle_timeout(self.now);
        let next = self.session.poll_timeout();
        let over = self.session.is_finished(self.now);
        assert!(over || next.is_none_or(|at| at > self.now), "{next:?} is a busy loop");
    }

    fn emit(&mut self, input: &mut Input<'_>) {
        let sent = self.session.emit(packet(b'e', input), self.now);
        if let Some(number) = self.sent(sent) {
            assert_eq!(number, self.emitted + 1, "numbers follow each other");
        }
    }

    fn request(&mut self, input: &mut Input<'_>) {
        let deadline = self.now + Duration::from_millis(u64::from(input.byte()) * 100);
        let sent = self.session.request(packet(b'q', input), deadline, self.now);
        self.asked_one(sent);
    }

    /// The set-up of a session begins, or ends.
    fn hold(&mut self, input: &mut Input<'_>) {
        if self.ended || input.byte() < 128 {
            return self.session.release();
        }
        self.session.hold();
        assert_eq!(self.session.held_after(), Some(self.transmitted), "what was sent is not held");
    }

    fn emit_ahead(&mut self, input: &mut Input<'_>) {
        let held = self.session.held_after();
        if input.byte() < 128 {
            let sent = self.session.emit_ahead(packet(b'e', input), self.now);
            if let Some(number) = self.sent(sent) {
                assert_eq!(number, held.unwrap_or(self.emitted) + 1, "it goes before what is held");
            }
        } else {
            let deadline = self.now + Duration::from_millis(u64::from(input.byte()) * 100);
            let sent = self.session.request_ahead(packet(b'q', input), deadline, self.now);
            self.asked_one(sent);
        }
    }

    fn asked_one(&mut self, sent: Result<u64, SendError>) {
        if let Some(id) = self.sent(sent) {
            assert!(id > self.asked, "{id} is not the first of its name");
            self.asked = id;
            self.open.insert(id);
        }
    }

    fn reply(&mut self, input: &mut Input<'_>) {
        let packet = packet(b'r', input);
        let cost = packet.size() + 64;
        let sent = self.session.reply(packet, self.now);
        if self.sent(sent).is_some() && !self.server {
            self.exempt += cost;
        }
    }

    fn sent(&mut self, sent: Result<u64, SendError>) -> Option<u64> {
        match sent {
            Ok(number) => {
                assert!(!self.ended, "a closed session took a packet");
                Some(number)
            }
            Err(error) => {
                assert_eq!(error == SendError::Closed, self.ended);
                None
            }
        }
    }

    fn end(&mut self, input: &mut Input<'_>) {
        let close = Close::new(CloseCode::NORMAL);
        match input.byte() {
            0..100 => self.session.close(close, self.now),
            100..110 => self.session.abort(close, self.now),
            _ => {}
        }
    }

    fn reopen(&mut self, input: &mut Input<'_>) {
        if self.server || self.ended || input.byte() > 60 {
            return;
        }
        let confirmed = self.session.confirmed();
        let report = self.session.reopen(self.now);
        let sent = report.confirmed + report.unknown;
        assert!(report.confirmed == confirmed && sent <= self.transmitted, "{report:?}");
        self.carriers.clear();
        (self.transmitted, self.received) = (0, 0);
        self.events();
    }

    /// A packet that fits what the session knows.
    fn short_packet(&mut self, input: &mut Input<'_>) {
        let packet = match input.byte() % 6 {
            0 => Packet::Confirm(input.number(self.session.confirmed() + 1)),
            1 => Packet::Heartbeat("".into()),
            2 => Packet::Alive("probe".into()),
            3 => Packet::Reply(input.number(self.emitted), Payload::default()),
            4 => Packet::Failure(
                input.number(self.emitted),
                Failure { code: "no".into(), payload: Payload::default() },
            ),
            _ => Packet::Close(Close::new(
                CloseCode::ALL[usize::from(input.byte()) % CloseCode::ALL.len()],
            )),
        };
        self.handle(packet, input);
    }

    fn read_packet(&mut self, input: &mut Input<'_>) {
        let line = input.line();
        if let Ok(packet) = Packet::parse(&line) {
            self.handle(packet, input);
        }
    }

    fn handle(&mut self, packet: Packet, input: &mut Input<'_>) {
        if let Packet::Welcome(welcome) = &packet
            && !self.server
        {
            let known = welcome.received <= self.transmitted;
            assert_eq!(self.session.handle_welcome(welcome, self.now).is_ok(), known);
            return;
        }
        let number = input.number(self.session.received() + 2);
        let (tracked, over) = (packet.is_tracked(), self.ended);
        let before = self.session.received();
        let taken = self.session.handle_packet(number, packet, self.now);
        let is_next = tracked && !over && number == before + 1;
        assert_eq!(self.session.received(), before + u64::from(is_next));
        if tracked && !over && number > before + 1 {
            assert!(taken.is_err(), "a gap was taken");
        }
        if taken.is_err() && input.byte() < 200 {
            self.session.abort(Close::new(CloseCode::PROTOCOL_VIOLATION), self.now);
        }
    }

    fn carrier(&self, input: &mut Input<'_>) -> Option<CarrierId> {
        let back = usize::from(input.byte()).saturating_sub(200) % 4;
        self.carriers.iter().rev().nth(back).copied()
    }

    fn check(&mut self) {
        self.events();
        let confirmed = self.session.confirmed();
        assert!(confirmed <= self.transmitted, "confirmed before it was sent");
        let alone = self.session.unconfirmed() <= 1;
        assert!(
            alone || self.session.outbox_bytes() <= 2 * self.limit + self.exempt,
            "over the limit"
        );
        assert_eq!(self.session.closed().is_some(), self.ended);
        assert!(!self.session.is_finished(self.now) || self.ended);
        if self.session.unconfirmed() == 0 {
            assert_eq!(self.session.outbox_bytes(), 0);
        }
    }

    fn events(&mut self) {
        while let Some(event) = self.session.poll_event() {
            assert!(!self.ended, "{event:?} after the end");
            match event {
                SessionEvent::Message { kind: MessageKind::Volatile, number, .. } => {
                    assert_eq!(number, 0);
                }
                SessionEvent::Message { number, .. } => {
                    assert!(number > self.received, "{number} was delivered before");
                    self.received = number;
                }
                SessionEvent::Answered { request, .. } => {
                    assert!(self.open.remove(&request), "{request} has two outcomes");
                }
                SessionEvent::Alive(token) => assert!(!token.is_empty()),
                SessionEvent::Dismissed(_) => assert!(!self.session.is_attached()),
                SessionEvent::Ended(_) => {
                    self.ended = true;
                }
            }
        }
    }
}

/// One of few.
fn instance(input: &mut Input<'_>) -> u64 {
    u64::from(input.byte() % 4)
}

fn packet(kind: u8, input: &mut Input<'_>) -> Encoded {
    let payload = Payload::json("x".repeat(usize::from(input.byte())));
    let payload = if input.byte() > 200 { payload.with_bytes(vec![7; 9].into()) } else { payload };
    let request = u64::from(input.byte());
    match kind {
        b'e' => Encoded::event("say", &payload),
        b'q' => Encoded::request("ask", &payload),
        b'v' => Encoded::volatile("now", &payload),
        _ => Encoded::reply(request, &payload),
    }
    .expect("a good message")
}

/// Later the clock would stand still, because time saturates.
const LATEST: Time = Time::from_millis(1 << 60);
