//! Namespaces: independent parts of one session.
//!
//! Spec: 13-namespaces.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use bowline_protocol::{
    Answers, Carries, Encoded, JOIN, JoinNamespace, LEAVE, LEFT, LeaveNamespace, NamespaceLeft,
    Payload, ToClient, ToServer,
};
use futures::StreamExt as _;
use futures::future::{Either, select};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::client::Client;
use crate::error::{EmitError, RequestError};
use crate::events::RawEvents;
use crate::handler::Failure;
use crate::memberships::{Membership, NamespaceEnd};
use crate::platform::{MaybeSend, MaybeSync};
use crate::request::RawRequest;
use crate::shared::Shared;
use crate::typed::{Events, Received, Request};

/// A namespace of the server: a part of the session with its own authentication, rooms and
/// handlers. Made by [`Client::namespace`]. A clone is another handle of the same one; when the
/// last is dropped, the client leaves.
#[derive(Clone)]
pub struct Namespace(Arc<Inner>);

struct Inner {
    client: Client,
    name: String,
    joined: Mutex<Option<Arc<Membership>>>,
}

impl Client {
    /// A namespace of the server, which the client joins with [`Namespace::join`]. One handle for
    /// each namespace: clone it.
    ///
    /// ```no_run
    /// # async fn work(client: bowline_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let admin = client.namespace("/admin");
    /// let mut said = admin.on::<_, String>("said");
    /// admin.join("my token").await?;
    /// admin.emit("say", "hello")?;
    /// let tickets: u32 = admin.request("count", &()).await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn namespace(&self, name: &str) -> Namespace {
        let (client, name) = (self.clone(), name.to_owned());
        Namespace(Arc::new(Inner { client, name, joined: Mutex::default() }))
    }
}

impl Namespace {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Joins with this authentication, `&()` for none. In each new session the client joins again
    /// by itself with the same one, before it sends queued messages, until the server refuses or
    /// the namespace has [ended](Self::ended). Joining again replaces the authentication.
    ///
    /// # Errors
    /// With the failure of the server: `refused` with the code and the reason of its application,
    /// `no-namespace` or `no-handler` if there is none of this name, `too-many-namespaces`. The
    /// rest of the session continues.
    pub async fn join(&self, auth: &(impl Serialize + ?Sized)) -> Result<(), RequestError> {
        let asked = JoinNamespace { namespace: self.0.name.clone(), auth: Some(auth) };
        let payload = encode(&asked).map_err(RequestError::Send)?;
        let membership = Membership::new(&self.0.name, (JOIN, payload.clone()));
        let shared = self.0.client.shared();
        let ends = self.0.client.on_raw(LEFT);
        shared.lock().remember(&membership);
        let before = self.set(Some(Arc::clone(&membership)));
        if let Some(before) = before {
            before.end("left".into(), Payload::default());
        }
        if let Err(error) = RawRequest::new(shared, JOIN, Ok(payload)).await {
            self.give_up(&membership, &error);
            return Err(error);
        }
        shared.platform.spawn(Box::pin(watch(Arc::clone(shared), ends, membership)));
        Ok(())
    }

    /// Leaves. Resolves when the server has confirmed it.
    ///
    /// # Errors
    /// See [`RequestError`]. The client does not join again by itself, whatever the error is.
    pub async fn leave(&self) -> Result<(), RequestError> {
        let shared = self.0.client.shared();
        if let Some(membership) = self.set(None) {
            shared.lock().forget(&membership);
            membership.end("left".into(), Payload::default());
        }
        RawRequest::new(shared, LEAVE, self.0.leaving()).await.map(drop)
    }

    /// True from [`join`](Self::join) until the membership has ended. It survives cuts and new
    /// sessions.
    #[must_use]
    pub fn is_joined(&self) -> bool {
        self.membership().is_some_and(|membership| membership.reason().is_none())
    }

    /// Resolves when the membership has ended, with the reason; at once if there is none. It does
    /// not resolve when the client is closed.
    pub async fn ended(&self) -> Option<NamespaceEnd> {
        let membership = self.membership()?;
        // The sender is dropped when the membership has ended.
        _ = membership.wait().await;
        membership.reason()
    }

    /// Sends an event in the namespace, as [`Client::emit`]. The server drops it if the client has
    /// not joined.
    ///
    /// # Errors
    /// As [`Client::emit`].
    pub fn emit<N, P>(&self, name: N, payload: &P) -> Result<(), EmitError>
    where
        N: Carries<P> + ToServer,
        P: Serialize + ?Sized,
    {
        self.0.client.emit(&*self.own(name.name()), payload)
    }

