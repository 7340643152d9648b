//! The session core: what both ends do, without I/O, clock, randomness or async.
//!
//! Spec: 05-delivery-and-resume; 06-rooms-and-requests, "Requests"; 02-carriers, "Heartbeats".

mod application;
mod config;
mod figures;
mod inbox;
mod liveness;
mod outbox;
mod owner;
mod requests;
mod terms;

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::{Buffers, Close, CloseCode, Form, Packet, ProtocolError, Retry, Time, Welcome};

pub use config::SessionConfig;
use inbox::Inbox;
use liveness::{Liveness, Pulse};
use outbox::Outbox;
pub use owner::{Ownership, Taken};
use requests::{Request, Requests};
pub use terms::{
    AnswerError, AttachError, Attachment, CarrierGone, CarrierId, MessageKind, Reopened, SendError,
    SessionEvent, Transmit,
};

/// One end of a session.
#[derive(Debug)]
pub struct Session<F: Form = Buffers> {
    config: Arc<SessionConfig>,
    outbox: Outbox<F::Packet>,
    inbox: Inbox,
    requests: Requests,
    /// The difference between the id of the next request and the number of its packet: the count of
    /// withdrawn packets, and of the packets of earlier sessions.
    moved: u64,
    liveness: Liveness,
    /// The highest attach counter of the owning instance.
    counter: u64,
    ownership: Ownership,
    /// The number of accepted attachments; the last one is current while `attached`.
    accepted: u64,
    /// The last attachment before those of the present owner.
    foreign: u64,
    attached: bool,
    /// The session was restored from a checkpoint: the peer may have sent and received more since.
    is_stale: bool,
    /// Why the last attachment is not current any more.
    gone: CarrierGone,
    /// When a session without a carrier, or a closed session, is forgotten.
    expires: Option<Time>,
    closing: Option<Box<Closing>>,
    /// The close that the current carrier sends before it ends; the session remains.
    dismissal: Option<Box<Close>>,
    /// The token of the peer's heartbeat that this end must answer.
    owes_alive: Option<Box<str>>,
    owes_heartbeat: Option<Box<str>>,
    events: VecDeque<SessionEvent<F>>,
}

#[derive(Debug)]
struct Closing {
    close: Close,
    /// A carrier has sent the close.
    is_sent: bool,
    /// The peer closed first, so this end sends its close only once.
    by_peer: bool,
}

/// The next packet to send.
enum Next<F: Form> {
    Control(Packet<F>),
    Volatile(F::Packet),
    /// A packet of the outbox.
    Kept,
}

impl Session {
    /// Creates a session without a carrier. `seed` spreads the first heartbeats of many sessions
    /// over time.
    #[must_use]
    pub fn new(config: Arc<SessionConfig>, seed: u64, now: Time) -> Self {
        Self::in_form(config, seed, now)
    }
}

