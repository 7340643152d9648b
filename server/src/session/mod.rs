//! Sessions as the server keeps them: a lock around the protocol's core, and the effects of each
//! change.
//!
//! A session has no task and no timer. Whoever changes one (a carrier, a handler, an emit from any
//! thread, the timer thread) locks it, changes the core, and after releasing the lock wakes the
//! carrier, files the next deadline and starts handlers, where the change requires it.

mod after;
mod away;
mod common;
mod dispatch;
mod downlink;
mod drain;
mod expiry;
mod filtered;
mod grants;
mod limits;
mod neighbors;
mod nesting;
mod parting;
mod post;
mod quiet;
mod registry;
mod relief;
mod report;
mod state;
mod streams;
mod stuck;
mod surroundings;
#[cfg(test)]
mod tests;
mod timers;
mod topic_turns;
mod visitors;
mod work;
mod workers;

use after::{After, Ended};
pub(crate) use away::Away;
pub(crate) use common::Common;
pub(crate) use downlink::{Downlink, Greeting, Lent, Sink};
use drain::Drain;
pub(crate) use expiry::Validity;
pub(crate) use grants::Granted;
use neighbors::Seat;
pub(crate) use nesting::{AtWork, at_work};
pub(crate) use parting::{Packed, Parted, Unpackable, unpack};
pub(crate) use post::Posted;
pub(crate) use registry::{Opened, Registry};
pub(crate) use relief::come_later;
pub(crate) use report::{Arrival, FromAddress};
pub(crate) use state::{Delivery, OpenPhase, PendingTicket, State};
pub(crate) use streams::NotOpened;
pub(crate) use surroundings::{Called, Decision, Handling, Surroundings};
pub(crate) use timers::Timers;
pub(crate) use topic_turns::TopicTurn;
pub(crate) use workers::{Worker, Workers};

use std::any::TypeId;
use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use bowline_protocol::{
    AnswerError, AttachError, Attachment, CarrierId, Close, Encoded, OpenKey, Packet, Payload,
    ProtocolError, Secret, SendError, Session, SessionId, Time,
};
use tokio::sync::{mpsc, oneshot};

use crate::turn::Turn;
use bowline_protocol::Transport;

/// One session of this node.
pub(crate) struct LiveSession {
    pub(crate) id: SessionId,
    pub(crate) secret: Secret,
    pub(crate) key: OpenKey,
    pub(crate) address: Option<IpAddr>,
    pub(crate) common: Arc<Common>,
    around: Arc<dyn Surroundings>,
    /// Its place among the sessions of its address.
    seat: Seat,
    /// The carrier that waits to be woken, 0 for none. It changes under the lock, and before any
    /// waker is called: a carrier that finds its own number here has nothing to write, and need
    /// not lock the session to learn that.
    waiting: AtomicU64,
    state: Mutex<State>,
}

/// Who waits for the answer to a request.
#[derive(Debug)]
pub(crate) enum Waiting {
    One(oneshot::Sender<Result<Payload, AnswerError>>),
    /// One of the many requests of a broadcast.
    Many(SessionId, mpsc::UnboundedSender<(SessionId, Result<Payload, AnswerError>)>),
    /// The session itself: it has requested a new authentication.
    Refresh,
}

/// How many of a carrier's packets the session has accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Intake {
    /// All of them.
    Done,
    /// The inbox is full: offer the rest again later.
    Full,
    /// The turn is over: offer the rest after other tasks had their turn.
    Rest,
    /// None: the session no longer receives from this sender.
    Refused,
}

impl LiveSession {
    pub(crate) fn new(
        common: &Arc<Common>,
        around: Arc<dyn Surroundings>,
        id: SessionId,
        secrets: (Secret, OpenKey),
        address: Option<IpAddr>,
        seed: u64,
    ) -> Arc<Self> {
        let now = common.now();
        let core = Session::new(Arc::clone(&common.config.session), seed, now);
        let (secret, key) = secrets;
        Arc::new(Self {
            id,
            secret,
            key,
            address,
            seat: Seat::default(),
            waiting: AtomicU64::new(0),
            state: Mutex::new(State::new(core, now)),
            common: Arc::clone(common),
            around,
        })
    }

    /// Changes the session, then runs the effects of the change with the lock released.
    pub(crate) fn with<T>(self: &Arc<Self>, change: impl FnOnce(&mut State, Time) -> T) -> T {
        // The caller may be the application, with a lock of its own, so its handlers start in a
        // task.
        self.change(self.common.now(), change, |_, _| false, dispatch::spawn)
    }

