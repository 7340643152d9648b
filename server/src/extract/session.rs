//! The session itself, and the `Bowline` it belongs to.

use std::future::{Ready, ready};
use std::sync::Arc;

use actix_web::HttpRequest;

use super::{FromConnect, FromSession};
use crate::bowline::Bowline;
use crate::failure::Failure;
use crate::handles::Socket;
use crate::node::{ConnectContext, SessionContext};
use crate::refusal::Refusal;

impl FromSession for Socket {
    fn from_session(context: &SessionContext<'_>) -> Result<Self, Failure> {
        Ok(Self::new(context.node.share(), Arc::clone(context.session)).within(context.namespace))
    }
}

impl FromConnect for Socket {
    type Taking = Ready<()>;

    fn take(_: &HttpRequest) -> Self::Taking {
        ready(())
    }

    fn from_connect((): (), context: &ConnectContext) -> Result<Self, Refusal> {
        Ok(Self::new(Arc::clone(&context.node), Arc::clone(&context.session)))
    }
}

impl FromSession for Bowline {
    fn from_session(context: &SessionContext<'_>) -> Result<Self, Failure> {
        Ok(Self::from_node(context.node.share()))
    }
}
