//! One end of a session, with all its invariants.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use bowline_protocol::{
    AnswerError, CarrierGone, CarrierId, Close, CloseCode, Encoded, Failure, LatestOutcome,
    Message, MessageKind, Packet, Payload, SendError, Session, SessionConfig, SessionEvent, Time,
    Transmit,
};

use crate::checkpoint::Stored;
use crate::messages::{LATEST, encode, payload, volatile};
use crate::network::{Happening, Network, Side, What};

#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) session: Session,
    side: Side,
    limit: usize,
    /// The log of the packets that this side sends.
    pub(crate) log: usize,
    /// The log of the other side; the client learns it from the welcome.
    pub(crate) peer_log: Option<usize>,
    /// Requests without an outcome.
    open: BTreeMap<u64, Asked>,
    /// A client's new session is being set up: packets after this number wait.
    held_after: Option<u64>,
    /// Packets that were emitted in earlier sessions.
    before: u64,
    /// The bytes that clients may store beyond the limit: their answers.
    exempt: usize,
    volatile_sent: u64,
    /// The last one, and the last one with a key.
    volatile_seen: [u64; 2],
    pub(crate) ended: Option<Close>,
    /// For a server that continues from a checkpoint: the log of the previous process.
    pub(crate) follows: Option<usize>,
    aborted: bool,
}

