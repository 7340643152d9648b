//! One end of a session together with everything that must be true of it.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use bowline_protocol::{
    AnswerError, CarrierGone, CarrierId, Close, CloseCode, Encoded, Failure, Message, MessageKind,
    Packet, Payload, SendError, Session, SessionConfig, SessionEvent, Time, Transmit,
};

use crate::messages::{encode, payload, volatile};
use crate::network::{Happening, Network, Side, What};

#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) session: Session,
    side: Side,
    limit: usize,
    /// Where what this side sends is written down.
    pub(crate) log: usize,
    /// Where the other side writes; the client learns it from the welcome.
    pub(crate) peer_log: Option<usize>,
    /// Requests without an outcome, and when they run out of time.
    open: BTreeMap<u64, Time>,
    /// What clients may keep beyond the limit: their answers.
    exempt: usize,
    volatile_sent: u64,
    volatile_seen: u64,
    pub(crate) ended: Option<Close>,
    aborted: bool,
}

impl Endpoint {
    pub(crate) fn new(side: Side, io: &mut Network) -> Self {
        let mut config = match side {
            Side::Client => SessionConfig::client(),
            Side::Server => SessionConfig::server(),
        };
        let limit = if io.rng.chance(20) { 1500 } else { 1 << 20 };
        let settings = Arc::make_mut(&mut config);
        (settings.heartbeat, settings.grace, settings.window) = (HEARTBEAT, GRACE, WINDOW);
        settings.outbox_limit = limit;
        Self {
            session: Session::new(config, io.rng.next(), io.now),
            side,
            limit,
            log: io.truth.new_log(),
            peer_log: None,
            open: BTreeMap::new(),
            exempt: 0,
            volatile_sent: 0,
            volatile_seen: 0,
            ended: None,
            aborted: false,
        }
    }

    pub(crate) fn emit(&mut self, io: &mut Network) {
        let message: Message = Message { name: "say".into(), payload: payload(io) };
        let packet = Encoded::event(&message.name, &message.payload).expect("a good message");
        let sent = self.session.emit(packet.clone(), io.now);
        self.sent(sent, &packet, Packet::Event(message), io);
    }

    pub(crate) fn request(&mut self, io: &mut Network) {
        let message: Message = Message { name: "ask".into(), payload: payload(io) };
        let packet = Encoded::request(&message.name, &message.payload).expect("a good message");
        let deadline = io.now + Duration::from_millis(io.rng.between(1, 8000));
        let sent = self.session.request(packet.clone(), deadline, io.now);
        if let Some(number) = self.sent(sent, &packet, Packet::Request(message), io) {
            if io.rng.chance(5) {
                return self.session.forget_request(number);
            }
            self.open.insert(number, deadline);
        }
    }

    /// Answers a request of the other side.
    pub(crate) fn reply(&mut self, request: u64, io: &mut Network) {
        let payload = payload(io);
        let (packet, original) = if io.rng.chance(70) {
            (Encoded::reply(request, &payload), Packet::Reply(request, payload))
        } else {
            let failure = Failure { code: "no".into(), payload };
            (Encoded::failure(request, &failure), Packet::Failure(request, failure))
        };
        let packet = packet.expect("a good answer");
        let sent = self.session.reply(packet.clone(), io.now);
        if self.side == Side::Client {
            assert!(!matches!(sent, Err(SendError::Full { .. })), "a client's answer was refused");
            self.exempt += packet.size() + 64;
        }
        self.sent(sent, &packet, original, io);
    }

    pub(crate) fn emit_volatile(&mut self, io: &Network) {
        let after = io.truth.logs[self.log].len();
        let message = volatile(self.volatile_sent + 1, after);
        let packet = Encoded::volatile(&message.name, &message.payload).expect("a good message");
        if self.session.emit_volatile(packet) {
            self.volatile_sent += 1;
        }
    }

    pub(crate) fn close(&mut self, close: Close, io: &mut Network) {
        io.trace(|| format!("{:?} closes with {close}", self.side));
        self.session.close(close, io.now);
        self.take_ended(io);
    }

    pub(crate) fn abort(&mut self, close: Close, io: &mut Network) {
        io.trace(|| format!("{:?} aborts with {close}", self.side));
        self.aborted |= self.ended.is_none();
        self.session.abort(close, io.now);
        self.take_ended(io);
    }