impl<F: Form> Session<F> {
    /// Creates a session as [`Session::new`] does, for messages in another form than [`Buffers`].
    #[must_use]
    pub fn in_form(config: Arc<SessionConfig>, seed: u64, now: Time) -> Self {
        let expires = (F::SERVES && config.is_server()).then(|| now + config.window);
        Self {
            outbox: Outbox::default(),
            inbox: Inbox::default(),
            requests: Requests::default(),
            moved: 0,
            liveness: Liveness::new(seed, now),
            counter: 0,
            ownership: Ownership::default(),
            accepted: 0,
            foreign: 0,
            attached: false,
            is_stale: false,
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

    /// Attaches a carrier, which becomes the current one. The session sends all packets that the
    /// peer has not received again on it.
    ///
    /// # Errors
    /// See [`AttachError`]; the session is unchanged then.
    pub fn attach(&mut self, attachment: Attachment, now: Time) -> Result<CarrierId, AttachError> {
        if F::SERVES {
            self.admit(&attachment)?;
        }
        self.outbox.rewind(attachment.peer_received)?;
        if let Some(closing) = &mut self.closing {
            closing.is_sent = false;
        }
        if F::SERVES && self.ownership.pass(&attachment) {
            self.foreign = self.accepted;
        }
        self.accepted += 1;
        self.counter = attachment.counter;
        self.attached = true;
        self.liveness.attached(&self.config, self.is_server(), now);
        if self.closing.is_none() {
            self.expires = None;
        }
        Ok(CarrierId(self.accepted))
    }

    /// Checks whether [`Self::attach`] would accept this attachment, except for the number of
    /// packets that the peer claims to have received. An accepted attachment proves that the
    /// session may continue from its checkpoint.
    ///
    /// # Errors
    /// See [`AttachError`].
    pub fn admit(&mut self, attachment: &Attachment) -> Result<(), AttachError> {
        if self.is_stale && self.lacks_what_came_later(attachment) {
            return Err(AttachError::Stale);
        }
        self.check_turn(attachment)?;
        self.is_stale = false;
        Ok(())
    }

    /// Checks that the session belongs to the instance, and that no newer attachment is known.
    fn check_turn(&self, attachment: &Attachment) -> Result<(), AttachError> {
        if self.ownership.is_of_owner(attachment) {
            let newer = attachment.counter > self.counter;
            return if newer { Ok(()) } else { Err(AttachError::Replaced) };
        }
        if !self.ownership.may_pass(attachment, self.counter) {
            return Err(AttachError::Taken { last: self.ownership.last() });
        }
        // Packets that the previous instance has confirmed are dropped, and packets that it has
        // sent have used up their numbers.
        let known = attachment.take.map_or(0, |take| take.last);
        let lacks = attachment.peer_received < self.outbox.confirmed();
        if !lacks && self.inbox.received() <= known {
            return Ok(());
        }
        Err(match &self.closing {
            Some(closing) => AttachError::Over(closing.close.clone()),
            None => AttachError::Gap,
        })
    }

    /// True if the peer has sent or received packets, or has another instance, since the
    /// checkpoint.
    fn lacks_what_came_later(&self, attachment: &Attachment) -> bool {
        let is_strange = !self.ownership.is_of_owner(attachment)
            && !self.ownership.may_pass(attachment, self.counter);
        is_strange
            || attachment.peer_received > self.outbox.transmitted()
            || attachment.peer_sent > self.inbox.received()
    }

    /// How long the session may be silent in either direction before the server sends a heartbeat.
    #[must_use]
    pub fn heartbeat(&self) -> std::time::Duration {
        self.config.heartbeat
    }

    /// Changes the heartbeat interval of a server's session, because something on the way closes
    /// silent connections. The next welcome notifies the client.
    ///
    /// Spec: 02-carriers, "Heartbeats".
    pub fn set_heartbeat(&mut self, heartbeat: std::time::Duration) {
        self.config = self.config.with_times(heartbeat, self.config.grace);
    }

    /// Ends a carrier. Does nothing if another carrier is current.
    pub fn detach(&mut self, carrier: CarrierId, now: Time) {
        if self.serves(carrier) {
            self.leave(CarrierGone::Detached, now);
        }
    }

    /// Ends the current carrier, which has not been ready to send for too long.
    ///
    /// Spec: 02-carriers, "Heartbeats".
    pub fn give_up_carrier(&mut self, now: Time) {
        if self.attached {
            self.leave(CarrierGone::TimedOut, now);
        }
    }

    /// Applies the server's welcome to a client's session.
    ///
    /// # Errors
    /// When the server confirms packets that were never sent.
    pub fn handle_welcome(&mut self, welcome: &Welcome, now: Time) -> Result<(), ProtocolError> {
        self.config = self.config.with_times(welcome.heartbeat, welcome.grace);
        self.liveness.received(now);
        self.outbox.confirm(welcome.received)
    }

    /// Ignores the peer's silence until now: the driver has not been reading from the peer.
    pub const fn excuse_silence(&mut self, now: Time) {
        self.liveness.received(now);
    }

    /// Handles a packet of the peer. `number` is the number of a tracked packet; it is ignored for
    /// others.
    ///
    /// # Errors
    /// When the packet violates the protocol. The driver then calls [`Self::abort`].
    pub fn handle_packet(
        &mut self,
        number: u64,
        packet: Packet<F>,
        now: Time,
    ) -> Result<(), ProtocolError> {
        self.liveness.received(now);
        if F::SERVES {
            self.ownership.prove();
        }
        // Any packet ends the silence, but only the same token answers a probe.
        self.owes_heartbeat.take_if(|token| token.is_empty());
        // A closed session does not count the packets that it ignores: the sender would regard them
        // as handled.
        let ignored = self.closing.is_some();
        if packet.is_tracked() && (ignored || !self.inbox.accept(number, size(&packet), now)?) {
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

    /// Handles everything that is due: call it at [`Self::poll_timeout`], or at any other time.
    pub fn handle_timeout(&mut self, now: Time) {
        self.expire_requests(now);
        self.inbox.handle_timeout(now);
        if self.attached {
            match self.liveness.check(&self.config, F::SERVES && self.config.is_server(), now) {
                Pulse::Well => {}
                Pulse::Quiet if !F::SERVES => {}
                Pulse::Quiet => {
                    self.owes_heartbeat.get_or_insert_default();
                    self.inbox.repeat_doubtful();
                    self.outbox.release_memory();
                }
                Pulse::Dead => self.leave(CarrierGone::TimedOut, now),
            }
        }
        if self.expires.is_some_and(|at| at <= now) {
            self.abort(Close::new(CloseCode::SESSION_EXPIRED), now);
            if !self.attached {
                // No client will attach to fetch the rest, and a stuck carrier may keep the session
                // in memory.
                self.outbox.clear();
            }
        }
    }

    /// When [`Self::handle_timeout`] is due, if no other input arrives before.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        let always = Time::earliest(self.expires, self.requests.next_deadline());
        if !self.attached {
            return always;
        }
        let check = self.liveness.next_check(&self.config, self.is_server());
        Time::earliest(always, Time::earliest(Some(check), self.inbox.confirm_at()))
    }

    /// The next event, oldest first; `None` when there are no more.
    pub fn poll_event(&mut self) -> Option<SessionEvent<F>> {
        self.events.pop_front()
    }

    /// Frees the memory of the event queue when it is empty: for a driver with many sessions, after
    /// each batch.
    pub fn release_events(&mut self) {
        if self.events.is_empty() {
            self.events = VecDeque::new();
        }
    }

    /// The next packet to send on this carrier, `None` when there is none for now.
    ///
    /// # Errors
    /// When the carrier does not serve the session any more: its driver ends it.
    pub fn poll_transmit(
        &mut self,
        carrier: CarrierId,
        now: Time,
    ) -> Result<Option<Transmit<F>>, CarrierGone> {
        if let Some(gone) = self.gone(carrier) {
            return Err(gone);
        }
        let Some(next) = self.next_transmit(now) else { return Ok(None) };
        self.liveness.sent(now);
        Ok(match next {
            Next::Kept => self
                .outbox
                .send_next()
                .map(|(number, packet)| Transmit::Tracked { number, packet: packet.clone() }),
            Next::Volatile(packet) => Some(Transmit::Volatile(packet)),
            Next::Control(packet) => Some(Transmit::Control(packet)),
        })
    }

    /// Passes all packets that are to be sent on this carrier to `take`, in order, until it breaks:
    /// [`Self::poll_transmit`] for a driver that writes at once. Packets of the outbox are
    /// borrowed, not cloned. Returns true if there was at least one.
    ///
    /// # Errors
    /// As [`Self::poll_transmit`].
    pub fn drain(
        &mut self,
        carrier: CarrierId,
        now: Time,
        mut take: impl FnMut(Transmit<F, &F::Packet>) -> ControlFlow<()>,
    ) -> Result<bool, CarrierGone> {
        if let Some(gone) = self.gone(carrier) {
            return Err(gone);
        }
        let mut any = false;
        // The last packet on a carrier ends it.
        while self.serves(carrier)
            && let Some(next) = self.next_transmit(now)
        {
            any = true;
            let flow = match next {
                Next::Kept => self
                    .outbox
                    .send_kept(|number, packet| take(Transmit::Tracked { number, packet })),
                Next::Volatile(packet) => take(Transmit::Volatile(packet)),
                Next::Control(packet) => take(Transmit::Control(packet)),
            };
            if flow.is_break() {
                break;
            }
        }
        if any {
            self.liveness.sent(now);
        }
        Ok(any)
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
                || self.closing.as_ref().is_some_and(|closing| !closing.is_sent))
    }

    /// The next packet to send. A packet of the outbox stays there.
    fn next_transmit(&mut self, now: Time) -> Option<Next<F>> {
        if let Some(token) = self.owes_alive.take() {
            return Some(Next::Control(Packet::Alive(token)));
        }
        let ending = self.closing.as_ref().is_some_and(|closing| !closing.is_sent);
        let unsent = self.outbox.has_unsent();
        let beside = unsent && self.inbox.confirms_beside();
        if self.inbox.owes_confirmation(now) || beside || (ending && self.inbox.has_unconfirmed()) {
            return Some(Next::Control(Packet::Confirm(self.inbox.confirm())));
        }
        if let Some(packet) = self.outbox.next_volatile() {
            return Some(Next::Volatile(packet));
        }
        if unsent {
            if self.outbox.take_skipped() {
                return Some(Next::Control(Packet::Position(self.outbox.next_number())));
            }
            return Some(Next::Kept);
        }
        if let Some(token) = self.owes_heartbeat.take() {
            return Some(Next::Control(Packet::Heartbeat(token)));
        }
        if F::SERVES
            && let Some(close) = self.dismissal.take()
        {
            self.leave(CarrierGone::Detached, now);
            return Some(Next::Control(Packet::Close(*close)));
        }
        let closing = self.closing.as_mut().filter(|closing| !closing.is_sent)?;
        closing.is_sent = true;
        // The close may be lost with its carrier, so the session stays a little longer to send it
        // again.
        let linger = if closing.by_peer { std::time::Duration::ZERO } else { self.config.grace };
        self.expires = Some(now + linger);
        Some(Next::Control(Packet::Close(closing.close.clone())))
    }

    fn deliver(&mut self, number: u64, packet: Packet<F>) -> Result<(), ProtocolError> {
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
                return Err(ProtocolError::Violation("this packet is a first line only"));
            }
        };
        self.events.push_back(SessionEvent::Message { kind, number, message });
        Ok(())
    }

