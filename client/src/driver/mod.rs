//! The one loop of a client: mutate, drain, wait.

mod attempts;
mod inbound;
mod outbound;
mod timer;

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bowline_protocol::{
    CarrierId, Close, CloseCode, Limits, OpenKey, Secret, SessionEvent, SessionId, Time,
};
use bytestring::ByteString;
use futures::FutureExt;

use crate::Transport;
use crate::carrier::{Carrier, Incoming};
use crate::engine::backoff::Waits;
use crate::engine::ladder::Ladder;
use crate::handler;
use crate::platform::BoxFuture;
use crate::shared::{Call, Core, Shared};
use timer::Timer;

/// Drives one client from its connecting to its end.
pub(crate) struct Driver {
    shared: Arc<Shared>,
    identity: Identity,
    phase: Phase,
    ladder: Ladder,
    waits: Waits,
    timer: Timer,
    /// The attach counter on the wire. Every poll takes one, so it runs ahead of the session's.
    counter: u64,
    /// What the server accepts, or the defaults before it has said so.
    limits: Limits,
    /// The transport of the last welcome.
    last_transport: Option<Transport>,
    /// The session was lost and the next one was not welcomed yet.
    reopening: bool,
    /// How the session ended.
    ended: Option<Close>,
    /// The server has been told of the end.
    told: bool,
    /// There is nobody left to tell.
    parted: bool,
}

/// As whom the client attaches.
enum Identity {
    /// To a session that is still to be opened. `auth` is `None` until it is known.
    Fresh { key: OpenKey, auth: Option<ByteString> },
    /// To one that exists.
    Known { session: SessionId, secret: Secret },
}

enum Phase {
    /// Until the next attempt.
    Waiting(Time),
    /// For the application's token.
    Authorizing(BoxFuture<Result<ByteString, String>>),
    /// A carrier is being opened, or serves.
    Serving(Box<Service>),
    Over,
}

/// A carrier and what the driver knows of it.
struct Service {
    carrier: Carrier,
    transport: Transport,
    /// Known once the first line was sent.
    attachment: Option<CarrierId>,
    welcomed: Option<Time>,
    /// When an attempt without a welcome has failed.
    give_up: Time,
    /// The number of the last tracked packet that came on this carrier.
    received: u64,
    /// When to send again what a body did not get across.
    retransmit_at: Option<Time>,
    /// How often in a row that was necessary.
    retransmits: u32,
    probe: Probe,
}

/// The measurement of the round trip.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Probe {
    Done,
    Wanted,
    Sent(Time),
}

enum Input {
    Carrier(Incoming),
    Token(Result<ByteString, String>),
    /// The time has come, or a handle did something.
    Woken,
}