    /// Hands a packet to the session and compares what comes out with what must.
    pub(crate) fn feed(
        &mut self,
        number: u64,
        packet: Packet,
        in_order: bool,
        io: &mut Network,
    ) -> Vec<SessionEvent> {
        let (before, over) = (self.session.received(), self.ended.is_some());
        io.trace(|| format!("{:?} hears {number} {packet:?}", self.side));
        self.session
            .handle_packet(number, packet.clone(), io.now)
            .unwrap_or_else(|error| panic!("an honest peer was blamed for {packet:?}: {error}"));
        let new = self.session.received() - before;
        assert!(new <= 1 && (new == 0 || packet.is_tracked()), "one packet counts as one");
        let expected = match packet {
            packet if packet.is_tracked() && new == 1 => self.new_packet(packet, over, io),
            packet if packet.is_tracked() => {
                assert!(over || number <= before, "{number} after {before} was not taken");
                io.stats.count(What::Duplicates);
                Vec::new()
            }
            Packet::Volatile(message) if !over => {
                self.check_volatile(&message, in_order);
                io.stats.count(What::VolatileDelivered);
                vec![SessionEvent::Message { kind: MessageKind::Volatile, number: 0, message }]
            }
            Packet::Alive(token) if !over && !token.is_empty() => vec![SessionEvent::Alive(token)],
            Packet::Close(close) if close.code.retry() == bowline_protocol::Retry::Stop => {
                self.end(close)
            }
            Packet::Close(close) if !over => vec![SessionEvent::Dismissed(close)],
            _ => Vec::new(),
        };
        let events = self.events();
        assert_eq!(events, expected, "{:?} at {number}", self.side);
        events
    }

    /// Hands over a packet that must not be taken, because others are missing before it.
    pub(crate) fn refuse(&mut self, number: u64, packet: Packet, io: &Network) {
        let taken = self.session.handle_packet(number, packet, io.now);
        assert!(taken.is_err() || self.ended.is_some(), "{number} was taken after a gap");
        assert_eq!(self.events(), []);
    }

    pub(crate) fn handle_timeout(&mut self, io: &mut Network) {
        let was_attached = self.session.is_attached();
        self.session.handle_timeout(io.now);
        if was_attached && !self.session.is_attached() {
            io.stats.count(What::HeartbeatDeaths);
        }
        let mut late: Vec<_> = self.open.iter().map(|(&request, &at)| (at, request)).collect();
        late.retain(|(at, _)| *at <= io.now);
        late.sort_unstable();
        let mut expected = Vec::new();
        for (_, request) in late {
            self.open.remove(&request);
            io.stats.count(What::AnswerTimeouts);
            expected.push(SessionEvent::Answered { request, outcome: Err(AnswerError::TimedOut) });
        }
        if self.ended.is_none() && self.session.closed().is_some() {
            assert!(self.side == Side::Server && !was_attached, "only a lonely server expires");
            io.stats.count(What::Expiries);
            self.aborted = true;
            expected.extend(self.end(Close::new(CloseCode::SESSION_EXPIRED)));
        }
        assert_eq!(self.events(), expected);
        let next = self.session.poll_timeout();
        assert!(
            self.session.is_finished(io.now) || next.is_none_or(|at| at > io.now),
            "{:?} at {next:?} would be a busy loop",
            self.side
        );
    }

    /// Takes what the session wants to send, `most` at most.
    pub(crate) fn drain(
        &mut self,
        carrier: CarrierId,
        most: usize,
        io: &mut Network,
    ) -> Result<Vec<Transmit>, CarrierGone> {
        let mut taken = Vec::new();
        while taken.len() < most {
            let wanted = self.session.wants_transmit(io.now);
            let some = self.take_some(carrier, most - taken.len(), io.now)?;
            assert_eq!(wanted, !some.is_empty(), "{:?}: does it want to send?", self.side);
            if some.is_empty() {
                break;
            }
            for transmit in some {
                io.trace(|| format!("{:?} sends {transmit:?}", self.side));
                if let Transmit::Tracked { number, .. } = &transmit {
                    let log = &mut io.truth.logs[self.log];
                    log.transmitted = log.transmitted.max(*number);
                }
                taken.push(transmit);
            }
            assert!(taken.len() < 10_000, "{:?} sends without end", self.side);
            if matches!(taken.last(), Some(Transmit::Control(Packet::Close(_)))) {
                break;
            }
        }
        Ok(taken)
    }

