//! The state that handles and the driver share: the session, the waiting callers, and the driver's
//! waker.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bowline_protocol::{
    AUTH, AnswerError, Close, CloseCode, Encoded, Failure, Message, MessageKind, Payload,
    SendError, Time,
};
use futures::channel::oneshot;
use futures::task::AtomicWaker;

use crate::diagnostics::Log;
use crate::engine::{End, Engine, Output};
use crate::error::{ConnectError, EmitError, RequestError};
use crate::handler::{self, Call, Handler, INTERNAL};
use crate::inlet::{Backlog, Inlet};
use crate::memberships::Membership;
use crate::options::Options;
use crate::pending::Pending;
use crate::platform::Platform;
use crate::status::{Board, Status};
use crate::streams::Streams;
use crate::topics::Topics;

pub(crate) struct Shared {
    core: Mutex<Core>,
    pub(crate) platform: Arc<dyn Platform>,
    pub(crate) options: Options,
    pub(crate) wake: Wake,
    pub(crate) backlog: Backlog,
}

/// Wakes the driver when it has something to do.
#[derive(Debug, Default)]
pub(crate) struct Wake {
    waker: AtomicWaker,
    notified: AtomicBool,
}

/// The mutable state. The lock is held for a few calls of the session and never across an await.
pub(crate) struct Core {
    pub(crate) engine: Engine,
    pub(crate) requests: HashMap<u64, Pending>,
    inlets: HashMap<String, Vec<Arc<Inlet>>>,
    handlers: HashMap<String, Arc<dyn Handler>>,
    pub(crate) topics: Topics,
    memberships: Vec<Arc<Membership>>,
    pub(crate) streams: Streams,
    pub(crate) board: Board,
    pub(crate) log: Log,
    pub(crate) started: bool,
    connecting: Vec<oneshot::Sender<Result<(), ConnectError>>>,
    closing: Vec<oneshot::Sender<()>>,
}

