//! The functions of the application, as the server calls them: their types are forgotten. `handler`
//! makes them out of functions of extractors.

use std::collections::BTreeMap;
use std::fmt;

use actix_web::HttpRequest;
use bowline_protocol::{Close, STREAM_ITEM};
use futures::future::{LocalBoxFuture, poll_fn, ready};

use super::cookie_session::CookieSession;
use super::outbound::AnyOutbound;
use super::{
    Attaching, ConnectContext, MessageContext, Namespaces, RefreshContext, SessionContext,
    StreamHandlers, Topics,
};
use crate::refusal::Refusal;
use crate::session::{Decision, Handling};

/// The handlers of a `Bowline`, by name. A few names are found sooner by comparing than by hashing.
#[derive(Default)]
pub(crate) struct Handlers {
    named: BTreeMap<String, Box<AnyHandler>>,
    /// For names without a handler of their own.
    any: Option<Box<AnyHandler>>,
}

pub(crate) type AnyHandler = dyn Fn(MessageContext<'_>) -> Handling + Send + Sync;

impl Handlers {
    /// A later handler of the same name takes the place of the earlier.
    pub(crate) fn insert(&mut self, name: String, handler: Box<AnyHandler>) {
        self.named.insert(name, handler);
    }

    /// Handles the messages whose name has no handler.
    pub(crate) fn catch_all(&mut self, handler: Box<AnyHandler>) {
        self.any = Some(handler);
    }

    /// The handler of a name, and the name for as long as the handler. The items of all streams
    /// have one handler.
    pub(crate) fn get(&self, name: &str) -> Option<(&str, &AnyHandler)> {
        let found = self.named.get_key_value(name);
        let is_item = || name.starts_with(STREAM_ITEM);
        let found = found.or_else(|| self.named.get_key_value(STREAM_ITEM).filter(|_| is_item()));
        found.map(|(name, handler)| (&**name, &**handler))
    }

    /// The handler of a name, or the catch-all. The catch-all handles no name of the protocol and
    /// of a namespace: a client has to learn from `no-handler` that this server does not serve
    /// such requests.
    pub(crate) fn find(&self, name: &str) -> Option<&AnyHandler> {
        let is_free = !name.starts_with(RESERVED) && !name.starts_with('/');
        let any = || self.any.as_deref().filter(|_| is_free);
        self.get(name).map(|(_, handler)| handler).or_else(any)
    }
}

impl fmt::Debug for Handlers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.named.keys()).finish_non_exhaustive()
    }
}

/// Begins the names of the protocol's own messages.
pub(super) const RESERVED: &str = "bowline.";

/// The hooks of a `Bowline`.
#[derive(Default)]
pub(crate) struct Hooks {
    pub(crate) connect: Option<HandshakeHook<ConnectContext>>,
    pub(crate) attach: Option<HandshakeHook<Attaching>>,
    pub(crate) disconnect: Option<Box<AnyDisconnect>>,
    pub(crate) refresh: Option<Box<AnyRefresh>>,
    pub(crate) away: Option<Box<AnyAway>>,
    pub(crate) back: Option<Box<AnyAway>>,
    pub(crate) topics: Topics,
    /// Around each message, the outermost first.
    pub(crate) around: Vec<Box<AnyAround>>,
    pub(crate) outbound: Option<Box<AnyOutbound>>,
    pub(crate) streams: StreamHandlers,
    pub(crate) namespaces: Namespaces,
}

pub(crate) type AnyPrepare<C> =
    dyn Fn(&HttpRequest) -> LocalBoxFuture<'static, Prepared<C>> + Send + Sync;
pub(crate) type AnyDisconnect =
    dyn Fn(SessionContext<'_>, Close) -> LocalBoxFuture<'static, ()> + Send + Sync;
pub(crate) type AnyRefresh = dyn Fn(RefreshContext<'_>) -> Decision + Send + Sync;
/// A hook around messages. Its second argument is the place of the next hook.
pub(crate) type AnyAround = dyn Fn(MessageContext<'_>, usize) -> Handling + Send + Sync;
pub(crate) type AnyAway = dyn Fn(SessionContext<'_>) -> LocalBoxFuture<'static, ()> + Send + Sync;

impl Hooks {
    /// The names of the extractors that may need what a middleware has added to the request.
    pub(crate) fn wants(&self) -> impl Iterator<Item = &'static str> {
        let connect = self.connect.iter().flat_map(|hook| &hook.wants);
        connect.chain(self.attach.iter().flat_map(|hook| &hook.wants)).copied()
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks")
            .field("connect", &self.connect.is_some())
            .field("attach", &self.attach.is_some())
            .field("disconnect", &self.disconnect.is_some())
            .field("refresh", &self.refresh.is_some())
            .field("away", &self.away.is_some())
            .field("back", &self.back.is_some())
            .field("topics", &self.topics)
            .field("around", &self.around.len())
            .field("outbound", &self.outbound.is_some())
            .field("streams", &self.streams)
            .field("namespaces", &self.namespaces)
            .finish()
    }
}

/// A hook that is asked about a request.
pub(crate) struct HandshakeHook<C> {
    pub(crate) prepare: Box<AnyPrepare<C>>,
    /// The names of its extractors that may need what a middleware has added to the request.
    pub(crate) wants: Vec<&'static str>,
}

impl<C> HandshakeHook<C> {
    /// Takes what the hook wants of a request.
    pub(crate) async fn prepare(&self, request: &HttpRequest) -> Prepared<C> {
        let cookies = if self.wants.is_empty() { None } else { CookieSession::of(request) };
        Prepared { cookies, ..(self.prepare)(request).await }
    }
}

/// A hook that has what it wanted of a request, and waits to be called.
pub struct Prepared<C> {
    call: Box<AnyCall<C>>,
    cookies: Option<CookieSession>,
}

type AnyCall<C> = dyn FnOnce(&C) -> LocalBoxFuture<'static, Result<(), Refusal>>;

impl<C> Prepared<C> {
    pub(crate) fn new(
        call: impl FnOnce(&C) -> LocalBoxFuture<'static, Result<(), Refusal>> + 'static,
    ) -> Self {
        Self { call: Box::new(call), cookies: None }
    }

    /// A hook that cannot be asked.
    pub(crate) fn refusing(refusal: Refusal) -> Self {
        Self::new(move |_| Box::pin(ready(Err(refusal))))
    }

    pub(crate) fn call(self, context: &C) -> LocalBoxFuture<'static, Result<(), Refusal>> {
        let Some(cookies) = self.cookies else { return (self.call)(context) };
        cookies.restore();
        let mut decision = (self.call)(context);
        // The head of the response may be made while the hook waits for something.
        Box::pin(poll_fn(move |cx| {
            cookies.restore();
            decision.as_mut().poll(cx)
        }))
    }
}

impl<C> fmt::Debug for Prepared<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Prepared")
    }
}
