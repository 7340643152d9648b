//! What handlers and hooks may ask for in their arguments.

mod application;
mod auth;
mod binary;
mod extension;
mod session;

use std::sync::Arc;

use actix_web::HttpRequest;
use bowline_protocol::Message;

use crate::error::Failure;
use crate::handler::Refusal;
use crate::session::LiveSession;

pub use auth::Auth;
pub use extension::Ext;

/// What every handler and hook can be given: [`Socket`](crate::Socket), [`Bowline`](crate::Bowline),
/// [`web::Data`](actix_web::web::Data), [`Ext`].
pub trait FromSession: Sized {
    /// Takes the value.
    ///
    /// # Errors
    /// When it is not there; the failure says what is missing.
    fn from_session(context: &SessionContext<'_>) -> Result<Self, Failure>;
}

/// What a handler of messages can be given: all of [`FromSession`], and [`Bytes`](bytes::Bytes) or
/// `Option<Bytes>` for the bytes beside the payload.
pub trait FromMessage: Sized {
    /// Takes the value.
    ///
    /// # Errors
    /// The failure that the caller gets.
    fn from_message(context: &MessageContext<'_>) -> Result<Self, Failure>;
}

/// What the connect hook can be given: all of [`FromSession`], the handshake's
/// [`HttpRequest`], and [`Auth`].
pub trait FromConnect: Sized {
    /// Takes the value.
    ///
    /// # Errors
    /// The refusal that the client gets.
    fn from_connect(context: &ConnectContext<'_>) -> Result<Self, Refusal>;
}

/// A session, on a worker of the application.
#[derive(Debug, Clone, Copy)]
pub struct SessionContext<'a> {
    pub(crate) session: &'a Arc<LiveSession>,
    /// Holds the application's data; not the request of this session.
    pub(crate) request: &'a HttpRequest,
}

/// A message and the session that sent it.
#[derive(Debug)]
pub struct MessageContext<'a> {
    pub(crate) session: &'a Arc<LiveSession>,
    pub(crate) request: &'a HttpRequest,
    /// The number by which the answer names the message, if it is a request.
    pub(crate) request_number: Option<u64>,
    pub(crate) message: Message,
}

/// A session that wants to open, and the request that asks for it.
#[derive(Debug, Clone, Copy)]
pub struct ConnectContext<'a> {
    pub(crate) session: &'a Arc<LiveSession>,
    pub(crate) request: &'a HttpRequest,
    pub(crate) auth: &'a str,
}

impl<T: FromSession> FromMessage for T {
    fn from_message(context: &MessageContext<'_>) -> Result<Self, Failure> {
        Self::from_session(&SessionContext { session: context.session, request: context.request })
    }
}

impl<T: FromSession> FromConnect for T {
    fn from_connect(context: &ConnectContext<'_>) -> Result<Self, Refusal> {
        Self::from_session(&SessionContext { session: context.session, request: context.request })
            .map_err(|failure| Refusal::new(&failure.to_string()))
    }
}

impl FromConnect for HttpRequest {
    fn from_connect(context: &ConnectContext<'_>) -> Result<Self, Refusal> {
        Ok(context.request.clone())
    }
}
