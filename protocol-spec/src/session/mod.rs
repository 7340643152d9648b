//! The session core: what both ends do, without I/O, clock, randomness or async.
//!
//! Spec: 05-delivery-and-resume; 06-rooms-and-requests, "Requests"; 02-carriers, "Heartbeats".

mod application;
mod attach;
mod config;
mod figures;
mod inbox;
mod liveness;
mod outbox;
mod owner;
mod requests;
mod terms;
mod transmit;

use std::collections::VecDeque;
use std::sync::Arc;

use crate::{Buffers, Close, CloseCode, Form, Packet, ProtocolError, Retry, Time, Welcome};

pub use config::SessionConfig;
use inbox::Inbox;
use liveness::{Liveness, Pulse};
use outbox::Outbox;
pub use owner::{Ownership, Taken};
use requests::{Request, Requests};
pub use terms::{
    AnswerError, AttachError, Attachment, CarrierGone, CarrierId, LatestOutcome, MessageKind,
    Reopened, SendError, SessionEvent, Transmit,
};

/// One end of a session.
#[derive(Debug)]
pub struct Session<F: Form = Buffers> {
    config: Arc<SessionConfig>,
    outbox: Outbox<F::Packet>,
    inbox: Inbox,
    requests: Requests,
    /// The difference between the id of the next request and the number of its packet: the count
    /// of withdrawn packets, and of the packets of earlier sessions.
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
