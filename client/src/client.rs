//! The handle that applications hold.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bowline_protocol::{CloseCode, Encoded, Payload, SessionId};
use futures::future::{Either, select};

use crate::diagnostics::Diagnostics;
use crate::driver::Driver;
use crate::engine::Verdict;
use crate::error::{ConnectError, EmitError};
use crate::events::RawEvents;
use crate::handler::{Failure, Handler};
use crate::platform::{MaybeSend, MaybeSync};
use crate::request::RawRequest;
use crate::setup::OnSession;
use crate::shared::Shared;
use crate::status::{Stats, Status, StatusStream};
use bowline_protocol::Transport;

/// A session with a server. A clone is another handle of the same session.
///
/// Dropping the last handle closes the client; what was emitted before is still sent, for up to 5
/// seconds. Handlers that hold a handle themselves keep the client open.
#[derive(Clone)]
pub struct Client(Arc<Handle>);

/// Closes the client when the last clone is gone.
struct Handle {
    shared: Arc<Shared>,
    /// For the driver.
    on_session: Option<OnSession>,
}

impl Client {
    pub(crate) fn new(shared: Arc<Shared>, on_session: Option<OnSession>) -> Self {
        Self(Arc::new(Handle { shared, on_session }))
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.0.shared
    }

    /// Starts the client and resolves when the server has welcomed it. From then on the client keeps
    /// the session alive by itself until it is closed. Dropping the future does not stop it.
    ///
    /// # Errors
    /// See [`ConnectError`]: when the server closes the session for good, as it does with a client that it
    /// refuses; when something else refuses every transport for good, such as a wrong path; when the client
    /// was closed; and after the [`connect_deadline`](crate::ClientBuilder::connect_deadline), if there is
    /// one. A server that cannot be reached for now is no error: the client goes on trying.
    pub async fn connect(&self) -> Result<(), ConnectError> {
        let shared = self.shared();
        let (welcome, start) = {
            let mut core = shared.lock();
            let start =
                !core.board.current().is_closed() && !std::mem::replace(&mut core.started, true);
            if start {
                core.engine.start(shared.platform.now());
            }
            (core.await_welcome(), start)
        };
        if start {
            let driver = Driver::new(Arc::clone(shared), self.0.on_session.clone());
            shared.platform.spawn(Box::pin(driver.run()));
        }
        let Some(deadline) = shared.options.connect_deadline else {
            return welcome.await.unwrap_or_else(|_| Err(self.closed()));
        };
        match select(welcome, shared.platform.sleep(deadline)).await {
            Either::Left((outcome, _)) => outcome.unwrap_or_else(|_| Err(self.closed())),
            Either::Right(_) => {
                let last = shared.lock().engine.last_failure().cloned();
                Err(ConnectError::Deadline { after: deadline, last })
            }
        }
    }

    /// Sends an event: JSON, bytes, or both. Never waits: before the client is connected, and while it
    /// is not, the event is kept, and it is kept until the server confirms it.
    ///
    /// # Errors
    /// See [`EmitError`]; nothing was sent then.
    pub fn emit_raw(&self, name: &str, payload: &Payload) -> Result<(), EmitError> {
        let packet = Encoded::event(name, payload)?;
        let shared = self.shared();
        let now = shared.platform.now();
        let mut core = shared.lock();
        core.check_size(&packet)?;
        core.engine.emit(packet, now)?;
        drop(core);
        shared.wake.notify();
        Ok(())
    }

    /// Sends an event that may be dropped: when the client is not connected, or when newer ones
    /// displace it. Returns whether it was taken.
    pub fn emit_raw_volatile(&self, name: &str, payload: &Payload) -> bool {
        let Ok(packet) = Encoded::volatile(name, payload) else { return false };
        let shared = self.shared();
        let mut core = shared.lock();
        let taken = core.check_size(&packet).is_ok() && core.engine.emit_volatile(packet);
        drop(core);
        shared.wake.notify();
        taken
    }

    /// Sends a request when the returned value is awaited.
    pub fn request_raw(&self, name: &str, payload: Payload) -> RawRequest {
        RawRequest::new(self.shared(), name, Ok(payload))
    }

    /// Subscribes to the events of a name. Subscribe before connecting to miss none. Every subscriber
    /// of a name sees every event.
    #[must_use]
    pub fn on_raw(&self, name: &str) -> RawEvents {
        RawEvents::subscribe(name, self.shared())
    }

