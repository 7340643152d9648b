//! What a session calls: the application, and those who know its session.

use std::borrow::Cow;
use std::sync::Arc;
use std::thread;

use actix_web::HttpRequest;
use bowline_protocol::{Close, Encoded, Message, SessionId};
use futures::future::LocalBoxFuture;

use super::LiveSession;
use crate::broker::Hold;
use crate::failure::Failure;
use crate::refusal::Refusal;

/// The node around its sessions. `request` holds the application's data.
pub(crate) trait Surroundings: Send + Sync {
    /// Calls the handler of a message, inside the hooks around it.
    fn handle(
        &self,
        session: &Arc<LiveSession>,
        request: &HttpRequest,
        number: Option<u64>,
        message: Message,
    ) -> Called<'_>;

    /// What the client of a session receives instead of an event; `None` if nothing.
    fn filter(&self, session: &LiveSession, packet: &Encoded) -> Option<Encoded>;

    /// Calls the hook for a client that is away, or back.
    fn call_away(
        &self,
        session: &Arc<LiveSession>,
        request: &HttpRequest,
        is_away: bool,
    ) -> Option<LocalBoxFuture<'static, ()>>;

    /// Calls the hook for a session that has ended.
    fn call_disconnect(
        &self,
        session: &Arc<LiveSession>,
        request: &HttpRequest,
        close: Close,
    ) -> Option<LocalBoxFuture<'static, ()>>;

    /// Calls the hook that decides about a new authentication.
    fn call_refresh(
        &self,
        session: &Arc<LiveSession>,
        request: &HttpRequest,
        auth: &str,
    ) -> Option<Decision>;

    /// True if there is such a hook.
    fn refreshes(&self) -> bool;

    /// The client of a session is away, or back.
    fn set_away(&self, session: SessionId, is_away: bool);

    /// A grant of a session has expired.
    fn grant_expired(&self, session: &Arc<LiveSession>, topic: &str);

    /// A session is over here. It goes on elsewhere if it has parted.
    fn ended(&self, session: SessionId, rooms: &[Arc<str>], has_parted: bool);

    /// Sends an event to where a session is that was here. False if that is not known.
    fn forward(&self, session: SessionId, packet: &Encoded) -> bool;

    /// What this thread publishes to other nodes waits until the result is dropped, to leave
    /// together.
    fn hold(&self) -> Option<Hold>;
}

/// A handler that was called.
pub(crate) struct Called<'a> {
    /// The name of the message.
    pub(crate) name: Cow<'a, str>,
    /// Who fails if it fails, for the log.
    pub(crate) who: &'static str,
    /// What is left to do, unless it has panicked in the call.
    pub(crate) handling: thread::Result<Handling>,
}

/// A handler at work. It yields the packet that answers a request.
pub(crate) type Handling = LocalBoxFuture<'static, Result<Option<Encoded>, Failure>>;

/// A hook that decides.
pub(crate) type Decision = LocalBoxFuture<'static, Result<(), Refusal>>;
