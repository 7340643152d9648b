//! The session core: what both ends do, without I/O, clock, randomness or async.
//!
//! Spec: 05-delivery-and-resume; 06-rooms-and-requests, "Requests"; 02-carriers, "Heartbeats".

mod config;
mod inbox;
mod liveness;
mod outbox;
mod requests;

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use bytestring::ByteString;

use crate::{
    Close, CloseCode, Encoded, Failure, Message, Packet, Payload, ProtocolError, Retry, Time,
    Welcome,
};

pub use config::SessionConfig;
use inbox::Inbox;
use liveness::{Liveness, Pulse};
use outbox::{Next, Outbox};
use requests::Requests;

/// One end of a session.
#[derive(Debug)]
pub struct Session {
    config: Arc<SessionConfig>,
    outbox: Outbox,
    inbox: Inbox,
    requests: Requests,
    liveness: Liveness,
    /// The highest attach counter seen; its attachment is the current one while `attached`.
    counter: u64,
    attached: bool,
    /// Why the last attachment is no longer current.
    gone: CarrierGone,
    /// When a session without a carrier, or one that was closed, is forgotten.
    expires: Option<Time>,
    closing: Option<Box<Closing>>,
    /// What the current carrier is told before it has to go; the session stays.
    dismissal: Option<Box<Close>>,
    /// The heartbeat that the peer wants answered.
    owes_alive: Option<ByteString>,
    owes_heartbeat: Option<ByteString>,
    events: VecDeque<SessionEvent>,
}

/// A carrier that asks to serve a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attachment {
    /// The client's attach counter.
    pub counter: u64,
    /// How many of our tracked packets the peer has received.
    pub peer_received: u64,
}

/// Names an attachment that was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CarrierId(u64);

/// What to send next on the current carrier.
#[derive(Debug, Clone)]
pub enum Transmit {
    /// A packet with a number.
    Tracked {
        /// Its number.
        number: u64,
        /// The shared bytes.
        packet: Encoded,
    },
    /// A packet without a number that may be dropped.
    Volatile(Encoded),
    /// A confirmation, heartbeat, answer to one, or close.
    Control(Packet),
}

/// What happened, for the application's side of the driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionEvent {
    /// The peer sent a message. `number` is what answers a request.
    Message {
        /// Event, request or volatile.
        kind: MessageKind,
        /// The packet's number; 0 for a volatile one.
        number: u64,
        /// What it says.
        message: Message,
    },
    /// The request with this number is over, for the one and only time.
    Answered {
        /// Which.
        request: u64,
        /// How.
        outcome: Result<Payload, AnswerError>,
    },
    /// The peer answered the heartbeat that carried this token.
    Alive(ByteString),
    /// The peer ended the carrier, not the session: its code says whether to attach again
    /// ([`Retry::Attach`], [`Retry::Later`]), to do nothing, or to call [`Session::reopen`].
    Dismissed(Close),
    /// The session is over. No event follows.
    Ended(Close),
}

/// How a message was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageKind {
    /// Wants no answer.
    Event,
    /// Wants an answer.
    Request,
    /// Wants no answer, and might have been dropped.
    Volatile,
}

/// Why a request has no reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnswerError {
    /// The peer answered with a failure.
    Failed(Failure),
    /// Its deadline passed.
    TimedOut,
    /// The session ended first; whether the peer has handled it is unknown.
    SessionLost,
}

/// Why an attachment was not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttachError {
    /// A newer attachment is known.
    Replaced,
    /// The peer claims to have received what was never sent.
    Violation,
}

/// Why a carrier may no longer transmit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CarrierGone {
    /// A newer attachment took over.
    Replaced,
    /// Nothing was heard for too long.
    TimedOut,
    /// It was detached, or the session is over and has said so.
    Detached,
}

/// A message that was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendError {
    /// The outbox has no room for it.
    Full {
        /// The outbox limit in bytes.
        limit: usize,
    },
    /// The session is over or about to be.
    Closed,
}

/// What became of a session's packets when it could not be resumed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reopened {
    /// How many packets the peer had confirmed.
    pub confirmed: u64,
    /// How many were sent and not confirmed: the peer may or may not have handled them.
    pub unknown: u64,
    /// Requests that were not sent yet and go on: their number before and after.
    pub requests: Vec<(u64, u64)>,
}

#[derive(Debug)]
struct Closing {
    close: Close,
    /// The close went out on some carrier.
    told: bool,
    /// The peer said it first, so it needs no second telling.
    by_peer: bool,
}

