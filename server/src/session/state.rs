//! The state behind the lock of a session.

use std::any::TypeId;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::task::Waker;

use bowline_protocol::{
    Attachment, CarrierId, Close, Message, MessageKind, Packet, ProtocolError, Retry, Session,
    SessionEvent, Time, Token,
};

use super::away::Away;
use super::expiry::Expiry;
use super::grants::Grants;
use super::limits::Limits;
use super::nesting::{self, AtWork, Queued};
use super::quiet::Quiet;
use super::streams::Streams;
use super::stuck::Stuck;
use super::timers::Deadline;
use super::work::{Work, cost};
use super::{After, Ended, Waiting};
use crate::config::{Config, Extension};
use crate::names::{namespace_of, user_of};
use bowline_protocol::Transport;

/// The core, and what the server keeps for the session beside it.
pub(crate) struct State {
    pub(crate) core: Session,
    phase: OpenPhase,
    /// The phase has changed, which the carrier has to act on although nothing is transmitted yet.
    phase_changed: bool,
    pub(crate) transport: Option<Transport>,
    /// The waker of the task that writes the current carrier, while it has nothing to write.
    waker: Option<(CarrierId, Waker)>,
    /// That task is running, and checks for something to write before it waits again.
    awake: bool,
    pub(super) stuck: Option<Stuck>,
    pub(super) quiet: Quiet,
    pub(crate) away: Away,
    pub(super) expiry: Option<Box<Expiry>>,
    pub(super) grants: Option<Box<Grants>>,
    pub(super) streams: Option<Box<Streams>>,
    pub(super) limits: Option<Box<Limits>>,
    /// The server's requests that the client has not answered, and which handler waits for the
    /// answer.
    pub(crate) waiting: HashMap<u64, (Waiting, Option<AtWork>)>,
    /// Messages that wait for their handler, oldest first.
    pub(super) inbox: VecDeque<Delivery>,
    /// Those of them that the client has sent within requests of the server.
    pub(super) queued: Queued,
    /// One of them arrived, or a handler began to wait for the client, since the last check
    /// whether all handlers wait for each other.
    pub(super) may_be_stuck: bool,
    pub(crate) inbox_bytes: usize,
    /// Bytes that a carrier holds because the inbox has no room for them.
    pub(super) unread: u32,
    /// The bytes that the server's budget counts for this session.
    pub(super) counted: u32,
    /// A carrier was stopped because the inbox was full.
    pub(crate) inbox_was_full: bool,
    /// The number of running handlers.
    pub(super) runners: usize,
    /// State of pending handlers.
    pub(super) work: Option<Box<Work>>,
    /// A set that is as small as a list while it is empty, and is quick to search when it is
    /// large.
    pub(crate) rooms: BTreeSet<Arc<str>>,
    extensions: HashMap<TypeId, Extension>,
    pub(crate) ticket: Option<Box<PendingTicket>>,
    /// The deadline of this session that is filed with the timers.
    pub(crate) scheduled: Option<Time>,
    finished: bool,
    /// The session has ended, and the server has not acted on it yet.
    ended: bool,
    /// The session continues on another node.
    pub(super) has_parted: bool,
    /// The server has notified its client that the node drains.
    pub(super) was_sent_away: bool,
    /// It was open and had a carrier.
    pub(super) has_begun: bool,
}

/// Whether the application has let the session in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OpenPhase {
    /// The connect hook is running: the session sends nothing, and no handler runs.
    Asking,
    Open,
    /// The hook refused: the client receives the close, and neither handlers nor the disconnect
    /// hook run.
    Refused,
}

/// One entry of the inbox: what the application has to handle.
#[derive(Debug)]
pub(crate) enum Delivery {
    Message {
        kind: MessageKind,
        number: u64,
        message: Message,
        /// The number of the server's request within which the client sent this; 0 for none.
        within: u64,
        /// The message does not share the buffer in which it arrived.
        is_apart: bool,
    },
    /// Whether the client is away (`true`) or has come back (`false`).
    Away(bool),
    /// The last delivery of a session.
    Ended(Close),
}

