//! What handles and the driver share: the session, who waits for what, and the driver's alarm.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bowline_protocol::{
    AnswerError, Close, CloseCode, Encoded, Failure, Limits, Message, MessageKind, Payload,
    Session, SessionEvent, SessionId, Time,
};
use futures::channel::oneshot;
use futures::task::AtomicWaker;

use crate::builder::Options;
use crate::events::{Backlog, Inlet};
use crate::handler::Handler;
use crate::platform::Platform;
use crate::request::Pending;
use crate::status::{Board, Stats, Status};
use crate::{ConnectError, EmitError, RequestError, Transport};

pub(crate) struct Shared {
    core: Mutex<Core>,
    pub(crate) platform: Arc<dyn Platform>,
    pub(crate) options: Options,
    pub(crate) wake: Wake,
    pub(crate) backlog: Backlog,
}

/// Tells the driver that there is something to do.
#[derive(Debug, Default)]
pub(crate) struct Wake {
    waker: AtomicWaker,
    notified: AtomicBool,
}

/// Everything that changes. The lock is held for a few calls of the session and never across an
/// await.
pub(crate) struct Core {
    pub(crate) session: Session,
    /// Counts the sessions of this client, so that an answer to a lost session is not sent to the next.
    pub(crate) epoch: u64,
    pub(crate) session_id: Option<SessionId>,
    /// What the server accepts, once it has said so.
    pub(crate) limits: Option<Limits>,
    pub(crate) requests: HashMap<u64, Pending>,
    inlets: HashMap<String, Vec<Arc<Inlet>>>,
    handlers: HashMap<String, Arc<dyn Handler>>,
    pub(crate) board: Board,
    pub(crate) stats: Stats,
    pub(crate) rtt: Option<Duration>,
    /// Why the last carrier or attempt ended.
    pub(crate) last_failure: Option<String>,
    pub(crate) started: bool,
    pub(crate) forced: Option<Transport>,
    /// Until when the end may take.
    pub(crate) close_by: Option<Time>,
    connecting: Vec<oneshot::Sender<Result<(), ConnectError>>>,
    closing: Vec<oneshot::Sender<()>>,
}

/// A request of the server with the handler that answers it.
pub(crate) struct Call {
    pub(crate) epoch: u64,
    pub(crate) request: u64,
    pub(crate) payload: Payload,
    pub(crate) handler: Arc<dyn Handler>,
}

