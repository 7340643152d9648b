//! The values that the application keeps with a session.

use std::future::{Ready, ready};

use actix_web::HttpRequest;

use super::{FromConnect, FromSession};
use crate::complaints::limited;
use crate::failure::{Failure, INTERNAL};
use crate::node::{ConnectContext, SessionContext};
use crate::refusal::Refusal;
use crate::session::LiveSession;

/// A value that the application keeps with [`Socket::insert`](crate::Socket::insert): the user, or
/// parts of the handshake request that handlers need later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ext<T>(pub T);

impl<T: Clone + Send + Sync + 'static> Ext<T> {
    fn of(session: &LiveSession) -> Result<Self, Failure> {
        session.extension().map(Self).ok_or_else(|| {
            limited!(
                "a handler wants Ext<{}>, which nobody has put there with Socket::insert",
                std::any::type_name::<T>()
            );
            Failure::new(INTERNAL)
        })
    }
}

impl<T: Clone + Send + Sync + 'static> FromSession for Ext<T> {
    fn from_session(context: &SessionContext<'_>) -> Result<Self, Failure> {
        Self::of(context.session)
    }
}

impl<T: Clone + Send + Sync + 'static> FromConnect for Ext<T> {
    type Taking = Ready<()>;

    fn take(_: &HttpRequest) -> Self::Taking {
        ready(())
    }

    fn from_connect((): (), context: &ConnectContext) -> Result<Self, Refusal> {
        Self::of(&context.session).map_err(|failure| Refusal::new(&failure.to_string()))
    }
}