/// A ticket for an SSE stream that was issued and not used.
#[derive(Debug)]
pub(crate) struct PendingTicket {
    pub(crate) token: Token,
    pub(crate) attachment: Attachment,
    pub(crate) expires: Time,
}

impl State {
    pub(crate) fn new(core: Session, now: Time) -> Self {
        Self {
            core,
            phase: OpenPhase::Asking,
            phase_changed: false,
            transport: None,
            waker: None,
            awake: false,
            stuck: None,
            quiet: Quiet::new(now),
            away: Away::default(),
            expiry: None,
            grants: None,
            streams: None,
            limits: None,
            waiting: HashMap::new(),
            inbox: VecDeque::new(),
            queued: Queued::default(),
            may_be_stuck: false,
            inbox_bytes: 0,
            unread: 0,
            counted: 0,
            inbox_was_full: false,
            runners: 0,
            work: None,
            rooms: BTreeSet::new(),
            extensions: HashMap::new(),
            ticket: None,
            scheduled: None,
            finished: false,
            ended: false,
            has_parted: false,
            was_sent_away: false,
            has_begun: false,
        }
    }

    /// Numbers a packet and passes it to the core.
    pub(super) fn receive_packet(
        &mut self,
        next: &mut u64,
        packet: Packet,
        now: Time,
    ) -> Result<(), ProtocolError> {
        let number = *next;
        match &packet {
            Packet::Position(stated) => {
                *next = *stated;
                return Ok(());
            }
            // A client that only changes its carrier closes the carrier, and the session does not
            // end.
            Packet::Close(close) if close.code.retry() != Retry::Stop => return Ok(()),
            _ => *next += u64::from(packet.is_tracked()),
        }
        self.core.handle_packet(number, packet, now)?;
        self.collect();
        Ok(())
    }

    /// Acts on a deadline. Has no effect if another deadline was filed since `filed_for`. True if
    /// handlers of a session that has ended were given up.
    pub(super) fn tick(&mut self, filed_for: Time, config: &Config, now: Time) -> bool {
        if self.scheduled.take_if(|at| *at == filed_for).is_some() {
            if self.inbox_was_full {
                self.core.excuse_silence(now);
            }
            self.core.handle_timeout(now);
            self.handle_expiry(now);
            self.handle_grants(now);
            self.handle_limits(now);
            self.handle_stuck_carrier(config.write_timeout, now);
            return self.handle_work(config.handler_deadline, now);
        }
        false
    }

    /// Forgets a request for whose answer nobody waits any more.
    pub(crate) fn forget_request(&mut self, request: u64) {
        self.core.forget_request(request);
        self.waiting.remove(&request);
    }

    /// True for a client that polls, while a poll is attached or the next one is awaited.
    pub(crate) fn polls(&self) -> bool {
        self.transport == Some(Transport::Polling) && self.core.is_attached()
    }

    pub(crate) const fn phase(&self) -> OpenPhase {
        self.phase
    }

    pub(crate) const fn set_phase(&mut self, phase: OpenPhase) {
        self.phase = phase;
        self.phase_changed = true;
    }

    pub(super) fn set_waker(&mut self, carrier: CarrierId, waker: &Waker) {
        self.awake = false;
        self.stuck = None;
        match &mut self.waker {
            Some((current, known)) if *current == carrier => known.clone_from(waker),
            other => *other = Some((carrier, waker.clone())),
        }
    }

    /// True if the session receives from this carrier. The carrier is about to write, so it needs
    /// no wake-up until it waits again.
    pub(super) fn receives_from(&mut self, carrier: CarrierId) -> bool {
        self.awake = self.core.serves(carrier);
        self.core.hears(carrier)
    }