    /// As the drivers do: the client one by one, the server as much at once as there is room for.
    fn take_some(
        &mut self,
        carrier: CarrierId,
        most: usize,
        now: Time,
    ) -> Result<Vec<Transmit>, CarrierGone> {
        if self.side == Side::Client {
            return Ok(self.session.poll_transmit(carrier, now)?.into_iter().collect());
        }
        let mut taken = Vec::new();
        let any = self.session.drain(carrier, now, |transmit| {
            taken.push(transmit.share());
            if taken.len() < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        assert_eq!(any, !taken.is_empty());
        Ok(taken)
    }

    /// The client begins again; `received` is what it knows of the peer that is gone.
    pub(crate) fn reopen(&mut self, io: &mut Network) {
        let report = self.session.reopen(io.now);
        let old = std::mem::replace(&mut self.log, io.truth.new_log());
        let [old, new] = io.truth.logs.get_disjoint_mut([old, self.log]).expect("two logs");
        // What only a refused carrier was sent is not unknown.
        let sent = report.confirmed + report.unknown;
        assert!(sent <= old.transmitted, "{report:?} but only {} were sent", old.transmitted);
        assert!(
            (report.confirmed..=sent).contains(&old.handled),
            "{report:?} but {} were handled",
            old.handled
        );
        let mut open = std::mem::take(&mut self.open);
        let mut moved = Vec::new();
        for number in sent + 1..=old.len() {
            let packet = old.packet(number).clone();
            if matches!(packet, Packet::Reply(..) | Packet::Failure(..)) {
                continue;
            }
            new.push(packet.clone(), &encode(&packet));
            if let Some(deadline) = open.remove(&number) {
                self.open.insert(new.len(), deadline);
                moved.push((number, new.len()));
            }
        }
        assert_eq!(report.requests, moved, "requests that were not sent go on");
        assert_eq!(self.events(), lost(open.into_keys()));
        (self.peer_log, self.exempt, self.volatile_sent, self.volatile_seen) = (None, 0, 0, 0);
    }

    /// What must be true at any time.
    pub(crate) fn check(&self, io: &Network) {
        let (log, session) = (&io.truth.logs[self.log], &self.session);
        let confirmed = session.confirmed();
        // A session that is over and has no carrier keeps its packets for its window, no longer.
        let forgotten =
            session.is_finished(io.now) && !session.is_attached() && session.unconfirmed() == 0;
        if self.aborted || forgotten {
            assert_eq!((session.unconfirmed(), session.outbox_bytes()), (0, 0), "nothing is kept");
        } else {
            assert_eq!(session.unconfirmed() as u64, log.len() - confirmed);
            assert_eq!(session.outbox_bytes(), log.cost(confirmed));
            assert!(confirmed <= log.transmitted, "confirmed before it was sent");
            assert!(session.next_number() <= log.transmitted + 1, "a number was skipped");
            assert!(confirmed <= log.handled, "confirmed {confirmed}, handled {}", log.handled);
        }
        // One packet is taken whatever its size.
        let within =
            session.outbox_bytes() <= self.limit + self.exempt || session.unconfirmed() == 1;
        assert!(within, "the outbox is over its limit");
        if let Some(peer_log) = self.peer_log {
            assert!(session.received() <= io.truth.logs[peer_log].transmitted);
        }
        assert_eq!(session.closed().is_some(), self.ended.is_some());
    }

    /// What must be true when the network was healed and time has passed.
    pub(crate) fn check_settled(&self, io: &Network) {
        assert!(self.open.is_empty(), "{:?} has requests without an outcome", self.side);
        if self.ended.is_none() {
            let log = &io.truth.logs[self.log];
            assert_eq!(log.handled, log.len(), "{:?} emitted what was never handled", self.side);
            assert_eq!(self.session.unconfirmed(), 0, "{:?} still keeps packets", self.side);
            // A server may be between two polls.
            let attached = self.session.is_attached() || self.side == Side::Server;
            assert!(attached, "{:?} has no carrier", self.side);
        }
    }

    fn sent(
        &mut self,
        sent: Result<u64, SendError>,
        packet: &Encoded,
        original: Packet,
        io: &mut Network,
    ) -> Option<u64> {
        io.trace(|| format!("{:?} emits {sent:?} {original:?}", self.side));
        match sent {
            Ok(number) => {
                assert!(self.ended.is_none(), "a closed session took a packet");
                let log = &mut io.truth.logs[self.log];
                log.push(original, packet);
                assert_eq!(number, log.len(), "numbers follow each other");
                Some(number)
            }
            Err(SendError::Full { limit }) => {
                assert!(limit == self.limit && limit <= 1500, "{limit} was never set");
                let client = self.side == Side::Client;
                io.stats.count(if client { What::Refusals } else { What::Overflows });
                self.aborted |= !client;
                self.take_ended(io);
                None
            }
            Err(SendError::Closed) => {
                assert!(self.ended.is_some(), "an open session refused a packet");
                None
            }
        }
    }

    /// What the application must be told of a packet that came for the first time.
    fn new_packet(&mut self, packet: Packet, over: bool, io: &mut Network) -> Vec<SessionEvent> {
        let number = self.session.received();
        let log = &mut io.truth.logs[self.peer_log.expect("nothing comes before the welcome")];
        assert_eq!(&packet, log.packet(number), "{number} is not what was sent");
        if over {
            return Vec::new();
        }
        log.handled = log.handled.max(number);
        io.stats.count(What::Delivered);
        let (kind, message) = match packet {
            Packet::Event(message) => (MessageKind::Event, message),
            Packet::Request(message) => (MessageKind::Request, message),
            Packet::Reply(request, payload) => return self.answered(request, Ok(payload), io),
            Packet::Failure(request, failure) => {
                return self.answered(request, Err(AnswerError::Failed(failure)), io);
            }
            _ => unreachable!("only tracked packets come here"),
        };
        if kind == MessageKind::Request && io.rng.chance(85) {
            let delay = io.rng.below(2000) * io.rng.below(2);
            io.after(delay, Happening::Reply { side: self.side, log: self.log, request: number });
        }
        vec![SessionEvent::Message { kind, number, message }]
    }

    fn answered(
        &mut self,
        request: u64,
        outcome: Result<Payload, AnswerError>,
        io: &mut Network,
    ) -> Vec<SessionEvent> {
        let Some(_) = self.open.remove(&request) else { return Vec::new() };
        io.stats.count(What::Answers);
        vec![SessionEvent::Answered { request, outcome }]
    }

    /// Volatile events are dropped, never repeated, and stay where they were among the others.
    fn check_volatile(&mut self, message: &Message, in_order: bool) {
        let (id, after) = message.payload.json[1..message.payload.json.len() - 1]
            .split_once(',')
            .expect("two numbers");
        let (id, after) = (id.parse().expect("a number"), after.parse().expect("a number"));
        assert_eq!(*message, volatile(id, after));
        if in_order {
            assert!(id > self.volatile_seen, "volatile {id} after {}", self.volatile_seen);
            assert_eq!(self.session.received(), after, "volatile {id} left its place");
            self.volatile_seen = id;
        }
    }

    fn take_ended(&mut self, io: &Network) {
        let expected = match (self.ended.is_none(), self.session.closed().cloned()) {
            (true, Some(close)) => self.end(close),
            _ => Vec::new(),
        };
        io.trace(|| format!("{:?} is told {expected:?}", self.side));
        assert_eq!(self.events(), expected);
    }

    /// The events with which a session ends, once.
    fn end(&mut self, close: Close) -> Vec<SessionEvent> {
        if self.ended.is_some() {
            return Vec::new();
        }
        self.ended = Some(close.clone());
        let mut events = lost(std::mem::take(&mut self.open).into_keys());
        events.push(SessionEvent::Ended(close));
        events
    }

    fn events(&mut self) -> Vec<SessionEvent> {
        std::iter::from_fn(|| self.session.poll_event()).collect()
    }
}

fn lost(requests: impl Iterator<Item = u64>) -> Vec<SessionEvent> {
    let outcome = || Err(AnswerError::SessionLost);
    requests.map(|request| SessionEvent::Answered { request, outcome: outcome() }).collect()
}

/// Short, so that silence and loss are soon noticed.
pub(crate) const HEARTBEAT: Duration = Duration::from_millis(2500);
pub(crate) const GRACE: Duration = Duration::from_millis(1500);
pub(crate) const WINDOW: Duration = Duration::from_millis(6000);
