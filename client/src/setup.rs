//! The set-up of a new session: the first messages of an application.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use bowline_protocol::{Encoded, Payload, SessionId};
use futures::FutureExt;

use crate::error::{EmitError, RequestError};
use crate::platform::{BoxFuture, MaybeSend, MaybeSync};
use crate::request::RawRequest;
use crate::shared::Shared;

/// A new session during its set-up: see
/// [`ClientBuilder::on_session`](crate::ClientBuilder::on_session).
///
/// The client sends its messages before all queued ones. Once the session is lost, a set-up refuses
/// messages; after the set-up it sends as the client does.
#[derive(Clone)]
pub struct Setup {
    shared: Arc<Shared>,
    /// The sequence number of the set-up.
    run: u64,
}

/// Sets each new session up.
#[derive(Clone)]
pub(crate) struct OnSession(Arc<dyn SetUpHook>);

/// The hook of the application.
trait SetUpHook: MaybeSend + MaybeSync {
    /// An error is a text for people; the client retries later.
    fn set_up(&self, setup: Setup) -> BoxFuture<Result<(), String>>;
}

/// A hook in the form in which it is stored.
struct Hook<F>(F);

impl Setup {
    /// The public id of the session.
    #[must_use]
    pub fn session_id(&self) -> Option<SessionId> {
        self.shared.lock().engine.session_id()
    }

    /// Sends an event before all queued messages.
    ///
    /// # Errors
    /// As [`Client::emit_raw`](crate::Client::emit_raw), and [`EmitError::SetupOver`].
    pub fn emit_raw(&self, name: &str, payload: &Payload) -> Result<(), EmitError> {
        let packet = Encoded::event(name, payload)?;
        let now = self.shared.platform.now();
        let mut core = self.shared.lock();
        core.check_size(&packet)?;
        core.check_run(self.run)?;
        core.engine.send(packet, None, true, now)?;
        drop(core);
        self.shared.wake.notify();
        Ok(())
    }

    /// Creates a request, which is sent before all queued messages when it is awaited.
    pub fn request_raw(&self, name: &str, payload: Payload) -> RawRequest {
        self.request_encoded(name, Ok(payload))
    }

    pub(crate) fn request_encoded(
        &self,
        name: &str,
        payload: Result<Payload, EmitError>,
    ) -> RawRequest {
        RawRequest::new(&self.shared, name, payload).of_set_up(self.run)
    }

    /// Closes the client: for a set-up that the server has refused for good. If the hook then
    /// returns an error, the client ends at once, and sends no queued message.
    pub fn close(&self) {
        drop(self.shared.close());
    }
}

/// Sets a new session up: the hook, if there is one, and then the namespaces that the client has
/// joined.
pub(crate) fn begin(
    shared: &Arc<Shared>,
    hook: Option<&OnSession>,
) -> BoxFuture<Result<(), String>> {
    let hook = hook.map(|hook| hook.begin(shared));
    let run = shared.lock().engine.set_up_run();
    let shared = Arc::clone(shared);
    Box::pin(async move {
        if let Some(hook) = hook {
            hook.await?;
        }
        join_again(&shared, run).await
    })
}

/// Joins the namespaces. One that the server refuses has ended; the others are not affected.
async fn join_again(shared: &Arc<Shared>, run: u64) -> Result<(), String> {
    let memberships = shared.lock().memberships();
    for membership in memberships {
        let (request, payload) = membership.join.clone();
        match RawRequest::new(shared, request, Ok(payload)).of_set_up(run).await {
            Ok(_) => {}
            Err(RequestError::Failed { code, payload }) => {
                shared.lock().forget(&membership);
                membership.end(code, payload);
            }
            Err(error) => return Err(format!("the namespace {}: {error}", membership.name)),
        }
    }
    Ok(())
}

impl OnSession {
    pub(crate) fn new<F, Fut, E>(hook: F) -> Self
    where
        F: Fn(Setup) -> Fut + MaybeSend + MaybeSync + 'static,
        Fut: Future<Output = Result<(), E>> + MaybeSend + 'static,
        E: fmt::Display + 'static,
    {
        Self(Arc::new(Hook(hook)))
    }

    /// Calls the hook for a new set-up.
    pub(crate) fn begin(&self, shared: &Arc<Shared>) -> BoxFuture<Result<(), String>> {
        let run = shared.lock().engine.set_up_run();
        self.0.set_up(Setup { shared: Arc::clone(shared), run })
    }
}

impl<F, Fut, E> SetUpHook for Hook<F>
where
    F: Fn(Setup) -> Fut + MaybeSend + MaybeSync,
    Fut: Future<Output = Result<(), E>> + MaybeSend + 'static,
    E: fmt::Display,
{
    fn set_up(&self, setup: Setup) -> BoxFuture<Result<(), String>> {
        let running = AssertUnwindSafe((self.0)(setup));
        Box::pin(async move {
            match running.catch_unwind().await {
                Ok(Ok(())) => Ok(()),
                Ok(Err(error)) => Err(format!("the session could not be set up: {error}")),
                Err(_) => Err("the set-up of the session panicked".to_owned()),
            }
        })
    }
}

impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setup").field("session_id", &self.session_id()).finish_non_exhaustive()
    }
}

impl fmt::Debug for OnSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnSession")
    }
}