/// A request without an outcome.
#[derive(Debug, Clone, Copy)]
struct Asked {
    number: u64,
    /// When its timeout passes.
    deadline: Time,
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
            held_after: None,
            before: 0,
            exempt: 0,
            volatile_sent: 0,
            volatile_seen: [0; 2],
            ended: None,
            follows: None,
            aborted: false,
        }
    }

    /// Continues from a checkpoint: everything emitted since is lost.
    pub(crate) fn revived(
        stored: Stored,
        limit: usize,
        (log, peer_log): (usize, usize),
        io: &mut Network,
    ) -> Self {
        let mut end = Self::new(Side::Server, io);
        let mut config = SessionConfig::server();
        let settings = Arc::make_mut(&mut config);
        (settings.heartbeat, settings.grace, settings.window) = (HEARTBEAT, GRACE, WINDOW);
        settings.outbox_limit = limit;
        end.session = Session::new(config, io.rng.next(), io.now);
        end.limit = limit;
        let last = stored.last();
        stored.restore(&mut end.session);
        io.truth.logs[end.log] = io.truth.logs[log].first(last);
        (end.follows, end.peer_log) = (Some(log), Some(peer_log));
        // Above the counts of the previous process.
        end.volatile_sent = io.now.as_millis() << 20;
        end
    }

    /// True if a checkpoint may be made: packets keep their numbers.
    pub(crate) fn is_settled(&self, io: &Network) -> bool {
        let transmitted = io.truth.logs[self.log].transmitted;
        self.ended.is_none() && self.open.values().all(|asked| asked.number <= transmitted)
    }

    pub(crate) const fn limit(&self) -> usize {
        self.limit
    }

    /// Another process or page continues from the stored state of this one.
    pub(crate) fn copy(&self, io: &mut Network) -> Self {
        let mut config = SessionConfig::client();
        let settings = Arc::make_mut(&mut config);
        (settings.heartbeat, settings.grace, settings.window) = (HEARTBEAT, GRACE, WINDOW);
        settings.outbox_limit = self.limit;
        let mut session = Session::new(config, io.rng.next(), io.now);
        let kept = self.session.kept().cloned().collect();
        session.restore(self.session.received(), self.session.confirmed(), kept);
        Self {
            session,
            side: self.side,
            limit: self.limit,
            log: io.truth.copy_log(self.log),
            peer_log: self.peer_log,
            // No caller waits for the answers there.
            open: BTreeMap::new(),
            // It is a page without a set-up.
            held_after: None,
            before: 0,
            exempt: self.exempt,
            volatile_sent: 0,
            volatile_seen: [0; 2],
            ended: None,
            follows: None,
            aborted: false,
        }
    }

    /// The server's part: another instance of the client owns the session now.
    pub(crate) fn hand_on(&mut self, log: usize, io: &mut Network) {
        let before = self.peer_log.replace(log).expect("it was another one's");
        io.truth.hand_on(before, log, self.session.received());
        self.volatile_seen = [0; 2];
    }

    pub(crate) fn emit(&mut self, io: &mut Network) {
        let message: Message = Message { name: "say".into(), payload: payload(io) };
        let packet = Encoded::event(&message.name, &message.payload).expect("a good message");
        let ahead = self.is_set_up_by_chance(io);
        let sent = if ahead {
            self.session.emit_ahead(packet.clone(), io.now)
        } else {
            self.session.emit(packet.clone(), io.now)
        };
        let number = self.sent(sent, &packet, Packet::Event(message), ahead, io);
        assert!(number.is_none_or(|number| sent == Ok(number)), "numbers follow each other");
    }

    pub(crate) fn request(&mut self, io: &mut Network) {
        let message: Message = Message { name: "ask".into(), payload: payload(io) };
        let packet = Encoded::request(&message.name, &message.payload).expect("a good message");
        let deadline = io.now + Duration::from_millis(io.rng.between(1, 8000));
        let ahead = self.is_set_up_by_chance(io);
        let sent = if ahead {
            self.session.request_ahead(packet.clone(), deadline, io.now)
        } else {
            self.session.request(packet.clone(), deadline, io.now)
        };
        let number = self.sent(sent, &packet, Packet::Request(message), ahead, io);
        let Some(number) = number else { return };
        let id = self.before + io.truth.logs[self.log].emitted();
        assert_eq!(sent, Ok(id), "each request has an id of its own");
        self.open.insert(id, Asked { number, deadline });
        if io.rng.chance(5) {
            self.forget(id, io);
        }
    }

    /// A new session may need a set-up, before queued packets are sent.
    pub(crate) fn require_set_up(&mut self, io: &mut Network) {
        if !io.healed && io.rng.chance(30) {
            io.stats.count(What::SetUps);
            self.session.hold();
            self.held_after = Some(0);
        }
    }

    pub(crate) fn finish_set_up(&mut self, io: &Network) {
        if self.held_after.take().is_some() {
            io.trace(|| format!("{:?} is set up", self.side));
            self.session.release();
        }
    }

    /// During a set-up, half of the packets belong to it.
    fn is_set_up_by_chance(&self, io: &mut Network) -> bool {
        self.held_after.is_some() && io.rng.chance(50)
    }

    /// The application stops waiting for one of its requests.
    pub(crate) fn forget_one(&mut self, io: &mut Network) {
        let at = io.rng.below(self.open.len().max(1) as u64) as usize;
        if let Some(&id) = self.open.keys().nth(at) {
            self.forget(id, io);
        }
    }

    fn forget(&mut self, id: u64, io: &mut Network) {
        let asked = self.open.remove(&id).expect("it has no outcome yet");
        io.trace(|| format!("{:?} forgets {id}: {asked:?}", self.side));
        let unsent = asked.number > io.truth.logs[self.log].transmitted;
        assert_eq!(
            self.session.forget_request(id),
            unsent,
            "{asked:?} is withdrawn, or may arrive"
        );
        if unsent {
            self.withdraw(asked.number, io);
        }
    }

    /// The packet is removed as if it had never been emitted.
    fn withdraw(&mut self, number: u64, io: &mut Network) {
        io.stats.count(What::Withdrawals);
        io.truth.logs[self.log].withdraw(number);
        if let Some(before) = &mut self.held_after {
            *before -= u64::from(number <= *before);
        }
        for asked in self.open.values_mut().filter(|asked| asked.number > number) {
            asked.number -= 1;
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
        self.sent(sent, &packet, original, true, io);
    }

    pub(crate) fn emit_volatile(&mut self, io: &Network) {
        let after = io.truth.logs[self.log].emitted();
        let message = volatile(self.volatile_sent + 1, after);
        let packet = Encoded::volatile(&message.name, &message.payload).expect("a good message");
        let is_queued = if message.name == LATEST {
            self.session.emit_latest(packet, &LATEST.into()) != LatestOutcome::Dropped
        } else {
            self.session.emit_volatile(packet)
        };
        if is_queued {
            assert!(self.held_after.is_none(), "a volatile event went before the set-up");
            self.volatile_sent += 1;
        }
    }

    pub(crate) fn close(&mut self, close: Close, io: &mut Network) {
        io.trace(|| format!("{:?} closes with {close}", self.side));
        let goes_out = self.session.unconfirmed() > 0;
        self.session.close(close, io.now);
        self.take_ended(goes_out, io);
    }

    pub(crate) fn abort(&mut self, close: Close, io: &mut Network) {
        io.trace(|| format!("{:?} aborts with {close}", self.side));
        self.aborted |= self.ended.is_none();
        self.session.abort(close, io.now);
        self.take_ended(false, io);
    }

    /// Passes a packet to the session and compares the events with the expected ones.
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
                self.check_volatile(&message, in_order, io);
                io.stats.count(What::VolatileDelivered);
                vec![SessionEvent::Message { kind: MessageKind::Volatile, number: 0, message }]
            }
            Packet::Alive(token) if !over && !token.is_empty() => vec![SessionEvent::Alive(token)],
            Packet::Close(close) if close.code.retry() == bowline_protocol::Retry::Stop => {
                self.end(close, false, io)
            }
            Packet::Close(close) if !over => vec![SessionEvent::Dismissed(close)],
            _ => Vec::new(),
        };
        let events = self.events();
        assert_eq!(events, expected, "{:?} at {number}", self.side);
        events
    }

    /// Passes a packet that the session must refuse, because others are missing before it.
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
        let mut expected = self.run_out_of_time(io);
        if self.ended.is_none() && self.session.closed().is_some() {
            assert!(self.side == Side::Server && !was_attached, "only a lonely server expires");
            io.stats.count(What::Expiries);
            self.aborted = true;
            expected.extend(self.end(Close::new(CloseCode::SESSION_EXPIRED), false, io));
        }
        assert_eq!(self.events(), expected);
        let next = self.session.poll_timeout();
        assert!(
            self.session.is_finished(io.now) || next.is_none_or(|at| at > io.now),
            "{:?} at {next:?} would be a busy loop",
            self.side
        );
    }

    /// Takes the open requests that this concerns.
    fn take_open(&mut self, concerns: impl Fn(&Asked) -> bool) -> Vec<(u64, Asked)> {
        let (taken, open) = std::mem::take(&mut self.open)
            .into_iter()
            .partition::<BTreeMap<_, _>, _>(|(_, asked)| concerns(asked));
        self.open = open;
        taken.into_iter().collect()
    }

    /// Requests whose timeout has passed: those that were not sent are withdrawn.
    fn run_out_of_time(&mut self, io: &mut Network) -> Vec<SessionEvent> {
        let mut late = self.take_open(|asked| asked.deadline <= io.now);
        late.sort_unstable_by_key(|(_, asked)| asked.number);
        let transmitted = io.truth.logs[self.log].transmitted;
        // From the last one on, so that the numbers of the others stay the same.
        for (_, asked) in late.iter().rev().filter(|(_, asked)| asked.number > transmitted) {
            self.withdraw(asked.number, io);
        }
        let outcome = |(request, asked): (u64, Asked)| {
            io.stats.count(What::AnswerTimeouts);
            let sent = asked.number <= transmitted;
            SessionEvent::Answered { request, outcome: Err(AnswerError::TimedOut { sent }) }
        };
        late.into_iter().map(outcome).collect()
    }

    /// Collects the packets that the session sends, at most `most`.
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
                    let may_go = self.held_after.is_none_or(|before| *number <= before);
                    assert!(may_go || self.aborted, "{number} was sent before the set-up was over");
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

    /// As the drivers do: the client one at a time, the server as many as there is room for.
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

    /// The client begins a new session. Another instance may have its packets up to `taken`.
    pub(crate) fn reopen(&mut self, taken: Option<u64>, io: &mut Network) {
        if let Some(last) = taken {
            self.session.doubt(last);
            let log = &mut io.truth.logs[self.log];
            log.transmitted = log.transmitted.max(last.min(log.len()));
        }
        let report = self.session.reopen(io.now);
        let old = std::mem::replace(&mut self.log, io.truth.new_log());
        let old = io.truth.logs[old].clone();
        // Packets that only a refused carrier has sent are not unknown.
        let sent = report.confirmed + report.unknown;
        let elsewhere = taken.unwrap_or(0).min(old.len());
        assert!(sent >= elsewhere, "{report:?} but another instance has {elsewhere} of them");
        assert!(sent <= old.transmitted, "{report:?} but only {} were sent", old.transmitted);
        assert!(
            (report.confirmed..=sent).contains(&old.handled),
            "{report:?} but {} were handled",
            old.handled
        );
        let set_up = self.held_after.take().unwrap_or(0);
        let gone = sent.max(set_up);
        let mut lost = self.take_open(|asked| asked.number <= gone);
        lost.sort_unstable_by_key(|(_, asked)| asked.number);
        for number in sent + 1..=old.len() {
            let packet = old.packet(number).clone();
            let is_answer = matches!(packet, Packet::Reply(..) | Packet::Failure(..));
            if is_answer || number <= set_up {
                continue;
            }
            // Without `last`, a client cannot know what a copy of its state has sent.
            let id = if taken.is_some() { old.id(number) } else { io.truth.new_id() };
            let new = &mut io.truth.logs[self.log];
            new.push(packet.clone(), &encode(&packet), id);
            let moved = self.open.values_mut().find(|asked| asked.number == number);
            moved.into_iter().for_each(|asked| asked.number = new.len());
        }
        self.before += old.emitted() - io.truth.logs[self.log].len();
        let lost = lost.into_iter().map(|(request, asked)| is_lost(request, asked.number <= sent));
        assert_eq!(self.events(), lost.collect::<Vec<_>>());
        (self.peer_log, self.exempt, self.volatile_sent) = (None, 0, 0);
        self.volatile_seen = [0; 2];
    }

    /// The invariants at any time.
    pub(crate) fn check(&self, io: &Network) {
        let (log, session) = (&io.truth.logs[self.log], &self.session);
        let confirmed = session.confirmed();
        // A session that is over and has no carrier keeps its packets for its window at most.
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
        // One packet is accepted whatever its size.
        let limit = if self.side == Side::Client { 2 * self.limit } else { self.limit };
        let within = session.outbox_bytes() <= limit + self.exempt || session.unconfirmed() == 1;
        assert!(within, "the outbox is over its limit");
        if let Some(peer_log) = self.peer_log {
            assert!(session.received() <= io.truth.logs[peer_log].transmitted);
        }
        assert_eq!(session.closed().is_some(), self.ended.is_some());
    }

    /// The invariants after the network was healed and time has passed.
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
        ahead: bool,
        io: &mut Network,
    ) -> Option<u64> {
        io.trace(|| format!("{:?} emits {sent:?} {original:?}", self.side));
        match sent {
            Ok(_) => {
                assert!(self.ended.is_none(), "a closed session took a packet");
                let Some(before) = self.held_after.as_mut().filter(|_| ahead) else {
                    io.truth.push(self.log, original, packet);
                    return Some(io.truth.logs[self.log].len());
                };
                *before += 1;
                io.truth.insert(self.log, *before, original, packet);
                for asked in self.open.values_mut().filter(|asked| asked.number >= *before) {
                    asked.number += 1;
                }
                Some(*before)
            }
            Err(SendError::Full { limit }) => {
                let set = limit == self.limit || (ahead && limit == 2 * self.limit);
                assert!(set && self.limit <= 1500, "{limit} was never set");
                let client = self.side == Side::Client;
                io.stats.count(if client { What::Refusals } else { What::Overflows });
                self.aborted |= !client;
                self.take_ended(false, io);
                None
            }
            Err(SendError::Closed) => {
                assert!(self.ended.is_some(), "an open session refused a packet");
                None
            }
        }
    }

    /// The events that the application must receive for a new packet.
    fn new_packet(&mut self, packet: Packet, over: bool, io: &mut Network) -> Vec<SessionEvent> {
        let number = self.session.received();
        let peer_log = self.peer_log.expect("nothing comes before the welcome");
        let log = &mut io.truth.logs[peer_log];
        assert_eq!(&packet, log.packet(number), "{number} is not what was sent");
        if over {
            return Vec::new();
        }
        assert!(!log.dead.contains(&number), "{number} is handled, which was to be impossible");
        if self.side == Side::Server {
            io.truth.see(peer_log, number);
        }
        let log = &mut io.truth.logs[peer_log];
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
        number: u64,
        outcome: Result<Payload, AnswerError>,
        io: &mut Network,
    ) -> Vec<SessionEvent> {
        let mut open = self.open.iter();
        let request = open.find_map(|(id, asked)| (asked.number == number).then_some(*id));
        let Some(request) = request else { return Vec::new() };
        self.open.remove(&request);
        io.stats.count(What::Answers);
        vec![SessionEvent::Answered { request, outcome }]
    }

    /// Volatile events are dropped, never repeated, and keep their place among the others.
    fn check_volatile(&mut self, message: &Message, in_order: bool, io: &Network) {
        let (id, after) = message.payload.json[1..message.payload.json.len() - 1]
            .split_once(',')
            .expect("two numbers");
        let (id, after) = (id.parse().expect("a number"), after.parse().expect("a number"));
        assert_eq!(*message, volatile(id, after));
        if in_order {
            // The latest of a key may have the place of an earlier one.
            let seen = &mut self.volatile_seen[usize::from(message.name == LATEST)];
            assert!(id > *seen, "volatile {id} after {seen}");
            *seen = id;
            let log = &io.truth.logs[self.peer_log.expect("nothing comes before the welcome")];
            let before = log.through(after);
            assert_eq!(self.session.received(), before, "volatile {id} left its place");
        }
    }

    fn take_ended(&mut self, goes_out: bool, io: &mut Network) {
        let expected = match (self.ended.is_none(), self.session.closed().cloned()) {
            (true, Some(close)) => self.end(close, goes_out, io),
            _ => Vec::new(),
        };
        io.trace(|| format!("{:?} receives {expected:?}", self.side));
        assert_eq!(self.events(), expected);
    }

    /// The events with which a session ends, once. `goes_out` is true if unsent packets are still
    /// sent.
    fn end(&mut self, close: Close, goes_out: bool, io: &mut Network) -> Vec<SessionEvent> {
        if self.ended.is_some() {
            return Vec::new();
        }
        self.ended = Some(close.clone());
        let log = &mut io.truth.logs[self.log];
        let mut events = Vec::new();
        let mut open: Vec<(u64, Asked)> = std::mem::take(&mut self.open).into_iter().collect();
        open.sort_unstable_by_key(|(_, asked)| asked.number);
        for (request, asked) in open {
            let sent = goes_out || asked.number <= log.transmitted;
            log.dead.extend((!sent).then_some(asked.number));
            events.push(is_lost(request, sent));
        }
        events.push(SessionEvent::Ended(close));
        events
    }

    fn events(&mut self) -> Vec<SessionEvent> {
        std::iter::from_fn(|| self.session.poll_event()).collect()
    }
}

const fn is_lost(request: u64, sent: bool) -> SessionEvent {
    SessionEvent::Answered { request, outcome: Err(AnswerError::SessionLost { sent }) }
}

/// Short, so that silence and loss are noticed soon.
pub(crate) const HEARTBEAT: Duration = Duration::from_millis(2500);
pub(crate) const GRACE: Duration = Duration::from_millis(1500);
pub(crate) const WINDOW: Duration = Duration::from_millis(6000);
