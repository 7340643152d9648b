//! The extractors of handlers and hooks.

mod application;
mod attaching;
mod auth;
mod binary;
mod extension;
mod message_name;
mod request;
mod session;
mod stream;
mod topic;

use std::future::Future;

use actix_web::HttpRequest;

use crate::failure::Failure;
use crate::node::{ConnectContext, MessageContext, RefreshContext, SessionContext};
use crate::refusal::Refusal;

pub use auth::Auth;
pub use extension::Ext;
pub use message_name::MessageName;
pub use stream::FromStream;
pub use topic::FromTopic;

/// What every handler and hook can extract: [`Socket`](crate::Socket),
/// [`Bowline`](crate::Bowline), [`web::Data`](actix_web::web::Data), [`Ext`].
#[diagnostic::on_unimplemented(
    message = "a hook or handler that runs later cannot extract `{Self}`",
    label = "not to be had from a session",
    note = "it can extract `Socket`, `Bowline`, `web::Data<T>` and `Ext<T>`; keep parts of the \
        request with `Socket::insert` \
        in the connect hook, and extract them with `Ext`"
)]
pub trait FromSession: Sized {
    /// Extracts the value.
    ///
    /// # Errors
    /// When it does not exist; the failure names what is missing.
    fn from_session(context: &SessionContext<'_>) -> Result<Self, Failure>;
}

/// What a handler of messages can extract: all of [`FromSession`], [`Bytes`](bytes::Bytes) or
/// `Option<Bytes>` for the bytes beside the payload, and [`MessageName`].
#[diagnostic::on_unimplemented(
    message = "a handler cannot extract `{Self}`",
    label = "not to be had from a message",
    note = "the payload comes last; before it a handler can extract `Socket`, `Bowline`, \
        `web::Data<T>`, `Ext<T>`, `Bytes`, \
        `Option<Bytes>` and `MessageName`"
)]
pub trait FromMessage: Sized {
    /// Extracts the value.
    ///
    /// # Errors
    /// The failure that the caller receives.
    fn from_message(context: &MessageContext<'_>) -> Result<Self, Failure>;
}

/// What the connect hook can extract: whatever implements actix's
/// [`FromRequest`](actix_web::FromRequest) (a logged-in user, a cookie session, `web::Query`,
/// `web::Data`, the [`HttpRequest`] itself, an application's own), and [`Socket`](crate::Socket),
/// [`Auth`] and [`Ext`]. Bodies of requests are Bowline's: an extractor of one finds it empty.
///
/// The server extracts from the request while the request is inside the application's middleware,
/// before the head of its response. The hook runs later: a WebSocket's client authenticates after
/// that head. `C` is what is known then.
#[diagnostic::on_unimplemented(
    message = "a connect hook cannot extract `{Self}`",
    label = "not to be had from a request",
    note = "it can extract `Socket`, `Auth<T>`, `Ext<T>`, and whatever implements actix's \
        `FromRequest`"
)]
pub trait FromConnect<C = ConnectContext>: Sized {
    /// Resolves with what the server keeps of the request until the hook runs.
    type Taking: Future + 'static;

    /// Extracts it.
    fn take(request: &HttpRequest) -> Self::Taking;

    /// Makes the value, when the hook is about to run.
    ///
    /// # Errors
    /// The refusal that the client receives.
    fn from_connect(taken: <Self::Taking as Future>::Output, context: &C) -> Result<Self, Refusal>;
}

/// What the refresh hook can extract: all of [`FromSession`], and [`Auth`] with the client's new
/// authentication.
pub trait FromRefresh: Sized {
    /// Extracts the value.
    ///
    /// # Errors
    /// The refusal that the client receives.
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