impl Session {
    /// A session without a carrier. `seed` spreads the first heartbeats of many sessions.
    #[must_use]
    pub fn new(config: Arc<SessionConfig>, seed: u64, now: Time) -> Self {
        let expires = config.is_server().then(|| now + config.window);
        Self {
            outbox: Outbox::default(),
            inbox: Inbox::default(),
            requests: Requests::default(),
            liveness: Liveness::new(seed, now),
            counter: 0,
            attached: false,
            gone: CarrierGone::Detached,
            expires,
            closing: None,
            dismissal: None,
            owes_alive: None,
            owes_heartbeat: None,
            events: VecDeque::new(),
            config,
        }
    }

    /// A carrier takes over. What the peer has not received is sent again on it.
    ///
    /// # Errors
    /// See [`AttachError`]; the session is unchanged then.
    pub fn attach(&mut self, attachment: Attachment, now: Time) -> Result<CarrierId, AttachError> {
        if attachment.counter <= self.counter {
            return Err(AttachError::Replaced);
        }
        self.outbox.rewind(attachment.peer_received)?;
        if let Some(closing) = &mut self.closing {
            closing.told = false;
        }
        self.counter = attachment.counter;
        self.attached = true;
        self.liveness.attached(&self.config, now);
        if self.closing.is_none() {
            self.expires = None;
        }
        Ok(CarrierId(attachment.counter))
    }

    /// A carrier ended. Nothing happens if another has taken over.
    pub fn detach(&mut self, carrier: CarrierId, now: Time) {
        if self.serves(carrier) {
            self.leave(CarrierGone::Detached, now);
        }
    }

    /// The client's part of an attachment: what the server said about the session.
    ///
    /// # Errors
    /// When the server confirms what was never sent.
    pub fn handle_welcome(&mut self, welcome: &Welcome, now: Time) -> Result<(), ProtocolError> {
        let config = Arc::make_mut(&mut self.config);
        config.heartbeat = welcome.heartbeat;
        config.grace = welcome.grace;
        self.liveness.received(now);
        self.outbox.confirm(welcome.received)
    }

    /// Takes a packet of the peer. `number` is its number when it is tracked, else it is ignored.
    ///
    /// # Errors
    /// When the packet breaks the protocol. The driver then calls [`Self::abort`].
    pub fn handle_packet(
        &mut self,
        number: u64,
        packet: Packet,
        now: Time,
    ) -> Result<(), ProtocolError> {
        self.liveness.received(now);
        // Any packet answers the silence, but only its own token answers a probe.
        self.owes_heartbeat.take_if(|token| token.is_empty());
        // What nobody handles any more is not received either, or its sender would take it for handled.
        let ignored = self.closing.is_some();
        if packet.is_tracked() && (ignored || !self.inbox.accept(number, &packet, now)?) {
            return Ok(());
        }
        match packet {
            Packet::Confirm(through) => self.outbox.confirm(through)?,
            Packet::Heartbeat(token) => self.owes_alive = Some(token),
            Packet::Close(close) if close.code.retry() == Retry::Stop => {
                self.finish(close, true, now)
            }
            Packet::Close(close) => self.dismissed(close, now),
            packet if self.closing.is_none() => self.deliver(number, packet)?,
            _ => {}
        }
        Ok(())
    }

    /// Time has passed: call it at [`Self::poll_timeout`], or at any other time.
    pub fn handle_timeout(&mut self, now: Time) {
        while let Some(request) = self.requests.pop_expired(now) {
            self.answered(request, Err(AnswerError::TimedOut));
        }
        self.inbox.handle_timeout(now);
        if self.attached {
            match self.liveness.check(&self.config, now) {
                Pulse::Well => {}
                Pulse::Quiet => {
                    self.owes_heartbeat.get_or_insert_default();
                    self.inbox.repeat_doubtful();
                    self.outbox.release_memory();
                }
                Pulse::Dead => self.leave(CarrierGone::TimedOut, now),
            }
        }
        if self.expires.is_some_and(|at| at <= now) && self.closing.is_none() {
            self.finish(Close::new(CloseCode::SESSION_EXPIRED), false, now);
        }
    }

