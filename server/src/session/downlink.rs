//! The way down to a client, for as long as one carrier serves it.
//!
//! A transport polls it from the body of its response; nothing else runs for it.

use std::net::IpAddr;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker, ready};

use bowline_protocol::{
    Batch, Buffers, CarrierGone, CarrierId, Encoded, Packet, ProtocolError, Transmit, Welcome,
};

use super::{Arrival, Intake, LiveSession, OpenPhase, State};
use crate::turn::{Pause, Turn};

/// What a carrier writes into.
pub(crate) trait Sink {
    /// Takes the next thing to say. `Break` when the message or body is large enough, or when what
    /// was said is the last thing on this carrier.
    fn write(&mut self, transmit: &Lent<'_>) -> ControlFlow<()>;
}

/// What the core has to say. A packet that it keeps is only looked at.
pub(crate) type Lent<'a> = Transmit<Buffers, &'a Encoded>;

/// An attachment to a session. Dropping it detaches.
#[derive(Debug)]
pub(crate) struct Downlink {
    session: Arc<LiveSession>,
    carrier: CarrierId,
    greeting: Greeting,
    keep: bool,
    /// Bytes that the carrier holds.
    unread: usize,
    /// The client was told that the application is still deciding.
    told_to_wait: bool,
    /// After what one turn allows to write.
    pause: Pause,
    /// The carrier is polled again after it has written. A poll is answered, and over.
    streams: bool,
    /// The task that the session was last told to wake.
    task: Option<Waker>,
    arrival: Arrival,
}

/// How the carrier begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Greeting {
    /// With a welcome at once; one that answers an open tells the secret.
    Welcome {
        with_secret: bool,
    },
    /// With the number of the first packet, once there is one.
    Position,
    Said,
}

impl Downlink {
    pub(super) fn new(
        session: Arc<LiveSession>,
        carrier: CarrierId,
        greeting: Greeting,
        streams: bool,
    ) -> Self {
        session.common.carriers.fetch_add(1, Ordering::Relaxed);
        session.seat.carrier_comes();
        let (keep, told_to_wait, task) = (false, false, None);
        Self {
            session,
            carrier,
            greeting,
            keep,
            unread: 0,
            told_to_wait,
            pause: Pause::default(),
            streams,
            task,
            arrival: Arrival::Unchanged,
        }
    }

    /// The same for an attachment that is this to the session.
    pub(super) const fn after(mut self, arrival: Arrival) -> Self {
        self.arrival = arrival;
        self
    }

    /// Writes down that the client has come, from this address if it is known.
    pub(crate) fn report(self, address: Option<IpAddr>) -> Self {
        self.session.report_arrival(self.arrival, address);
        self
    }

    /// Leaves the session attached when this is dropped: the next poll is on its way.
    pub(crate) const fn keep_attached(&mut self) {
        self.keep = true;
    }

    pub(crate) const fn session(&self) -> &Arc<LiveSession> {
        &self.session
    }

    /// Takes packets from the client that is about to be written to, with [`Self::poll_drain`]. See
    /// [`LiveSession::receive`].
    pub(crate) fn receive(
        &self,
        next: &mut u64,
        turn: &Turn,
        packets: impl FnMut() -> Option<Result<Packet, ProtocolError>>,
    ) -> Result<Intake, ProtocolError> {
        self.session.receive(self.carrier, next, turn, packets)
    }

    /// Receives the packets of a body. See [`LiveSession::receive_body`].
    pub(crate) async fn receive_body(
        &self,
        next: &mut u64,
        body: &mut Batch,
    ) -> Result<(), ProtocolError> {
        self.session.receive_body(self.carrier, next, body).await
    }

    /// The carrier holds so many bytes for which the session had no room.
    pub(crate) fn hold_unread(&mut self, bytes: usize) {
        if self.unread != bytes {
            self.unread = bytes;
            self.session.hold_unread(bytes);
        }
    }

    /// The client broke the protocol on this carrier: its session is over, unless it is already or
    /// is another instance's by now.
    pub(crate) fn abort(&self, error: ProtocolError) {
        self.session.abort(self.carrier, error);
    }

