//! The handle of a client that applications use.

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
/// Dropping the last handle closes the client; it still sends earlier messages, for up to 5
/// seconds. A handler that holds a handle itself keeps the client open.
#[derive(Clone)]
pub struct Client(Arc<Handle>);

/// Closes the client when the last clone is dropped.
struct Handle {
    shared: Arc<Shared>,
    /// The set-up hook, for the driver.
    on_session: Option<OnSession>,
}

impl Client {
    pub(crate) fn new(shared: Arc<Shared>, on_session: Option<OnSession>) -> Self {
        Self(Arc::new(Handle { shared, on_session }))
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.0.shared
    }

    /// Connects, and resolves when the server has sent its welcome. From then on the client keeps
    /// the session alive by itself until it is closed. Dropping the future does not stop the
    /// client.
    ///
    /// # Errors
    /// See [`ConnectError`]: when the server closes the session for good, for example because it
    /// refuses the client; when every transport is refused for good, for example because of a wrong
    /// path; when the client was closed; and after the
    /// [`connect_deadline`](crate::ClientBuilder::connect_deadline), if there is one. A server that
    /// does not respond for now is no error: the client keeps trying.
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

    /// Sends an event: JSON, bytes, or both. Never waits: the client stores the event until the
    /// server confirms it, also while it is not connected.
    ///
    /// # Errors
    /// See [`EmitError`]; the client does not send the event then.
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

    /// Sends a volatile event. The client drops it while it is not connected, or in favour of newer
    /// ones. Returns true if the client has queued the event.
    pub fn emit_raw_volatile(&self, name: &str, payload: &Payload) -> bool {
        let Ok(packet) = Encoded::volatile(name, payload) else { return false };
        let shared = self.shared();
        let mut core = shared.lock();
        let taken = core.check_size(&packet).is_ok() && core.engine.emit_volatile(packet);
        drop(core);
        shared.wake.notify();
        taken
    }

    /// Creates a request, which is sent when it is awaited.
    pub fn request_raw(&self, name: &str, payload: Payload) -> RawRequest {
        RawRequest::new(self.shared(), name, Ok(payload))
    }

    /// Subscribes to the events of a name. Subscribe before connecting to miss none. Every
    /// subscriber of a name receives every event.
    #[must_use]
    pub fn on_raw(&self, name: &str) -> RawEvents {
        RawEvents::subscribe(name, self.shared())
    }

    /// Answers the server's requests of a name; a second handler of the same name replaces the
    /// first. Requests without a handler fail with the code `no-handler`, requests whose handler
    /// panics with `internal`. Handlers start in the order of the requests and then run
    /// concurrently; a handler that blocks its thread blocks the client.
    ///
    /// A request to the server that a handler awaits before it answers fails at once with the code
    /// `would-deadlock` if every handler of the server's side waits for this client: see
    /// `BowlineBuilder::concurrency`.
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

    /// The present status of the client.
    #[must_use]
    pub fn status(&self) -> Status {
        self.shared().lock().board.current().clone()
    }

    /// The present status of the client, and every change of it.
    #[must_use]
    pub fn status_stream(&self) -> StatusStream {
        self.shared().lock().board.watch()
    }

    /// The transport of the current carrier, if the client is connected.
    #[must_use]
    pub fn transport(&self) -> Option<Transport> {
        match self.shared().lock().board.current() {
            Status::Connected { transport, .. } => Some(*transport),
            _ => None,
        }
    }

    /// The public id of the session, once the server has sent it.
    #[must_use]
    pub fn session_id(&self) -> Option<SessionId> {
        self.shared().lock().engine.session_id()
    }

    /// The round trip of a packet and its answer, measured when the present carrier was new, or an
    /// earlier one.
    #[must_use]
    pub fn rtt(&self) -> Option<Duration> {
        self.shared().lock().engine.rtt().map(Duration::from_millis)
    }

    /// Why the last carrier or attempt ended, as a text for people: for logs, when connecting takes
    /// long.
    #[must_use]
    pub fn last_failure(&self) -> Option<String> {
        self.shared().lock().engine.last_failure().map(ToString::to_string)
    }

    /// The transports that the client has tried, the result of each attempt, and why the present
    /// transport serves: to print, or to send to the network's administrator.
    #[must_use]
    pub fn diagnostics(&self) -> Diagnostics {
        let core = self.shared().lock();
        core.log.report(&self.shared().options.endpoint, core.board.current().clone())
    }

    /// What the client has learnt about its network; `None` while the best transport serves. A
    /// program that is started again in the same network passes the verdict to
    /// [`ClientBuilder::verdict`](crate::ClientBuilder::verdict) and avoids the attempts that fail.
    /// In browsers the client stores it by itself.
    #[must_use]
    pub fn verdict(&self) -> Option<Verdict> {
        let now = self.shared().platform.now();
        self.shared().lock().engine.verdict(now)
    }

    /// The client's counters.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared().lock().engine.stats()
    }

    /// Moves the session to this transport now, without loss. If the transport fails, the client
    /// continues down its ladder from there. For tests, and for applications that know their
    /// network.
    pub fn switch_transport(&self, transport: Transport) {
        let now = self.shared().platform.now();
        self.shared().lock().engine.switch(transport, now);
        self.shared().wake.notify();
    }

    /// Closes the connection and opens no other until [`Self::wake`]. For applications that the
    /// system is about to suspend, as on phones: the server keeps the session for its resume
    /// window, and a connection that nobody reads would only delay the replay. The client stores
    /// messages in the meantime.
    ///
    /// In browsers the client does this by itself.
    pub fn suspend(&self) {
        let now = self.shared().platform.now();
        self.shared().lock().engine.suspend(now);
        self.shared().wake.notify();
    }

    /// Ends [`Self::suspend`], or reports that the application was suspended, or that its network
    /// has changed. The server has to respond on an open connection within 1.75 seconds, otherwise
    /// the client replaces it. The client ends a wait for the next attempt.
    ///
    /// In browsers the client does this by itself.
    pub fn wake(&self) {
        let now = self.shared().platform.now();
        self.shared().lock().engine.wake(now);
        self.shared().wake.notify();
    }

    /// Closes the client for good, after it has sent all earlier messages. Takes 5 seconds at most.
    /// Requests without an answer end with
    /// [`RequestError::SessionLost`](crate::RequestError::SessionLost).
    pub async fn close(&self) {
        // The client drops the sender when it is closed.
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
