//! The only loop of a client: mutate, drain, wait.

mod journal;
mod timer;
mod trial;

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bowline_protocol::{Batch, Close, CloseCode, OpenKey, Packet, ProtocolError, Time};
use bytes::Bytes;
use futures::{FutureExt, StreamExt};

use crate::carrier::{Carrier, Incoming};
use crate::engine::{End, Finding, Note, Output};
use crate::handler::{self, Call};
use crate::platform::{BoxFuture, BoxStream, Lifecycle};
use crate::setup::{self, OnSession};
use crate::shared::Shared;
use journal::Line;
use timer::Timer;
use trial::Trial;

/// Drives one client from `connect` to its end.
pub(crate) struct Driver {
    shared: Arc<Shared>,
    on_session: Option<OnSession>,
    carrier: Option<Carrier>,
    trial: Option<Trial>,
    /// The application's authentication, while it is pending.
    introduction: Option<BoxFuture<Result<Box<str>, String>>>,
    /// The set-up hook, while it is pending.
    set_up: Option<BoxFuture<Result<(), String>>>,
    /// The host's notifications of sleep, wake and exit.
    lifecycle: BoxStream<Lifecycle>,
    timer: Timer,
}

enum Input {
    Carrier(Incoming),
    Trial(Result<(), End>),
    Introduction(Result<Box<str>, String>),
    SetUp(Result<(), String>),
    Lifecycle(Lifecycle),
    /// A deadline has passed, or a handle has changed the client.
    Woken,
}

/// What remains after [`Driver::drain`].
enum Drained {
    Wait(Option<Time>),
    Over,
}

impl Driver {
    pub(crate) fn new(shared: Arc<Shared>, on_session: Option<OnSession>) -> Self {
        let lifecycle = shared.platform.lifecycle();
        let timer = Timer::default();
        Self {
            shared,
            on_session,
            carrier: None,
            trial: None,
            introduction: None,
            set_up: None,
            lifecycle,
            timer,
        }
    }

    pub(crate) async fn run(mut self) {
        loop {
            let now = self.shared.platform.now();
            self.tick(now);
            let Drained::Wait(deadline) = self.drain(now) else { return };
            let input = poll_fn(|cx| self.poll_input(cx, deadline, now)).await;
            self.take(input);
        }
    }

    fn tick(&self, now: Time) {
        let paused = self.shared.is_paused();
        let mut core = self.shared.lock();
        core.engine.pause(paused);
        core.engine.handle_timeout(now);
        core.settle_streams(now);
    }

    /// Performs the engine's outputs. The lock is not held: handlers start here, and the host's
    /// methods may run any code.
    fn drain(&mut self, now: Time) -> Drained {
        loop {
            let output = self.shared.lock().engine.poll_output(now);
            match output {
                Output::Open => self.carrier = Some(Carrier::socket(&self.shared)),
                Output::Send(route, outgoing) => {
                    let carrier = self.carrier.take();
                    self.carrier = Some(Carrier::send(carrier, route, &outgoing, &self.shared));
                }
                Output::Drop => self.carrier = None,
                Output::Trial(transport) => {
                    self.trial = transport.map(|transport| Trial::begin(transport, &self.shared));
                }
                Output::Aside => self.trial = self.carrier.take().map(Trial::of),
                Output::Adopt => self.carrier = self.trial.take().map(Trial::into_carrier),
                Output::Introduce => self.introduction = Some(self.introduce()),
                Output::SetUp(begin) => {
                    let set_up = || setup::begin(&self.shared, self.on_session.as_ref());
                    self.set_up = begin.then(set_up);
                }
                Output::Wait(deadline) => return Drained::Wait(deadline),
                Output::Over(close) => {
                    let handlers = self.shared.lock().end(close);
                    drop(handlers);
                    return Drained::Over;
                }
                Output::Noted(note) => self.learn(note, now),
                output => {
                    let mut core = self.shared.lock();
                    let line = match &output {
                        Output::Status(status) => Some(Line::of_status(status, &core.engine)),
                        _ => None,
                    };
                    let call = core.deliver(output, &self.shared.backlog, now);
                    drop(core);
                    line.into_iter().for_each(|line| line.write(&self.shared.options.endpoint));
                    if let Some(call) = call {
                        self.start_handler(call);
                    }
                }
            }
        }
    }

    fn learn(&self, note: Note, now: Time) {
        let verdict_may_have_changed = matches!(note.finding, Finding::Serves | Finding::LeftAlone);
        let mut guard = self.shared.lock();
        let core = &mut *guard;
        core.log.push(note, core.engine.last_failure(), now);
        let line = Line::of_note(note, &core.engine);
        let verdict = core.engine.verdict(now);
        drop(guard);
        let endpoint = &self.shared.options.endpoint;
        line.write(endpoint);
        if verdict_may_have_changed {
            self.shared.platform.remember(&endpoint.to_string(), verdict);
        }
    }