impl Driver {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let (key, now) = (OpenKey::from_bytes(shared.platform.random()), shared.platform.now());
        let seed = u64::from_le_bytes(first_half(shared.platform.random()));
        Self {
            identity: Identity::Fresh { key, auth: None },
            phase: Phase::Waiting(now),
            ladder: Ladder::new(&shared.options.transports),
            waits: Waits::new(shared.options.backoff, seed),
            timer: Timer::default(),
            counter: 0,
            limits: Limits::default(),
            last_transport: None,
            reopening: false,
            ended: None,
            told: false,
            parted: false,
            shared,
        }
    }

    pub(crate) async fn run(mut self) {
        loop {
            let now = self.shared.platform.now();
            self.tick(now);
            self.drain(now);
            if matches!(self.phase, Phase::Over) {
                return;
            }
            let input = self.wait(now).await;
            self.take(input);
        }
    }

    fn take(&mut self, input: Input) {
        let now = self.shared.platform.now();
        match input {
            Input::Carrier(incoming) => self.incoming(incoming, now),
            Input::Token(token) => self.authorized(token, now),
            Input::Woken => {}
        }
    }

    /// What the passing of time and the wishes of the handles change.
    fn tick(&mut self, now: Time) {
        let forced = {
            let mut core = self.shared.lock();
            core.session.handle_timeout(now);
            core.forced.take()
        };
        if let Some(transport) = forced {
            self.switch(transport, now);
        }
        match &mut self.phase {
            Phase::Waiting(until) if *until <= now && !self.shared.is_paused() => self.attempt(now),
            Phase::Serving(service) => {
                let attached = self.shared.lock().session.is_attached();
                if service.is_dead(attached, now) {
                    self.lost("the server is silent".to_owned(), now);
                } else if service.retransmit_at.is_some_and(|at| at <= now) {
                    service.retransmit_at = None;
                    self.shared.lock().session.retransmit();
                }
            }
            _ => {}
        }
    }

    /// Hands on what happened and sends what waits, then looks whether it is over.
    fn drain(&mut self, now: Time) {
        self.deliver(now);
        self.transmit(now);
        // To transmit may end a session, and to end it is an event.
        self.deliver(now);
        if self.is_over(now) {
            self.phase = Phase::Over;
            let close = self.ended.take().unwrap_or(Close::new(CloseCode::NORMAL));
            let handlers = self.shared.lock().end(close);
            drop(handlers);
        }
    }

    /// Hands the session's events to those who wait for them.
    fn deliver(&mut self, now: Time) {
        let shared = Arc::clone(&self.shared);
        let mut core = shared.lock();
        let mut calls = Vec::new();
        while let Some(event) = core.session.poll_event() {
            self.note(&event, &mut core, now);
            calls.extend(core.deliver(event, &shared.backlog, now));
        }
        drop(core);
        for call in calls {
            self.start_handler(call);
        }
    }

    /// What the driver itself learns from an event.
    fn note(&mut self, event: &SessionEvent, core: &mut Core, now: Time) {
        match event {
            SessionEvent::Alive(token) if &**token == PROBE => {
                if let Phase::Serving(service) = &mut self.phase
                    && let Probe::Sent(at) = service.probe
                {
                    service.probe = Probe::Done;
                    core.rtt = Some(now - at);
                }
            }
            SessionEvent::Ended(close) => {
                self.ended = Some(close.clone());
                core.close_by.get_or_insert(now + FAREWELL);
            }
            _ => {}
        }
    }

    /// Handlers begin here, in the order of their requests; only one that has to wait becomes a task.
    fn start_handler(&self, call: Call) {
        let shared = Arc::clone(&self.shared);
        let mut running: BoxFuture<()> = Box::pin(async move {
            let outcome = handler::run(&*call.handler, call.payload).await;
            shared.answer(call.epoch, call.request, outcome);
        });
        if running.poll_unpin(&mut Context::from_waker(Waker::noop())).is_pending() {
            self.shared.platform.spawn(running);
        }
    }

    /// True when the session has ended and everyone was told, or the time for that is over.
    fn is_over(&self, now: Time) -> bool {
        let core = self.shared.lock();
        if core.session.closed().is_none() {
            return false;
        }
        if core.close_by.is_some_and(|by| by <= now) {
            return true;
        }
        match &self.phase {
            Phase::Serving(service) if service.attachment.is_some() => {
                // A POST is answered by the server itself; a socket by its close.
                let answered = self.told && core.session.unconfirmed() == 0;
                service.carrier.is_ready()
                    && (core.session.is_finished(now) || (answered && service.carrier.is_http()))
            }
            _ => {
                let nothing_to_tell = self.told || self.is_fresh();
                self.parted || (nothing_to_tell && core.session.unconfirmed() == 0)
            }
        }
    }

    async fn wait(&mut self, now: Time) -> Input {
        let deadline = self.deadline(now);
        poll_fn(|cx| self.poll_input(cx, deadline, now)).await
    }

    fn poll_input(
        &mut self,
        cx: &mut Context<'_>,
        deadline: Option<Time>,
        now: Time,
    ) -> Poll<Input> {
        let woken = self.shared.wake.poll(cx);
        let input = match &mut self.phase {
            Phase::Authorizing(token) => token.poll_unpin(cx).map(Input::Token),
            Phase::Serving(service) => {
                let read = service.welcomed.is_none() || !self.shared.is_paused();
                service.carrier.poll(cx, read).map(Input::Carrier)
            }
            _ => Poll::Pending,
        };
        if input.is_ready() {
            return input;
        }
        if woken.is_ready() || self.timer.poll(cx, deadline, now, &*self.shared.platform).is_ready()
        {
            return Poll::Ready(Input::Woken);
        }
        Poll::Pending
    }

    /// The next moment at which [`Self::tick`] or [`Self::drain`] has something to do.
    fn deadline(&self, now: Time) -> Option<Time> {
        let core = self.shared.lock();
        // What is due already waits for the carrier, whose readiness wakes us; other deadlines of the
        // session may hide behind it.
        let session = core.session.poll_timeout().map(|at| if at > now { at } else { now + LOOK });
        let own = match &self.phase {
            Phase::Waiting(until) if !self.shared.is_paused() => Some(*until),
            Phase::Serving(service) => service.next_deadline(),
            _ => None,
        };
        session.into_iter().chain(own).chain(core.close_by).min()
    }

    const fn is_fresh(&self) -> bool {
        matches!(self.identity, Identity::Fresh { .. })
    }
}

impl Drop for Driver {
    /// The host may drop its tasks at any time; nobody shall wait for a driver that is gone.
    fn drop(&mut self) {
        let mut core = self.shared.lock();
        let open = !core.board.current().is_closed();
        let handlers = open.then(|| core.end(Close::new(CloseCode::NORMAL)));
        drop(core);
        drop(handlers);
    }
}

impl Service {
    fn is_dead(&self, attached: bool, now: Time) -> bool {
        let silent = self.attachment.is_some() && !attached;
        silent || (self.welcomed.is_none() && self.give_up <= now)
    }

    fn next_deadline(&self) -> Option<Time> {
        let give_up = self.welcomed.is_none().then_some(self.give_up);
        give_up.into_iter().chain(self.retransmit_at).min()
    }
}

fn first_half(bytes: [u8; 16]) -> [u8; 8] {
    std::array::from_fn(|index| bytes[index])
}

/// The token of the heartbeat that measures the round trip.
const PROBE: &str = "rtt";
/// How long the server has to take our farewell when it has ended the session.
const FAREWELL: Duration = Duration::from_secs(1);
/// How often deadlines are looked at that hide behind one that cannot be met yet.
const LOOK: Duration = Duration::from_secs(1);