    /// When [`Self::handle_timeout`] has something to do, if nothing else happens before.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        let attached = self
            .attached
            .then(|| [Some(self.liveness.next_check(&self.config)), self.inbox.confirm_at()])
            .into_iter()
            .flatten()
            .flatten();
        attached.chain(self.expires).chain(self.requests.next_deadline()).min()
    }

    /// What happened since the last call, oldest first; `None` when all was told.
    pub fn poll_event(&mut self) -> Option<SessionEvent> {
        let event = self.events.pop_front();
        if self.events.is_empty() && self.events.capacity() > 0 {
            // An idle session keeps no buffer for events.
            self.events = VecDeque::new();
        }
        event
    }

    /// The next thing to send on this carrier, `None` when there is none for now.
    ///
    /// # Errors
    /// When the carrier no longer serves the session: its driver ends it.
    pub fn poll_transmit(
        &mut self,
        carrier: CarrierId,
        now: Time,
    ) -> Result<Option<Transmit>, CarrierGone> {
        if let Some(gone) = self.gone(carrier) {
            return Err(gone);
        }
        let transmit = self.next_transmit(now);
        if transmit.is_some() {
            self.liveness.sent(now);
        }
        Ok(transmit)
    }

    /// True if [`Self::poll_transmit`] on the current carrier would yield something.
    #[must_use]
    pub fn wants_transmit(&self, now: Time) -> bool {
        self.attached
            && (self.outbox.has_unsent()
                || self.owes_alive.is_some()
                || self.owes_heartbeat.is_some()
                || self.inbox.owes_confirmation(now)
                || self.dismissal.is_some()
                || self.closing.as_ref().is_some_and(|closing| !closing.told))
    }

    fn next_transmit(&mut self, now: Time) -> Option<Transmit> {
        if let Some(token) = self.owes_alive.take() {
            return Some(Transmit::Control(Packet::Alive(token)));
        }
        let ending = self.closing.as_ref().is_some_and(|closing| !closing.told);
        if self.inbox.owes_confirmation(now) || (ending && self.inbox.has_unconfirmed()) {
            return Some(Transmit::Control(Packet::Confirm(self.inbox.confirm())));
        }
        match self.outbox.next() {
            Some(Next::Position(next)) => {
                return Some(Transmit::Control(Packet::Position(next)));
            }
            Some(Next::Tracked(number, packet)) => {
                return Some(Transmit::Tracked { number, packet });
            }
            Some(Next::Volatile(packet)) => return Some(Transmit::Volatile(packet)),
            None => {}
        }
        if let Some(token) = self.owes_heartbeat.take() {
            return Some(Transmit::Control(Packet::Heartbeat(token)));
        }
        if let Some(close) = self.dismissal.take() {
            self.leave(CarrierGone::Detached, now);
            return Some(Transmit::Control(Packet::Close(*close)));
        }
        let closing = self.closing.as_mut().filter(|closing| !closing.told)?;
        closing.told = true;
        // The close may be lost with its carrier, so it is kept a little longer to be told again.
        let linger = if closing.by_peer { std::time::Duration::ZERO } else { self.config.grace };
        self.expires = Some(now + linger);
        Some(Transmit::Control(Packet::Close(closing.close.clone())))
    }

    fn deliver(&mut self, number: u64, packet: Packet) -> Result<(), ProtocolError> {
        let (kind, number, message) = match packet {
            Packet::Event(message) => (MessageKind::Event, number, message),
            Packet::Request(message) => (MessageKind::Request, number, message),
            Packet::Volatile(message) => (MessageKind::Volatile, 0, message),
            Packet::Reply(request, payload) => {
                self.answer(request, Ok(payload));
                return Ok(());
            }
            Packet::Failure(request, failure) => {
                self.answer(request, Err(AnswerError::Failed(failure)));
                return Ok(());
            }
            Packet::Alive(token) => {
                if !token.is_empty() {
                    self.events.push_back(SessionEvent::Alive(token));
                }
                return Ok(());
            }
            _ => {
                return Err(ProtocolError::Violation(
                    "this packet only begins a message or a body",
                ));
            }
        };
        self.events.push_back(SessionEvent::Message { kind, number, message });
        Ok(())
    }

    /// An answer to a request that is over already, by its deadline say, is no longer wanted.
    fn answer(&mut self, request: u64, outcome: Result<Payload, AnswerError>) {
        if self.requests.remove(request) {
            self.answered(request, outcome);
        }
    }

    fn answered(&mut self, request: u64, outcome: Result<Payload, AnswerError>) {
        self.events.push_back(SessionEvent::Answered { request, outcome });
    }

    /// The peer ended the carrier. A session that was closed here has told its last event already.
    fn dismissed(&mut self, close: Close, now: Time) {
        self.leave(CarrierGone::Detached, now);
        if self.closing.is_none() {
            self.events.push_back(SessionEvent::Dismissed(close));
        } else if close.code.retry() == Retry::Reopen {
            self.expires = Some(now);
        }
    }

    fn leave(&mut self, why: CarrierGone, now: Time) {
        self.attached = false;
        self.gone = why;
        self.owes_alive = None;
        self.owes_heartbeat = None;
        self.dismissal = None;
        self.outbox.drop_volatile();
        if self.closing.is_none() && self.config.is_server() {
            self.expires = Some(now + self.config.window);
        }
    }
}

