//! The contexts of handlers and hooks, from which extractors take their values.

use std::sync::Arc;

use actix_web::HttpRequest;
use bowline_protocol::Message;

use super::Node;
use crate::session::LiveSession;

/// A session, on a worker of the application.
#[derive(Debug, Clone, Copy)]
pub struct SessionContext<'a> {
    pub(crate) node: &'a Node,
    pub(crate) session: &'a Arc<LiveSession>,
    /// Holds the application's data; not the request of this session.
    pub(crate) request: &'a HttpRequest,
    /// The namespace whose handler or hook is called.
    pub(crate) namespace: Option<&'a Arc<str>>,
}

/// A message and the session that sent it.
#[derive(Debug)]
pub struct MessageContext<'a> {
    pub(crate) session: SessionContext<'a>,
    /// The number by which the answer names the message, if it is a request.
    pub(crate) request_number: Option<u64>,
    pub(crate) message: Message,
}

/// A session whose client sends a new authentication.
#[derive(Debug, Clone, Copy)]
pub struct RefreshContext<'a> {
    pub(crate) session: SessionContext<'a>,
    pub(crate) auth: &'a str,
}

/// A session that is opening, and the authentication of its client.
#[derive(Debug)]
pub struct ConnectContext {
    pub(crate) node: Arc<Node>,
    pub(crate) session: Arc<LiveSession>,
    pub(crate) auth: Box<str>,
}