    /// Ignores an answer to a request that is over already, for example because of its deadline.
    fn answer(&mut self, number: u64, outcome: Result<F::Payload, AnswerError<F>>) {
        if let Some(request) = self.requests.take(number) {
            self.answered(request.id, outcome);
        }
    }

    fn answered(&mut self, request: u64, outcome: Result<F::Payload, AnswerError<F>>) {
        self.events.push_back(SessionEvent::Answered { request, outcome });
    }

    /// The peer ended the carrier. A session that was closed here has emitted its last event
    /// already.
    fn dismissed(&mut self, close: Close, now: Time) {
        self.leave(CarrierGone::Detached, now);
        if self.closing.is_none() {
            self.events.push_back(SessionEvent::Dismissed(close));
        } else if close.code.retry() == Retry::Reopen {
            self.expires = Some(now);
        }
    }

    fn is_server(&self) -> bool {
        F::SERVES && self.config.is_server()
    }

    fn leave(&mut self, why: CarrierGone, now: Time) {
        self.attached = false;
        self.gone = why;
        self.owes_alive = None;
        self.owes_heartbeat = None;
        self.dismissal = None;
        self.outbox.drop_volatile();
        if self.closing.is_none() && self.is_server() {
            self.expires = Some(now + self.config.window);
        }
    }
}

/// Bytes in the payload of a tracked packet.
fn size<F: Form>(packet: &Packet<F>) -> usize {
    match packet {
        Packet::Event(message) | Packet::Request(message) => F::size(&message.payload),
        Packet::Reply(_, payload) => F::size(payload),
        Packet::Failure(_, failure) => F::size(&failure.payload),
        _ => 0,
    }
}