    /// Answers the server's requests of a name; a second handler of the same name replaces the first.
    /// Requests without a handler fail with the code `no-handler`, those whose handler panics with
    /// `internal`. Handlers begin in the order of the requests and
    /// then run side by side; one that blocks its thread blocks the client.
    ///
    /// What a handler awaits from the server before it answers fails at once with the code `would-deadlock` if
    /// every handler of the server's side waits for this client: see `BowlineBuilder::concurrency`.
    pub fn handle_raw<F, Fut>(&self, name: &str, handler: F)
    where
        F: Fn(Payload) -> Fut + MaybeSend + MaybeSync + 'static,
        Fut: Future<Output = Result<Payload, Failure>> + MaybeSend + 'static,
    {
        self.register(name, Arc::new(handler));
    }

    pub(crate) fn register(&self, name: &str, handler: Arc<dyn Handler>) {
        let before = self.shared().lock().handle(name, handler);
        drop(before);
    }

    /// Where the client stands.
    #[must_use]
    pub fn status(&self) -> Status {
        self.shared().lock().board.current().clone()
    }

    /// Where the client stands and every change of it.
    #[must_use]
    pub fn status_stream(&self) -> StatusStream {
        self.shared().lock().board.watch()
    }

    /// The transport that serves, if the client is connected.
    #[must_use]
    pub fn transport(&self) -> Option<Transport> {
        match self.shared().lock().board.current() {
            Status::Connected { transport, .. } => Some(*transport),
            _ => None,
        }
    }

    /// The public id of the session, once the server has given one.
    #[must_use]
    pub fn session_id(&self) -> Option<SessionId> {
        self.shared().lock().engine.session_id()
    }

    /// How long a packet and its answer took together when the present carrier was new, or one before
    /// it.
    #[must_use]
    pub fn rtt(&self) -> Option<Duration> {
        self.shared().lock().engine.rtt().map(Duration::from_millis)
    }

    /// Why the last carrier or attempt ended, in words for a person: for logs, when connecting takes
    /// long.
    #[must_use]
    pub fn last_failure(&self) -> Option<String> {
        self.shared().lock().engine.last_failure().map(ToString::to_string)
    }

    /// What was tried, what each attempt met, and why the present transport serves: to print, or to send
    /// to whoever runs the network.
    #[must_use]
    pub fn diagnostics(&self) -> Diagnostics {
        let core = self.shared().lock();
        core.log.report(&self.shared().options.endpoint, core.board.current().clone())
    }

    /// What the client has learnt about its network: `None` while the best transport serves. A program that
    /// is started again in the same network gives it to
    /// [`ClientBuilder::verdict`](crate::ClientBuilder::verdict) and is spared the attempts that fail. In
    /// browsers the client keeps it by itself.
    #[must_use]
    pub fn verdict(&self) -> Option<Verdict> {
        let now = self.shared().platform.now();
        self.shared().lock().engine.verdict(now)
    }

    /// What happened so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared().lock().engine.stats()
    }

    /// Moves the session to this transport now, without loss. If it fails, the client goes on down its
    /// ladder from there. For tests, and for applications that know their network.
    pub fn switch_transport(&self, transport: Transport) {
        let now = self.shared().platform.now();
        self.shared().lock().engine.switch(transport, now);
        self.shared().wake.notify();
    }

    /// Drops the connection and opens no other until [`Self::wake`]. For applications that are about to
    /// be put to sleep, as those on phones are: the server keeps the session for its resume window, and
    /// a connection that nobody reads would only hold up the replay. What is emitted meanwhile waits.
    ///
    /// In browsers the client does this by itself.
    pub fn suspend(&self) {
        let now = self.shared().platform.now();
        self.shared().lock().engine.suspend(now);
        self.shared().wake.notify();
    }

    /// The application was asleep, or its network has changed. Ends [`Self::suspend`]. A connection that
    /// seems open has to prove itself within 1.75 seconds, else it is replaced; a wait for the next attempt
    /// is over.
    ///
    /// In browsers the client does this by itself.
    pub fn wake(&self) {
        let now = self.shared().platform.now();
        self.shared().lock().engine.wake(now);
        self.shared().wake.notify();
    }

    /// Closes the client for good, after everything that was emitted before has been sent. Takes 5
    /// seconds at most. Requests without an answer end with
    /// [`RequestError::SessionLost`](crate::RequestError::SessionLost).
    pub async fn close(&self) {
        // Its sender is dropped when the client is closed.
        _ = self.shared().close().await;
    }

    fn closed(&self) -> ConnectError {
        match self.status() {
            Status::Closed { code, reason } => self.shared().lock().why_closed(code, &reason),
            _ => ConnectError::Closed { code: CloseCode::NORMAL, reason: "".into() },
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        drop(self.shared.close());
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("status", &self.status())
            .field("session_id", &self.session_id())
            .finish_non_exhaustive()
    }
}