    /// The carrier that waits to be woken, 0 for none.
    pub(super) fn waiting(&self) -> u64 {
        let waker = self.waker.as_ref().filter(|_| !self.awake);
        waker.map_or(0, |(carrier, _)| carrier.place())
    }

    /// True while the current carrier waits for something to write.
    pub(super) fn is_parked(&self) -> bool {
        !self.awake && self.waker.as_ref().is_some_and(|(carrier, _)| self.core.serves(*carrier))
    }

    /// A carrier died while it waited. If silence is the cause, the heartbeat interval becomes
    /// shorter.
    pub(super) fn died_quietly(&mut self, now: Time) {
        if let Some(heartbeat) = self.quiet.died(self.core.heartbeat(), now) {
            log::debug!("connections die of silence: a heartbeat each {heartbeat:?}");
            self.core.set_heartbeat(heartbeat);
        }
    }

    /// A carrier has ended, perhaps while it was writing: then no task is about to write any more.
    pub(super) fn forget_waker(&mut self, carrier: CarrierId) {
        self.waker.take_if(|(waiting, _)| *waiting == carrier);
        self.awake &= self.core.is_attached();
    }

    /// The user of the session. The names of all other rooms are behind that of a user's.
    pub(super) fn user(&self) -> Option<&str> {
        self.rooms.first().and_then(|room| user_of(room))
    }

    /// The namespaces that the session has joined.
    pub(crate) fn namespaces(&self) -> impl Iterator<Item = &str> {
        self.rooms.iter().filter_map(|room| namespace_of(room))
    }

    pub(super) fn extensions(&self) -> impl Iterator<Item = (&TypeId, &Extension)> {
        self.extensions.iter()
    }

    /// Shared, so that the application's code for cloning and dropping runs without the lock.
    pub(crate) fn extension(&self, kind: TypeId) -> Option<Extension> {
        self.extensions.get(&kind).cloned()
    }

    /// Returns the value that it replaces, to be dropped without the lock.
    pub(crate) fn set_extension(&mut self, kind: TypeId, value: Extension) -> Option<Extension> {
        self.extensions.insert(kind, value)
    }

    /// The effects of the last change, now that it is complete.
    pub(super) fn settle(&mut self, config: &Config, now: Time) -> After {
        self.collect();
        let refused =
            if self.may_be_stuck { self.refuse_stuck(config.concurrency, now) } else { Vec::new() };
        let away = self.settle_away(config, now);
        let refresh = self.settle_expiry(now);
        self.core.release_events();
        let room_again = self.inbox_was_full && self.inbox_bytes == 0;
        let decided = self.phase != OpenPhase::Asking;
        let wake = !self.awake
            && (room_again
                || std::mem::take(&mut self.phase_changed)
                || (decided && self.core.wants_transmit(now))
                || (!decided && self.core.owes_heartbeat())
                || self.carrier_is_gone());
        let wake = wake.then(|| self.waker.take()).flatten().map(|(_, waker)| waker);
        // If no carrier could be woken for the room in the inbox, the next carrier that waits is.
        self.inbox_was_full &= !(room_again && wake.is_some());
        let runners = self.start_runners(config.concurrency);
        self.settle_work(config.handler_deadline, now);
        let finished = !self.finished && self.core.is_finished(now) && self.is_done();
        self.finished |= finished;
        After {
            wake,
            schedule: self.reschedule(now),
            refused,
            away,
            refresh,
            expired: self.take_expired(),
            ended: self.take_ended(),
            finished,
            runners,
        }
    }

    /// Like [`Self::settle`] after an event was accepted: this affects only the carrier, if it
    /// waits.
    pub(super) fn settle_emit(&mut self, now: Time) -> Option<Waker> {
        // Usually an earlier event has woken it already.
        self.waker.as_ref().filter(|_| !self.awake)?;
        let wake = self.phase != OpenPhase::Asking && self.core.wants_transmit(now);
        wake.then(|| self.waker.take()).flatten().map(|(_, waker)| waker)
    }