    /// Sends a volatile event in the namespace, as [`Client::emit_volatile`].
    pub fn emit_volatile<N, P>(&self, name: N, payload: &P) -> bool
    where
        N: Carries<P> + ToServer,
        P: Serialize + ?Sized,
    {
        self.0.client.emit_volatile(&*self.own(name.name()), payload)
    }

    /// Creates a request in the namespace, as [`Client::request`]. It fails with `no-namespace` if
    /// the client has not joined.
    pub fn request<N, P, R>(&self, name: N, payload: &P) -> Request<R>
    where
        N: Carries<P> + Answers<R> + ToServer,
        P: Serialize + ?Sized,
        R: DeserializeOwned,
    {
        self.0.client.request(&*self.own(name.name()), payload)
    }

    /// Subscribes to the events of a name in the namespace, as [`Client::on`]. Subscribe before
    /// joining to miss none.
    #[must_use]
    pub fn on<N, P>(&self, name: N) -> Events<P>
    where
        N: Carries<P> + ToClient,
        P: DeserializeOwned,
    {
        self.0.client.on(&*self.own(name.name()))
    }

    /// Answers the server's requests of a name in the namespace, as [`Client::handle`]. A handler
    /// that holds the client keeps it open.
    pub fn handle<N, P, R, F, Fut>(&self, name: N, handler: F)
    where
        N: Carries<P> + Answers<R> + ToClient,
        P: DeserializeOwned + MaybeSend + 'static,
        R: Serialize,
        F: Fn(Received<P>) -> Fut + MaybeSend + MaybeSync + 'static,
        Fut: Future<Output = Result<R, Failure>> + MaybeSend + 'static,
    {
        self.0.client.handle::<&str, P, R, F, Fut>(&self.own(name.name()), handler);
    }

    fn own(&self, name: &str) -> String {
        format!("{},{name}", self.0.name)
    }

    fn membership(&self) -> Option<Arc<Membership>> {
        self.0.joined().clone()
    }

    fn set(&self, membership: Option<Arc<Membership>>) -> Option<Arc<Membership>> {
        std::mem::replace(&mut *self.0.joined(), membership)
    }

    /// The client could not join.
    fn give_up(&self, membership: &Arc<Membership>, error: &RequestError) {
        self.0.client.shared().lock().forget(membership);
        let (code, details) = match error {
            RequestError::Failed { code, payload } => (code.clone(), payload.clone()),
            _ => {
                // The server may still let in a client that does not wait for it any more.
                self.0.send_leave();
                ("left".into(), Payload::default())
            }
        };
        membership.end(code, details);
    }
}

impl Inner {
    fn joined(&self) -> std::sync::MutexGuard<'_, Option<Arc<Membership>>> {
        self.joined.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn leaving(&self) -> Result<Payload, EmitError> {
        encode(&LeaveNamespace { namespace: self.name.clone() })
    }

    /// Sends the request to leave. Nobody waits for the answer: without one the session has ended,
    /// and the membership with it.
    fn send_leave(&self) {
        let shared = self.client.shared();
        let now = shared.platform.now();
        let packet = Encoded::request(LEAVE, &self.leaving().unwrap_or_default());
        if let Ok(packet) = packet {
            let deadline = now + shared.options.request_timeout;
            // A closed client is in no namespace.
            _ = shared.lock().engine.send(packet, Some(deadline), false, now);
        }
        shared.wake.notify();
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let Some(membership) = self.joined().take() else { return };
        self.client.shared().lock().forget(&membership);
        if membership.reason().is_none() {
            membership.end("left".into(), Payload::default());
            self.send_leave();
        }
    }
}

/// Ends the membership when the server notifies the client of it.
async fn watch(shared: Arc<Shared>, mut ends: RawEvents, membership: Arc<Membership>) {
    loop {
        let payload = match select(ends.next(), membership.wait()).await {
            Either::Left((Some(payload), _)) => payload,
            Either::Left((None, _)) | Either::Right(_) => return,
        };
        let left = serde_json::from_str::<NamespaceLeft<serde::de::IgnoredAny>>(&payload.json);
        if let Ok(left) = left
            && left.namespace == membership.name
        {
            shared.lock().forget(&membership);
            membership.end(left.code.into(), payload);
        }
    }
}

fn encode(value: &impl Serialize) -> Result<Payload, EmitError> {
    let json = serde_json::to_string(value);
    json.map(Payload::json).map_err(|error| EmitError::Encode(error.to_string()))
}

impl fmt::Debug for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Namespace").field("name", &self.0.name).finish_non_exhaustive()
    }
}
