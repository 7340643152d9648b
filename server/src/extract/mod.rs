//! What handlers and hooks may ask for in their arguments.

mod application;
mod attaching;
mod auth;
mod binary;
mod extension;
mod request;
mod session;

use std::future::Future;

use actix_web::HttpRequest;

use crate::failure::Failure;
use crate::node::{ConnectContext, MessageContext, RefreshContext, SessionContext};
use crate::refusal::Refusal;

pub use auth::Auth;
pub use extension::Ext;

/// What every handler and hook can be given: [`Socket`](crate::Socket),
/// [`Bowline`](crate::Bowline), [`web::Data`](actix_web::web::Data), [`Ext`].
#[diagnostic::on_unimplemented(
    message = "a hook or handler that runs later cannot extract `{Self}`",
    label = "not to be had from a session",
    note = "it can extract `Socket`, `Bowline`, `web::Data<T>` and `Ext<T>`; keep parts of the request with `Socket::insert` \
        in the connect hook, and extract them with `Ext`"
)]
pub trait FromSession: Sized {
    /// Takes the value.
    ///
    /// # Errors
    /// When it is not there; the failure says what is missing.
    fn from_session(context: &SessionContext<'_>) -> Result<Self, Failure>;
}

/// What a handler of messages can be given: all of [`FromSession`], and [`Bytes`](bytes::Bytes) or
/// `Option<Bytes>` for the bytes beside the payload.
#[diagnostic::on_unimplemented(
    message = "a handler cannot extract `{Self}`",
    label = "not to be had from a message",
    note = "the payload comes last; before it a handler can extract `Socket`, `Bowline`, `web::Data<T>`, `Ext<T>`, `Bytes` and \
        `Option<Bytes>`"
)]
pub trait FromMessage: Sized {
    /// Takes the value.
    ///
    /// # Errors
    /// The failure that the caller gets.
    fn from_message(context: &MessageContext<'_>) -> Result<Self, Failure>;
}

/// What the connect hook can be given: whatever implements actix's
/// [`FromRequest`](actix_web::FromRequest) (a logged-in user, a cookie session, `web::Query`,
/// `web::Data`, the [`HttpRequest`] itself, an application's own), and [`Socket`](crate::Socket),
/// [`Auth`] and [`Ext`]. Bodies of requests are Bowline's: an extractor of one finds it empty.
///
/// What comes from the request is taken while the request is inside the application's middleware,
/// before the head of its response. The hook runs later: a WebSocket's client says who it is after
/// that head. `C` is what is known then.
#[diagnostic::on_unimplemented(
    message = "a connect hook cannot extract `{Self}`",
    label = "not to be had from a request",
    note = "it can extract `Socket`, `Auth<T>`, `Ext<T>`, and whatever implements actix's `FromRequest`"
)]
pub trait FromConnect<C = ConnectContext>: Sized {
    /// Resolves with what is kept of the request until the hook runs.
    type Taking: Future + 'static;

    /// Takes it.
    fn take(request: &HttpRequest) -> Self::Taking;

    /// Makes the value, when the hook is about to run.
    ///
    /// # Errors
    /// The refusal that the client gets.
    fn from_connect(taken: <Self::Taking as Future>::Output, context: &C) -> Result<Self, Refusal>;
}

/// What the refresh hook can be given: all of [`FromSession`], and [`Auth`] with what the client
/// presents now.
pub trait FromRefresh: Sized {
    /// Takes the value.
    ///
    /// # Errors
    /// The refusal that the client gets.
    fn from_refresh(context: &RefreshContext<'_>) -> Result<Self, Refusal>;
}

impl<T: FromSession> FromRefresh for T {
    fn from_refresh(context: &RefreshContext<'_>) -> Result<Self, Refusal> {
        let value = Self::from_session(&context.session);
        value.map_err(|failure| Refusal::new(&failure.to_string()))
    }
}

impl<T: FromSession> FromMessage for T {
    fn from_message(context: &MessageContext<'_>) -> Result<Self, Failure> {
        Self::from_session(&context.session)
    }
}