    fn introduce(&self) -> BoxFuture<Result<Box<str>, String>> {
        self.shared.options.auth.token()
    }

    /// Handlers start here, in the order of their requests; a pending handler is spawned as a task.
    fn start_handler(&self, call: Call) {
        let shared = Arc::clone(&self.shared);
        let mut running: BoxFuture<()> = Box::pin(async move {
            let outcome = handler::run(shared.address(), &call).await;
            shared.answer(call.epoch, call.request, outcome);
        });
        if running.poll_unpin(&mut Context::from_waker(Waker::noop())).is_pending() {
            self.shared.platform.spawn(running);
        }
    }

    fn poll_input(
        &mut self,
        cx: &mut Context<'_>,
        deadline: Option<Time>,
        now: Time,
    ) -> Poll<Input> {
        let woken = self.shared.wake.poll(cx);
        if let Poll::Ready(Some(change)) = self.lifecycle.poll_next_unpin(cx) {
            return Poll::Ready(Input::Lifecycle(change));
        }
        if let Some(introduction) = &mut self.introduction
            && let Poll::Ready(auth) = introduction.poll_unpin(cx)
        {
            self.introduction = None;
            return Poll::Ready(Input::Introduction(auth));
        }
        if let Some(set_up) = &mut self.set_up
            && let Poll::Ready(outcome) = set_up.poll_unpin(cx)
        {
            self.set_up = None;
            return Poll::Ready(Input::SetUp(outcome));
        }
        let read = !self.shared.is_paused();
        if let Some(carrier) = &mut self.carrier
            && let Poll::Ready(incoming) = carrier.poll(cx, read)
        {
            return Poll::Ready(Input::Carrier(incoming));
        }
        if let Some(trial) = &mut self.trial
            && let Poll::Ready(outcome) = trial.poll(cx)
        {
            // A successful trial stays until the engine adopts it.
            self.trial.take_if(|_| outcome.is_err());
            return Poll::Ready(Input::Trial(outcome));
        }
        if woken.is_ready() || self.timer.poll(cx, deadline, now, &*self.shared.platform).is_ready()
        {
            return Poll::Ready(Input::Woken);
        }
        Poll::Pending
    }

    fn take(&mut self, input: Input) {
        let now = self.shared.platform.now();
        match input {
            Input::Carrier(incoming) => self.incoming(incoming, now),
            Input::Trial(outcome) => self.shared.lock().engine.tried(outcome, now),
            Input::Introduction(auth) => {
                let key = OpenKey::from_bytes(self.shared.platform.random());
                let auth = auth.map_err(|why| format!("no authentication: {why}"));
                self.shared.lock().engine.introduce(key, auth, now);
            }
            Input::SetUp(outcome) => self.shared.lock().engine.set_up(outcome, now),
            Input::Lifecycle(change) => self.live(change, now),
            Input::Woken => {}
        }
    }

    fn live(&self, change: Lifecycle, now: Time) {
        match change {
            Lifecycle::Wake => self.shared.lock().engine.wake(now),
            Lifecycle::Suspend => self.shared.lock().engine.suspend(now),
            // No caller waits for the end.
            Lifecycle::Leave => drop(self.shared.close()),
        }
    }

    fn incoming(&mut self, incoming: Incoming, now: Time) {
        match incoming {
            Incoming::Ready => self.shared.lock().engine.sent(),
            Incoming::Batch(batch) => self.batch(batch, now),
            Incoming::Binary(message) => {
                self.packets(std::iter::once(Packet::parse_binary(&message)), now);
            }
            Incoming::Polled(batch) => {
                let empty = batch.is_empty();
                self.batch(batch, now);
                self.shared.lock().engine.polled(empty, now);
            }
            Incoming::Posted(batch) => {
                self.batch(batch, now);
                self.shared.lock().engine.posted(now);
            }
            Incoming::Ended(end) => self.shared.lock().engine.ended(end, now),
        }
    }

    fn batch(&self, body: Bytes, now: Time) {
        let limits = self.shared.lock().engine.inbound_limits();
        match Batch::new(body, &limits) {
            Ok(mut batch) => self.packets(std::iter::from_fn(|| batch.next_packet()), now),
            Err(error) => self.packets(std::iter::once(Err(error)), now),
        }
    }

    fn packets(&self, packets: impl Iterator<Item = Result<Packet, ProtocolError>>, now: Time) {
        let mut core = self.shared.lock();
        for packet in packets {
            if !core.engine.packet(packet, now) {
                break;
            }
        }
    }
}

impl Drop for Driver {
    /// The host may drop its tasks at any time; no caller may wait for a driver that is gone.
    fn drop(&mut self) {
        let mut core = self.shared.lock();
        let open = !core.board.current().is_closed();
        let handlers = open.then(|| core.end(Close::new(CloseCode::NORMAL)));
        drop(core);
        drop(handlers);
    }
}
