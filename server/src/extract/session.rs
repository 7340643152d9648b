//! The session itself, and the `Bowline` it belongs to.

use std::sync::Arc;

use super::{FromSession, SessionContext};
use crate::error::Failure;
use crate::{Bowline, Socket};

impl FromSession for Socket {
    fn from_session(context: &SessionContext<'_>) -> Result<Self, Failure> {
        Ok(Self::new(Arc::clone(context.session)))
    }
}

impl FromSession for Bowline {
    fn from_session(context: &SessionContext<'_>) -> Result<Self, Failure> {
        Ok(Self::from_node(Arc::clone(&context.session.node)))
    }
}