/// What the application asks for.
impl Session {
    /// Sends an event. Returns its number.
    ///
    /// # Errors
    /// [`SendError::Full`] when the outbox has no room (a server's session is then over, a client's
    /// goes on), [`SendError::Closed`] when the session is over.
    pub fn emit(&mut self, packet: Encoded, now: Time) -> Result<u64, SendError> {
        self.keep(packet, false, now)
    }

    /// Sends a request. Exactly one [`SessionEvent::Answered`] with the returned number follows.
    ///
    /// # Errors
    /// As [`Self::emit`].
    pub fn request(
        &mut self,
        packet: Encoded,
        deadline: Time,
        now: Time,
    ) -> Result<u64, SendError> {
        let number = self.keep(packet, false, now)?;
        self.requests.insert(number, deadline);
        Ok(number)
    }

    /// Forgets a request whose answer nobody waits for any more. No event follows.
    pub fn forget_request(&mut self, request: u64) {
        self.requests.remove(request);
    }

    /// Sends the answer to a request of the peer, made with [`Encoded::reply`] or
    /// [`Encoded::failure`].
    ///
    /// # Errors
    /// As [`Self::emit`], but a client's answer is taken even by a full outbox, because its number is
    /// bounded by what the server asked.
    pub fn reply(&mut self, packet: Encoded, now: Time) -> Result<u64, SendError> {
        self.keep(packet, !self.config.is_server(), now)
    }

    /// Sends an event if a carrier is there to take it. Returns whether it was queued; the oldest
    /// queued one makes room for it when the carrier is slow.
    pub fn emit_volatile(&mut self, packet: Encoded) -> bool {
        let taken = self.attached && self.closing.is_none();
        if taken {
            self.outbox.push_volatile(packet);
        } else {
            self.outbox.count_dropped();
        }
        taken
    }

    /// Sends again, on the current carrier, whatever the peer has not confirmed: for carriers whose
    /// bodies can be refused one by one.
    pub fn retransmit(&mut self) {
        self.outbox.retransmit();
    }

    /// Asks the peer for a sign of life; [`SessionEvent::Alive`] with the same token follows.
    pub fn probe(&mut self, token: ByteString) {
        self.owes_heartbeat = Some(token);
    }

    /// Ends the session after everything that was sent before has been transmitted.
    pub fn close(&mut self, close: Close, now: Time) {
        self.finish(close, false, now);
    }

    /// Ends the session at once: what is still in the outbox is dropped, the close goes out first.
    pub fn abort(&mut self, close: Close, now: Time) {
        if self.closing.is_none() {
            self.outbox.clear();
            self.finish(close, false, now);
        }
    }

    /// Sends the current carrier away once everything waiting has been transmitted on it. The session
    /// stays, and its client comes back as the close says.
    pub fn dismiss(&mut self, close: Close) {
        if self.attached && self.closing.is_none() {
            self.dismissal = Some(Box::new(close));
        }
    }

    /// Starts over as a client whose session is lost: packets that were never sent stay queued for
    /// the next session, requests that were sent end with [`AnswerError::SessionLost`].
    pub fn reopen(&mut self, now: Time) -> Reopened {
        let sent = self.outbox.transmitted();
        let mut report = Reopened {
            confirmed: self.outbox.confirmed(),
            unknown: sent - self.outbox.confirmed(),
            requests: Vec::new(),
        };
        let unsent = self.outbox.take_unsent();
        let mut requests = std::mem::take(&mut self.requests);
        self.inbox = Inbox::default();
        self.counter = 0;
        self.leave(CarrierGone::Detached, now);
        for (old, packet) in unsent {
            // An answer belongs to a request of the lost session.
            if packet.is_answer() {
                continue;
            }
            let new = self.outbox.push(packet);
            if let Some(deadline) = requests.take(old) {
                self.requests.insert(new, deadline);
                report.requests.push((old, new));
            }
        }
        for request in requests.drain() {
            self.answered(request, Err(AnswerError::SessionLost));
        }
        report
    }

    /// How many tracked packets of the peer were received. Whoever writes the number into a header
    /// calls this, because saying it is a confirmation.
    pub fn state_received(&mut self) -> u64 {
        self.inbox.state_received()
    }