    /// True if serving a carrier has no further effects, as is usual unless it has written the last
    /// packet: the next deadline is later than the one that is filed. A carrier that could not
    /// accept everything must not count as waiting.
    pub(super) fn is_settled_when_served(&self, now: Time) -> bool {
        let goes_on = self.core.is_attached() && self.core.closed().is_none();
        let waits = self.waker.is_some() && !self.awake;
        goes_on && !self.inbox_was_full && !(waits && self.core.wants_transmit(now))
    }

    /// True if an answer has no effects for now: the carrier that received the request is about to
    /// write the answer, and settles the rest. If the session has ended, no carrier may come any
    /// more.
    pub(super) fn is_settled_when_handled(&self, _: Time) -> bool {
        self.awake && self.core.closed().is_none()
    }

    /// The list of rooms is part of the result: the disconnect hook may complete, and the list be
    /// empty, before the end has been processed. No room is added to it any more.
    fn take_ended(&mut self) -> Option<Ended> {
        let close = self.core.closed().filter(|_| self.ended)?;
        self.ended = false;
        let rooms = self.rooms.iter().cloned().collect();
        Some(Ended {
            code: close.code,
            rooms,
            transport: self.transport,
            has_parted: self.has_parted,
            has_begun: self.has_begun,
        })
    }

    /// Moves the core's events to where they are handled.
    fn collect(&mut self) {
        while let Some(event) = self.core.poll_event() {
            match event {
                SessionEvent::Message { kind, number, mut message } => {
                    let mut within = 0;
                    if kind == MessageKind::Request {
                        within = nesting::take_mark(&mut message);
                    }
                    if within > 0 {
                        self.queued.insert(within);
                        self.may_be_stuck = true;
                    }
                    self.inbox_bytes += cost(&message);
                    let is_apart = false;
                    let waiting = Delivery::Message { kind, number, message, within, is_apart };
                    self.inbox.push_back(waiting);
                }
                SessionEvent::Answered { request, outcome } => {
                    let waiting = self.waiting.remove(&request);
                    if self.waiting.is_empty() {
                        // An idle session keeps no table.
                        self.waiting = HashMap::new();
                    }
                    // The receiver may have been dropped.
                    match waiting.map(|(waiting, _)| waiting) {
                        Some(Waiting::One(sender)) => drop(sender.send(outcome)),
                        Some(Waiting::Many(session, sender)) => {
                            drop(sender.send((session, outcome)))
                        }
                        Some(Waiting::Refresh) => self.refreshed(outcome),
                        None => {}
                    }
                }
                SessionEvent::Ended(close) => {
                    self.inbox.push_back(Delivery::Ended(close));
                    self.ended = true;
                }
                SessionEvent::Alive(_) | SessionEvent::Dismissed(_) => {}
            }
        }
    }

    fn carrier_is_gone(&self) -> bool {
        self.waker.as_ref().is_some_and(|(carrier, _)| !self.core.serves(*carrier))
    }

    fn reschedule(&mut self, now: Time) -> Option<Deadline> {
        let own = Time::earliest(self.away.deadline(), self.expiry_deadline());
        let own = Time::earliest(own, self.grants_deadline());
        let own = Time::earliest(own, self.limits_deadline());
        let own = Time::earliest(own, self.stuck_deadline());
        let own = Time::earliest(own, self.work_deadline());
        // The core of a session that only waits for its handlers has no deadline any more.
        let core = if self.core.is_finished(now) { None } else { self.core.poll_timeout() };
        let at = Time::earliest(core, own)?;
        if self.scheduled.is_some_and(|filed| filed <= at) || self.finished {
            return None;
        }
        Some(Deadline { at, instead_of: self.scheduled.replace(at) })
    }
}
