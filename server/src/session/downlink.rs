//! The way from the server to a client, for as long as one carrier serves the session.
//!
//! A transport polls it from the body of its response; it needs no task of its own.

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

/// Where a carrier writes packets.
pub(crate) trait Sink {
    /// Accepts the next thing to transmit. Returns `Break` when the message or body is large
    /// enough, or when this was the last thing on this carrier.
    fn write(&mut self, transmit: &Lent<'_>) -> ControlFlow<()>;
}

/// What the core transmits. Packets that the core keeps are borrowed.
pub(crate) type Lent<'a> = Transmit<Buffers, &'a Encoded>;

/// An attachment to a session. Dropping it detaches.
#[derive(Debug)]
pub(crate) struct Downlink {
    session: Arc<LiveSession>,
    carrier: CarrierId,
    greeting: Greeting,
    keep: bool,
    /// Bytes that the carrier has received and the session has not accepted yet.
    unread: usize,
    /// The server has notified the client that the application is still deciding.
    wait_notice_sent: bool,
    /// The pause after a turn in which the carrier wrote as much as it may.
    pause: Pause,
    /// The carrier is polled again after it has written. The response to a poll is complete
    /// instead.
    streams: bool,
    /// The task that the session last stored to wake.
    task: Option<Waker>,
    arrival: Arrival,
}

/// The first packet of a carrier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Greeting {
    /// A welcome immediately; the answer to an open includes the secret.
    Welcome {
        with_secret: bool,
    },
    /// With the number of the first packet, once there is one.
    Position,
    Sent,
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
        let (keep, wait_notice_sent, task) = (false, false, None);
        Self {
            session,
            carrier,
            greeting,
            keep,
            unread: 0,
            wait_notice_sent,
            pause: Pause::default(),
            streams,
            task,
            arrival: Arrival::Unchanged,
        }
    }

    /// Sets what this attachment is to the session.
    pub(super) const fn after(mut self, arrival: Arrival) -> Self {
        self.arrival = arrival;
        self
    }

    /// Writes to the log that the client has attached, from this address if it is known.
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

    /// Receives packets from the client to which this carrier is about to write with
    /// [`Self::poll_drain`]. See [`LiveSession::receive`].
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

    /// The carrier holds this many bytes for which the session had no room.
    pub(crate) fn hold_unread(&mut self, bytes: usize) {
        if self.unread != bytes {
            self.unread = bytes;
            self.session.hold_unread(bytes);
        }
    }

    /// The client broke the protocol on this carrier. Ends its session, unless it has ended already
    /// or another instance of the client owns it by now.
    pub(crate) fn abort(&self, error: ProtocolError) {
        self.session.abort(self.carrier, error);
    }

    /// Writes what the core has to transmit, as much as one turn allows. Pending while there is
    /// nothing to transmit, and between turns.
    ///
    /// # Errors
    /// When the carrier no longer serves the session and has to end.
    pub(crate) fn poll_drain(
        &mut self,
        cx: &mut Context<'_>,
        sink: &mut impl Sink,
    ) -> Poll<Result<(), CarrierGone>> {
        ready!(self.pause.poll(cx));
        let Self { session, carrier, greeting, wait_notice_sent, pause, streams, task, .. } = self;
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
            if *streams && state.is_due_to_wait(*carrier, *wait_notice_sent) {
                (wrote, *wait_notice_sent) = (true, true);
                state.core.told_to_wait(now);
                let _ = sink.write(&Transmit::Control(Packet::Alive("".into())));
            }
            if state.phase() != OpenPhase::Asking && state.core.serves(*carrier) {
                let due = *greeting != Greeting::Position || state.core.wants_transmit(now);
                if due && let Some(greeting) = greet(session, state, greeting) {
                    wrote = true;
                    // A greeting is always smaller than a message.
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
                    // Everything is written, so the carrier counts as waiting from here on: its
                    // task polls once more without need.
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
    /// True if the server has to notify the client on this carrier that the application is still
    /// deciding: immediately, and again with each heartbeat.
    fn is_due_to_wait(&self, carrier: CarrierId, told: bool) -> bool {
        self.phase() == OpenPhase::Asking
            && self.core.serves(carrier)
            && (!told || self.core.owes_heartbeat())
    }
}

/// The most packets that one turn writes. Carriers stop at 64 KiB, which comes first unless packets
/// are tiny.
const PACKETS: usize = 4 * 1024;

/// The first line of the carrier, if it is not sent yet. A session that has ended sends no welcome,
/// unless packets come before its close: the welcome has the number of the first.
fn greet(session: &LiveSession, state: &mut State, greeting: &mut Greeting) -> Option<Packet> {
    match std::mem::replace(greeting, Greeting::Sent) {
        Greeting::Welcome { with_secret }
            if state.core.closed().is_none() || state.core.unconfirmed() > 0 =>
        {
            Some(Packet::Welcome(Box::new(session.welcome(state, with_secret))))
        }
        Greeting::Position => Some(Packet::Position(state.core.next_number())),
        Greeting::Welcome { .. } | Greeting::Sent => None,
    }
}

impl LiveSession {
    /// The welcome that the client receives.
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