    /// How many tracked packets of the peer were received.
    #[must_use]
    pub const fn received(&self) -> u64 {
        self.inbox.received()
    }

    /// The number of the tracked packet that is transmitted next.
    #[must_use]
    pub const fn next_number(&self) -> u64 {
        self.outbox.next_number()
    }

    /// How many of our tracked packets the peer has confirmed.
    #[must_use]
    pub const fn confirmed(&self) -> u64 {
        self.outbox.confirmed()
    }

    /// How many of our tracked packets wait for a confirmation, sent or not.
    #[must_use]
    pub fn unconfirmed(&self) -> usize {
        self.outbox.len()
    }

    /// Bytes in the outbox.
    #[must_use]
    pub const fn outbox_bytes(&self) -> usize {
        self.outbox.bytes()
    }

    /// How many volatile events were dropped.
    #[must_use]
    pub const fn dropped_volatile(&self) -> u64 {
        self.outbox.dropped_volatile()
    }

    /// The packet that was kept last, for tests of what is shared.
    #[must_use]
    pub fn last_kept(&self) -> Option<&Encoded> {
        self.outbox.last()
    }

    /// True while a carrier is attached.
    #[must_use]
    pub const fn is_attached(&self) -> bool {
        self.attached
    }

    /// True while this carrier is the current one.
    #[must_use]
    pub const fn serves(&self, carrier: CarrierId) -> bool {
        self.attached && carrier.0 == self.counter
    }

    /// Why this carrier is not the current one, `None` while it is.
    #[must_use]
    pub const fn gone(&self, carrier: CarrierId) -> Option<CarrierGone> {
        if self.serves(carrier) {
            None
        } else if carrier.0 < self.counter {
            Some(CarrierGone::Replaced)
        } else {
            Some(self.gone)
        }
    }

    /// The highest attach counter seen.
    #[must_use]
    pub const fn counter(&self) -> u64 {
        self.counter
    }

    /// Why the session ended or is about to, if so.
    #[must_use]
    pub fn closed(&self) -> Option<&Close> {
        self.closing.as_ref().map(|closing| &closing.close)
    }

    /// True when the session is over and nobody needs to be told any more.
    #[must_use]
    pub fn is_finished(&self, now: Time) -> bool {
        self.closing.is_some() && self.expires.is_some_and(|at| at <= now)
    }

    fn keep(&mut self, packet: Encoded, exempt: bool, now: Time) -> Result<u64, SendError> {
        if self.closing.is_some() {
            return Err(SendError::Closed);
        }
        let limit = self.config.outbox_limit;
        if self.outbox.fits(&packet, limit) || exempt {
            return Ok(self.outbox.push(packet));
        }
        if self.config.is_server() {
            self.abort(Close::new(CloseCode::SLOW_CONSUMER), now);
        }
        Err(SendError::Full { limit })
    }

    fn finish(&mut self, close: Close, by_peer: bool, now: Time) {
        if self.closing.is_some() {
            if by_peer {
                self.expires = Some(now);
            }
            return;
        }
        let window = if by_peer || self.expires.is_some_and(|at| at <= now) {
            std::time::Duration::ZERO
        } else {
            self.config.window
        };
        self.expires = Some(now + window);
        for request in self.requests.drain() {
            self.answered(request, Err(AnswerError::SessionLost));
        }
        self.events.push_back(SessionEvent::Ended(close.clone()));
        self.closing = Some(Box::new(Closing { close, told: false, by_peer }));
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full { limit } => write!(f, "the outbox limit of {limit} bytes is reached"),
            Self::Closed => f.write_str("the session is closed"),
        }
    }
}

impl std::error::Error for SendError {}

impl fmt::Display for AttachError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.close_code().meaning())
    }
}

impl std::error::Error for AttachError {}

impl AttachError {
    /// The code that tells the peer.
    #[must_use]
    pub const fn close_code(&self) -> CloseCode {
        match self {
            Self::Replaced => CloseCode::REPLACED,
            Self::Violation => CloseCode::PROTOCOL_VIOLATION,
        }
    }
}

impl CarrierGone {
    /// The code that tells the carrier's peer, `None` when there is nothing to tell.
    #[must_use]
    pub const fn close_code(self) -> Option<CloseCode> {
        match self {
            Self::Replaced => Some(CloseCode::REPLACED),
            Self::TimedOut => Some(CloseCode::HEARTBEAT_TIMEOUT),
            Self::Detached => None,
        }
    }
}