impl Shared {
    pub(crate) fn new(platform: Arc<dyn Platform>, options: Options) -> Self {
        let seed = u64::from_le_bytes(first_half(platform.random()));
        let now = platform.now();
        let mut engine = Engine::new(options.engine.clone(), seed, now);
        let recalled = || platform.recall(&options.endpoint.to_string());
        if let Some(verdict) = options.verdict.or_else(recalled) {
            engine.believe(verdict, now);
        }
        let mut core = Core::new(engine, now);
        core.handle(AUTH, Arc::new(options.auth.clone()));
        Self {
            core: Mutex::new(core),
            platform,
            options,
            wake: Wake::default(),
            backlog: Backlog::default(),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True while the client does not read, until subscribers have caught up.
    pub(crate) fn is_paused(&self) -> bool {
        self.backlog.bytes() > self.options.backlog_limit
    }

    /// A subscriber has read this many bytes.
    pub(crate) fn taken(&self, bytes: usize) {
        if self.backlog.shrink(bytes, self.options.backlog_limit) {
            self.wake.notify();
        }
    }

    /// Starts to close the client, which first sends all earlier messages. Resolves when it has
    /// ended.
    pub(crate) fn close(&self) -> oneshot::Receiver<()> {
        let (done, receiver) = oneshot::channel();
        let now = self.platform.now();
        let mut core = self.lock();
        if core.board.current().is_closed() {
            return receiver;
        }
        core.closing.push(done);
        core.engine.close(now);
        let handlers = (!core.started).then(|| core.end(Close::new(CloseCode::NORMAL)));
        drop(core);
        drop(handlers);
        self.wake.notify();
        receiver
    }

    /// The address of the client in memory, which distinguishes its handlers from those of other
    /// clients.
    pub(crate) fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// The number of the server's request whose handler is being polled on this thread, if the
    /// present session received the request.
    pub(crate) fn request_at_work(&self) -> Option<u64> {
        let handler = handler::at_work(self.address())?;
        (handler.epoch == self.lock().engine.epoch()).then_some(handler.request)
    }

    /// Sends the answer to a request of the server, unless its session is gone.
    pub(crate) fn answer(&self, epoch: u64, request: u64, outcome: Result<Payload, Failure>) {
        let packet = encode_answer(request, outcome);
        let now = self.platform.now();
        self.lock().engine.reply(epoch, packet, now);
        self.wake.notify();
    }
}

impl Core {
    fn new(engine: Engine, now: Time) -> Self {
        Self {
            engine,
            requests: HashMap::new(),
            inlets: HashMap::new(),
            handlers: HashMap::new(),
            topics: Topics::default(),
            memberships: Vec::new(),
            streams: Streams::default(),
            board: Board::new(),
            log: Log::new(now),
            started: false,
            connecting: Vec::new(),
            closing: Vec::new(),
        }
    }

    /// The client joins this namespace again in each new session, instead of an earlier membership.
    #[cfg_attr(not(feature = "json"), allow(dead_code, reason = "joining needs JSON"))]
    pub(crate) fn remember(&mut self, membership: &Arc<Membership>) {
        self.memberships.retain(|known| known.name != membership.name);
        self.memberships.push(Arc::clone(membership));
        self.engine.perform_set_ups();
    }

    pub(crate) fn forget(&mut self, membership: &Arc<Membership>) {
        self.memberships.retain(|known| !Arc::ptr_eq(known, membership));
    }

    pub(crate) fn memberships(&self) -> Vec<Arc<Membership>> {
        self.memberships.clone()
    }

    /// Refuses a packet that the server would refuse, once its limit is known.
    pub(crate) fn check_size(&self, packet: &Encoded) -> Result<(), EmitError> {
        let size = packet.binary_message().unwrap_or_else(|| packet.text_line()).len();
        match self.engine.limits() {
            Some(limits) if size > limits.packet => {
                Err(EmitError::TooLarge { limit: limits.packet })
            }
            _ => Ok(()),
        }
    }

    /// Refuses a message of a set-up that is over, for example because its session was lost.
    pub(crate) const fn check_run(&self, run: u64) -> Result<(), EmitError> {
        if self.engine.set_up_run() == run { Ok(()) } else { Err(EmitError::SetupOver) }
    }

    pub(crate) fn subscribe(&mut self, name: &str, inlet: Arc<Inlet>) {
        if self.board.current().is_closed() {
            inlet.end();
        } else {
            self.inlets.entry(name.to_owned()).or_default().push(inlet);
        }
    }

    pub(crate) fn unsubscribe(&mut self, name: &str, inlet: &Arc<Inlet>) {
        let Some(inlets) = self.inlets.get_mut(name) else { return };
        inlets.retain(|other| !Arc::ptr_eq(other, inlet));
        if inlets.is_empty() {
            self.inlets.remove(name);
        }
    }

    /// Returns the previous handler, to be dropped without the lock.
    pub(crate) fn handle(
        &mut self,
        name: &str,
        handler: Arc<dyn Handler>,
    ) -> Option<Arc<dyn Handler>> {
        self.handlers.insert(name.to_owned(), handler)
    }

    /// Resolves at the first welcome or when the client ends.
    pub(crate) fn await_welcome(&mut self) -> oneshot::Receiver<Result<(), ConnectError>> {
        let (done, receiver) = oneshot::channel();
        match self.board.current() {
            Status::Connected { .. } => _ = done.send(Ok(())),
            Status::Closed { code, reason } => {
                _ = done.send(Err(self.why_closed(*code, reason)));
            }
            _ => self.connecting.push(done),
        }
        receiver
    }

    /// Why there will be no welcome.
    pub(crate) fn why_closed(&self, code: CloseCode, reason: &str) -> ConnectError {
        ConnectError::of_end(code, reason, self.engine.last_failure())
    }

    /// Passes an output on to its receiver. Returns a request of the server, to be handled without
    /// the lock.
    pub(crate) fn deliver(&mut self, output: Output, backlog: &Backlog, now: Time) -> Option<Call> {
        match output {
            Output::Message { kind: MessageKind::Request, number, epoch, message } => {
                return self.call(epoch, number, message, now);
            }
            Output::Message { message, .. } => {
                self.topics.deliver(&message, backlog);
                if let Some(cancel) = self.streams.deliver(&message, backlog) {
                    self.emit_for_stream(cancel, now);
                }
                for inlet in self.inlets.get(&*message.name).into_iter().flatten() {
                    inlet.push(message.payload.clone(), backlog);
                }
            }
            Output::Answered { request, outcome } => {
                self.topics.answered(request);
                if let Some(pending) = self.requests.remove(&request) {
                    if let (Some(stream), Ok(answer)) = (pending.stream, &outcome) {
                        self.streams.opened(stream, self.engine.epoch(), answer);
                    }
                    pending.resolve(outcome.map_err(request_error));
                }
            }
            Output::Status(status) => {
                self.streams.lose(self.engine.epoch());
                if status.is_connected() {
                    self.connecting.drain(..).for_each(|waiter| _ = waiter.send(Ok(())));
                }
                self.set_status(status);
            }
            // The driver handles the other outputs.
            _ => {}
        }
        None
    }

    /// The server may have confirmed something: the streams that wait for room in the outbox go on.
    pub(crate) fn settle_streams(&mut self, now: Time) {
        if self.streams.wants_room() && self.engine.has_room(0) {
            for event in self.streams.has_room() {
                self.emit_for_stream(event, now);
            }
        }
    }

    /// Sends an event about a stream, later if the outbox is full.
    pub(crate) fn emit_for_stream(&mut self, event: Encoded, now: Time) {
        if let Err(SendError::Full { .. }) = self.engine.emit(event.clone(), now) {
            self.streams.owe(event);
        }
    }

    /// The engine does not put its reasons into words.
    fn set_status(&mut self, mut status: Status) {
        if let Status::Closed { code: CloseCode::NO_CARRIER, reason } = &mut status
            && let Some(cause) = self.engine.last_failure().and_then(End::cause)
        {
            *reason = format!("\"{cause}\"").into();
        }
        self.board.set(status);
    }

    fn call(&mut self, epoch: u64, request: u64, message: Message, now: Time) -> Option<Call> {
        if let Some(handler) = self.handlers.get(&*message.name) {
            let handler = Arc::clone(handler);
            return Some(Call { epoch, request, payload: message.payload, handler });
        }
        let failure = Failure { code: NO_HANDLER.into(), payload: Payload::default() };
        self.engine.reply(epoch, encode_answer(request, Err(failure)), now);
        None
    }

    /// Notifies all waiting callers that the client has ended. Returns the handlers, to be dropped
    /// without the lock: one of them may own the last handle of this client, which locks it when it
    /// is dropped.
    #[must_use]
    pub(crate) fn end(&mut self, close: Close) -> HashMap<String, Arc<dyn Handler>> {
        for (id, pending) in self.requests.drain() {
            // The client sends nothing after this.
            let sent = !self.engine.forget_request(id);
            pending.resolve(Err(RequestError::SessionLost { sent }));
        }
        self.streams.close();
        self.inlets.drain().flat_map(|(_, inlets)| inlets).for_each(|inlet| inlet.end());
        let why = self.why_closed(close.code, close.reason());
        for waiter in self.connecting.drain(..) {
            _ = waiter.send(Err(why.clone()));
        }
        self.set_status(close.into());
        self.closing.clear();
        std::mem::take(&mut self.handlers)
    }
}

impl Wake {
    pub(crate) fn notify(&self) {
        self.notified.store(true, Ordering::Release);
        self.waker.wake();
    }

    pub(crate) fn poll(&self, cx: &Context<'_>) -> Poll<()> {
        self.waker.register(cx.waker());
        if self.notified.swap(false, Ordering::Acquire) { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("options", &self.options).finish_non_exhaustive()
    }
}

fn request_error(error: AnswerError) -> RequestError {
    match error {
        AnswerError::Failed(failure) => failure.into(),
        AnswerError::TimedOut { sent } => RequestError::TimedOut { sent },
        AnswerError::SessionLost { sent } => RequestError::SessionLost { sent },
    }
}

/// Encodes an answer; an invalid one becomes the failure `internal`.
fn encode_answer(request: u64, outcome: Result<Payload, Failure>) -> Encoded {
    let encoded = match outcome {
        Ok(payload) => Encoded::reply(request, &payload),
        Err(failure) => Encoded::failure(request, &failure),
    };
    encoded.unwrap_or_else(|_| {
        let failure = Failure { code: INTERNAL.into(), payload: Payload::default() };
        Encoded::failure(request, &failure).expect("a fixed code stands in a line")
    })
}

/// The failure code of a request without a handler.
const NO_HANDLER: &str = "no-handler";

fn first_half(bytes: [u8; 16]) -> [u8; 8] {
    std::array::from_fn(|index| bytes[index])
}
