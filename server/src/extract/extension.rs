//! What the application keeps with a session.

use super::{FromSession, SessionContext};
use crate::error::{Failure, INTERNAL};

/// A value that was kept with [`Socket::insert`](crate::Socket::insert): who the user is, or parts of
/// the handshake request that handlers need later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ext<T>(pub T);

impl<T: Clone + Send + Sync + 'static> FromSession for Ext<T> {
    fn from_session(context: &SessionContext<'_>) -> Result<Self, Failure> {
        context.session.extension().map(Self).ok_or_else(|| {
            log::error!(
                "a handler wants Ext<{}>, which nobody has put there with Socket::insert",
                std::any::type_name::<T>()
            );
            Failure::new(INTERNAL)
        })
    }
}