    /// Like [`Self::with`], where no code of the application is on the call stack: its handlers
    /// start immediately, and the carrier writes their answers with the next bytes.
    pub(crate) fn drive<T>(self: &Arc<Self>, change: impl FnOnce(&mut State, Time) -> T) -> T {
        let _held = self.around.hold();
        self.change(self.common.now(), change, |_, _| false, dispatch::start)
    }

    /// A carrier collects what the core has to transmit.
    fn serve<T>(self: &Arc<Self>, take: impl FnOnce(&mut State, Time) -> T) -> T {
        self.change(self.common.now(), take, State::is_settled_when_served, dispatch::spawn)
    }

    /// Accepts the answer of a runner and returns the next message for it. `None` ends the runner.
    fn next_delivery(
        self: &Arc<Self>,
        answer: Option<Encoded>,
        worker: &Worker,
    ) -> Option<Delivery> {
        let next = |state: &mut State, now| state.next_delivery(answer, now);
        let now = worker.now(&self.common);
        self.change(now, next, State::is_settled_when_handled, dispatch::spawn)
    }

    /// A change that is settled has no effects.
    #[inline]
    fn change<T>(
        self: &Arc<Self>,
        now: Time,
        change: impl FnOnce(&mut State, Time) -> T,
        is_settled: fn(&State, Time) -> bool,
        start: fn(&Arc<Self>),
    ) -> T {
        let mut state = self.lock();
        let result = change(&mut state, now);
        if is_settled(&state, now) {
            self.waiting.store(state.waiting(), Ordering::Release);
            return result;
        }
        self.settle(state, now, start);
        result
    }