impl Shared {
    pub(crate) fn new(platform: Arc<dyn Platform>, options: Options) -> Self {
        let session = Session::new(options.session_config(), 0, platform.now());
        Self {
            core: Mutex::new(Core::new(session)),
            platform,
            options,
            wake: Wake::default(),
            backlog: Backlog::default(),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True while subscribers have to catch up before more is read.
    pub(crate) fn is_paused(&self) -> bool {
        self.backlog.bytes() > self.options.backlog_limit
    }

    /// A subscriber has taken this many bytes.
    pub(crate) fn taken(&self, bytes: usize) {
        if self.backlog.shrink(bytes, self.options.backlog_limit) {
            self.wake.notify();
        }
    }

    /// Begins the end: what was sent before goes out first. Resolves when it is over.
    pub(crate) fn close(&self) -> oneshot::Receiver<()> {
        let (done, receiver) = oneshot::channel();
        let now = self.platform.now();
        let mut core = self.lock();
        if core.board.current().is_closed() {
            return receiver;
        }
        core.closing.push(done);
        core.close_by.get_or_insert(now + FLUSH);
        let close = Close::new(CloseCode::NORMAL);
        core.session.close(close.clone(), now);
        let handlers = (!core.started).then(|| core.end(close));
        drop(core);
        drop(handlers);
        self.wake.notify();
        receiver
    }

    /// Sends the answer to a request of the server, unless its session is gone.
    pub(crate) fn answer(&self, epoch: u64, request: u64, outcome: Result<Payload, Failure>) {
        let packet = encode_answer(request, outcome);
        let now = self.platform.now();
        let mut core = self.lock();
        if core.epoch == epoch {
            // An error means that the session is over, and with it the request.
            _ = core.session.reply(packet, now);
        }
        drop(core);
        self.wake.notify();
    }
}

impl Core {
    fn new(session: Session) -> Self {
        Self {
            session,
            epoch: 0,
            session_id: None,
            limits: None,
            requests: HashMap::new(),
            inlets: HashMap::new(),
            handlers: HashMap::new(),
            board: Board::new(),
            stats: Stats::default(),
            rtt: None,
            last_failure: None,
            started: false,
            forced: None,
            close_by: None,
            connecting: Vec::new(),
            closing: Vec::new(),
        }
    }

    /// Refuses what the server would refuse, once its limit is known.
    pub(crate) fn check_size(&self, packet: &Encoded) -> Result<(), EmitError> {
        let size = packet.binary_message().unwrap_or_else(|| packet.text_line()).len();
        match self.limits {
            Some(limits) if size > limits.packet => {
                Err(EmitError::TooLarge { limit: limits.packet })
            }
            _ => Ok(()),
        }
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

    /// Returns the handler that was there before, to be dropped without the lock.
    pub(crate) fn handle(
        &mut self,
        name: &str,
        handler: Arc<dyn Handler>,
    ) -> Option<Arc<dyn Handler>> {
        self.handlers.insert(name.to_owned(), handler)
    }

    /// Resolves at the first welcome or at the end.
    pub(crate) fn await_welcome(&mut self) -> oneshot::Receiver<Result<(), ConnectError>> {
        let (done, receiver) = oneshot::channel();
        match self.board.current() {
            Status::Connected { .. } => _ = done.send(Ok(())),
            Status::Closed { code, reason } => {
                _ = done.send(Err(ConnectError { code: *code, reason: reason.clone() }));
            }
            _ => self.connecting.push(done),
        }
        receiver
    }

    pub(crate) fn welcomed(&mut self) {
        for waiter in self.connecting.drain(..) {
            _ = waiter.send(Ok(()));
        }
    }

    /// The next event for the driver; messages and answers are handed on at once.
    pub(crate) fn deliver(
        &mut self,
        event: SessionEvent,
        backlog: &Backlog,
        now: Time,
    ) -> Option<Call> {
        match event {
            SessionEvent::Message { kind: MessageKind::Request, number, message } => {
                return self.call(number, message, now);
            }
            SessionEvent::Message { message, .. } => {
                for inlet in self.inlets.get(&*message.name).into_iter().flatten() {
                    inlet.push(message.payload.clone(), backlog);
                }
            }
            SessionEvent::Answered { request, outcome } => {
                if let Some(pending) = self.requests.remove(&request) {
                    pending.resolve(outcome.map_err(request_error));
                }
            }
            // The driver's own affair.
            SessionEvent::Alive(_) | SessionEvent::Dismissed(_) | SessionEvent::Ended(_) => {}
        }
        None
    }

    fn call(&mut self, request: u64, message: Message, now: Time) -> Option<Call> {
        if let Some(handler) = self.handlers.get(&*message.name) {
            let handler = Arc::clone(handler);
            return Some(Call { epoch: self.epoch, request, payload: message.payload, handler });
        }
        let failure = Failure { code: NO_HANDLER.into(), payload: Payload::default() };
        // An error means that the session is over, and with it the request.
        _ = self.session.reply(encode_answer(request, Err(failure)), now);
        None
    }

    /// Starts over with a new session and reports what became of the old one.
    pub(crate) fn reopen(&mut self, code: CloseCode, now: Time) {
        self.stats.dropped_volatile += self.session.dropped_volatile();
        self.stats.sessions_lost += 1;
        let report = self.session.reopen(now);
        self.epoch += 1;
        self.session_id = None;
        let mut moved = HashMap::new();
        for (before, after) in report.requests {
            if let Some(pending) = self.requests.remove(&before) {
                pending.renumber(after);
                moved.insert(after, pending);
            }
        }
        while let Some(SessionEvent::Answered { request, outcome }) = self.session.poll_event() {
            if let Some(pending) = self.requests.remove(&request) {
                pending.resolve(outcome.map_err(request_error));
            }
        }
        self.requests.extend(moved);
        let (confirmed, unknown) = (report.confirmed, report.unknown);
        self.board.set(Status::SessionLost { code, confirmed, unknown });
    }

    /// Nothing follows: everyone who waits is told. Returns the handlers, to be dropped without the lock:
    /// one may own the last handle of this client, which takes the lock when it goes.
    #[must_use]
    pub(crate) fn end(&mut self, close: Close) -> HashMap<String, Arc<dyn Handler>> {
        for (_, pending) in self.requests.drain() {
            pending.resolve(Err(RequestError::SessionLost));
        }
        self.inlets.drain().flat_map(|(_, inlets)| inlets).for_each(|inlet| inlet.end());
        for waiter in self.connecting.drain(..) {
            _ = waiter.send(Err(close.clone().into()));
        }
        self.board.set(close.into());
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
        AnswerError::TimedOut => RequestError::TimedOut,
        AnswerError::SessionLost => RequestError::SessionLost,
    }
}

/// An answer that cannot stand in a line becomes a failure that can.
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

/// What a request for which nobody registered a handler fails with.
const NO_HANDLER: &str = "no-handler";
/// What a request fails with when its handler panicked or answered what cannot be sent.
pub(crate) const INTERNAL: &str = "internal";
/// How long a close may take to send what was sent before it.
const FLUSH: Duration = Duration::from_secs(5);