    /// Writes what there is to write, as much as one turn allows. Pending while there is nothing,
    /// and in between turns.
    ///
    /// # Errors
    /// When the carrier no longer serves the session and has to end.
    pub(crate) fn poll_drain(
        &mut self,
        cx: &mut Context<'_>,
        sink: &mut impl Sink,
    ) -> Poll<Result<(), CarrierGone>> {
        ready!(self.pause.poll(cx));
        let Self { session, carrier, greeting, told_to_wait, pause, streams, task, .. } = self;
        let same_task = task.as_ref().is_some_and(|task| task.will_wake(cx.waker()));
        if same_task && session.has_waiting(*carrier) {
            return Poll::Pending;
        }
        if !same_task {
            *task = Some(cx.waker().clone());
        }
        session.serve(|state, now| {
            let mut wrote = false;
            let (mut left, mut full) = (PACKETS, false);
            if *streams && state.is_due_to_wait(*carrier, *told_to_wait) {
                (wrote, *told_to_wait) = (true, true);
                state.core.told_to_wait(now);
                let _ = sink.write(&Transmit::Control(Packet::Alive("".into())));
            }
            if state.phase() != OpenPhase::Asking && state.core.serves(*carrier) {
                let due = *greeting != Greeting::Position || state.core.wants_transmit(now);
                if due && let Some(greeting) = greet(session, state, greeting) {
                    wrote = true;
                    // A greeting never fills a message.
                    let _ = sink.write(&Transmit::Control(greeting));
                }
                let any = state.core.drain(*carrier, now, |transmit| {
                    left -= 1;
                    full = sink.write(&transmit).is_break() || left == 0;
                    if full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                });
                wrote |= any.unwrap_or(false);
            }
            if wrote {
                if full {
                    pause.set();
                } else if *streams {
                    // All is said, so this carrier waits from here on: it will be polled once more,
                    // for nothing.
                    state.set_waker(*carrier, cx.waker());
                }
                state.quiet.wrote(now);
                Poll::Ready(Ok(()))
            } else if let Some(gone) = state.core.gone(*carrier) {
                Poll::Ready(Err(gone))
            } else {
                state.set_waker(*carrier, cx.waker());
                Poll::Pending
            }
        })
    }
}

impl Drop for Downlink {
    fn drop(&mut self) {
        self.hold_unread(0);
        let Self { session, .. } = self;
        session.common.carriers.fetch_sub(1, Ordering::Relaxed);
        session.seat.carrier_goes(session.id, || session.common.now());
        if !self.keep {
            self.session.detach(self.carrier);
        }
    }
}

impl State {
    /// True if the client on this carrier is to be told that the application is still deciding: at
    /// once, and again with each heartbeat.
    fn is_due_to_wait(&self, carrier: CarrierId, told: bool) -> bool {
        self.phase() == OpenPhase::Asking
            && self.core.serves(carrier)
            && (!told || self.core.owes_heartbeat())
    }
}

/// Packets that are written in one turn at most. Carriers stop at 64 KiB, which is sooner unless
/// packets are tiny.
const PACKETS: usize = 4 * 1024;

/// The first line of the carrier, if it is still to be said. A session that is over has no welcome,
/// unless packets are still to come before its close, which the welcome numbers.
fn greet(session: &LiveSession, state: &mut State, greeting: &mut Greeting) -> Option<Packet> {
    match std::mem::replace(greeting, Greeting::Said) {
        Greeting::Welcome { with_secret }
            if state.core.closed().is_none() || state.core.unconfirmed() > 0 =>
        {
            Some(Packet::Welcome(Box::new(session.welcome(state, with_secret))))
        }
        Greeting::Position => Some(Packet::Position(state.core.next_number())),
        Greeting::Welcome { .. } | Greeting::Said => None,
    }
}

impl LiveSession {
    /// What the client is told about the session.
    pub(crate) fn welcome(&self, state: &mut State, with_secret: bool) -> Welcome {
        let config = &self.common.config;
        Welcome {
            session: self.id,
            secret: with_secret.then_some(self.secret),
            received: state.core.state_received(),
            next: state.core.next_number(),
            heartbeat: state.core.heartbeat(),
            grace: config.session.grace,
            window: config.session.window,
            limits: config.limits,
        }
    }
}