    /// Reads the session without changing it.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.lock())
    }

    /// A value that the application keeps with the session.
    pub(crate) fn extension<T: Clone + Send + Sync + 'static>(&self) -> Option<T> {
        let value = self.look(|state| state.extension(TypeId::of::<T>()))?;
        value.downcast_ref().cloned()
    }

    /// The user of the session.
    pub(crate) fn user(&self) -> Option<String> {
        self.look(|state| state.user().map(str::to_owned))
    }

    pub(crate) fn set_extension<T: Send + Sync + 'static>(self: &Arc<Self>, value: T) {
        let before = self.with(|state, _| state.set_extension(TypeId::of::<T>(), Arc::new(value)));
        drop(before);
    }

    /// Attaches a carrier, for as long as the returned downlink lives.
    pub(crate) fn attach(
        self: &Arc<Self>,
        attachment: Attachment,
        transport: Transport,
        greeting: Greeting,
    ) -> Result<Downlink, AttachError> {
        let (carrier, arrival) = self.with(|state, now| {
            let goes_on = state.core.check_owner(attachment.instance).is_ok();
            let was_parked = state.is_parked() && state.transport == Some(transport) && goes_on;
            let before = state.transport.filter(|_| state.core.is_attached());
            let carrier = state.core.attach(attachment, now);
            let carrier = carrier.map_err(|error| state.refuse(error, now))?;
            if was_parked {
                // The client has noticed the death of the carrier before the server did.
                state.died_quietly(now);
            }
            state.transport = Some(transport);
            state.report_interrupted(now);
            if self.common.is_draining() {
                // The carrier's first line was read earlier, and a drain may have passed this
                // session already.
                state.send_away(&self.common, true, now);
            }
            Ok((carrier, state.arrival(before)))
        })?;
        let streams = transport != Transport::Polling;
        Ok(Downlink::new(Arc::clone(self), carrier, greeting, streams).after(arrival))
    }

    /// Receives packets of one body, or of what a carrier has read, under one lock, until the turn
    /// is over. `next` is the number of the next tracked packet, and is increased. An invalid
    /// packet ends the session.
    pub(crate) fn receive(
        self: &Arc<Self>,
        carrier: CarrierId,
        next: &mut u64,
        turn: &Turn,
        packets: impl FnMut() -> Option<Result<Packet, ProtocolError>>,
    ) -> Result<Intake, ProtocolError> {
        self.drive(|state, now| {
            if !state.receives_from(carrier) {
                return Ok(Intake::Refused);
            }
            self.receive_packets(state, next, turn, packets, now)
        })
    }

    /// Passes packets to the core until the inbox is full or the turn is over.
    fn receive_packets(
        &self,
        state: &mut State,
        next: &mut u64,
        turn: &Turn,
        mut packets: impl FnMut() -> Option<Result<Packet, ProtocolError>>,
        now: Time,
    ) -> Result<Intake, ProtocolError> {
        let limit = state.inbox_limit(&self.common.config, &self.common.budget);
        loop {
            if state.inbox_bytes > limit {
                state.inbox_was_full = true;
                return Ok(Intake::Full);
            }
            if turn.is_over() {
                return Ok(Intake::Rest);
            }
            let Some(packet) = packets() else { return Ok(Intake::Done) };
            turn.spend();
            let taken = packet.and_then(|packet| state.receive_packet(next, packet, now));
            if let Err(error) = taken {
                self.complain(error);
                state.core.abort(error.close(), now);
                return Err(error);
            }
        }
    }

    /// Warns about a client that breaks the protocol.
    fn complain(&self, error: ProtocolError) {
        let (id, from) = (self.id, FromAddress(self.address));
        self.common.complain("protocol", format_args!("session {id}{from}: {error}"));
    }

    /// The client broke the protocol on this carrier: see [`Downlink::abort`].
    fn abort(self: &Arc<Self>, carrier: CarrierId, error: ProtocolError) {
        self.with(|state, now| {
            if state.core.closed().is_none() && state.core.hears(carrier) {
                self.complain(error);
                state.core.abort(error.close(), now);
            }
        });
    }

    pub(crate) fn emit(self: &Arc<Self>, packet: &Encoded) -> Result<u64, SendError> {
        self.emit_at(self.common.now(), packet, Waker::wake)
    }

    /// Like [`Self::emit`], for many sessions at one time. `wake` receives the carrier's waker, if
    /// the carrier waits.
    pub(crate) fn emit_at(
        self: &Arc<Self>,
        now: Time,
        packet: &Encoded,
        wake: impl FnOnce(Waker),
    ) -> Result<u64, SendError> {
        let sent = if self.common.config.filters_outbound {
            self.push_filtered(now, packet, wake)
        } else {
            self.push_event(now, packet, wake)
        };
        if matches!(sent, Err(SendError::Closed)) && self.around.forward(self.id, packet) {
            // The session has moved: the node that has it now sends the event.
            return Ok(0);
        }
        if sent.is_err() {
            self.misses();
        }
        sent
    }

    /// Puts an event into the outbox. A message to a room does so a thousand times, and its only
    /// effect is to wake the carrier, as long as there is room.
    #[inline]
    fn push_event(
        self: &Arc<Self>,
        now: Time,
        packet: &Encoded,
        wake: impl FnOnce(Waker),
    ) -> Result<u64, SendError> {
        let mut state = self.lock();
        let sent = state.core.emit(packet.clone(), now);
        if sent.is_err() {
            let after = state.settle(&self.common.config, now);
            self.waiting.store(state.waiting(), Ordering::Release);
            drop(state);
            self.follow_up(after, dispatch::spawn);
            return sent;
        }
        let is_too_much = state.settle_kept(&self.common.budget, now);
        let carrier = state.settle_emit(now);
        if carrier.is_some() {
            self.waiting.store(0, Ordering::Release);
        }
        drop(state);
        carrier.map(wake);
        if is_too_much {
            self.common.timers.make_room(&self.common);
        }
        sent
    }

    /// True if this carrier waits to be woken: nothing has changed for it since.
    fn has_waiting(&self, carrier: CarrierId) -> bool {
        self.waiting.load(Ordering::Acquire) == carrier.place()
    }

    /// Sends a request. `waiting` receives its outcome.
    pub(crate) fn request(
        self: &Arc<Self>,
        packet: Encoded,
        timeout: std::time::Duration,
        waiting: Waiting,
    ) -> Result<u64, SendError> {
        self.with(|state, now| {
            let request = state.core.request(packet, now + timeout, now)?;
            state.waiting.insert(request, (waiting, None));
            Ok(request)
        })
    }

    pub(crate) fn close(self: &Arc<Self>, close: Close) {
        self.with(|state, now| state.core.close(close, now));
    }

    pub(crate) fn detach(self: &Arc<Self>, carrier: CarrierId) {
        self.with(|state, now| {
            if state.is_parked() && state.core.serves(carrier) {
                state.died_quietly(now);
            }
            state.core.detach(carrier, now);
            state.forget_waker(carrier);
        });
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Only a bug in the core can panic while the lock is held. The session then continues with
        // the state that it has, so that not every later caller panics as well.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for LiveSession {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        let (scheduled, counted) = (state.scheduled.take(), state.counted);
        if let Some(at) = scheduled {
            self.common.timers.take_back(at, self);
        }
        self.common.budget.settle(counted, 0, Time::ZERO);
    }
}

impl fmt::Debug for LiveSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveSession").field("id", &self.id).finish_non_exhaustive()
    }
}
