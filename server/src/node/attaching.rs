//! An attachment that is to be checked.

use std::net::IpAddr;

use bowline_protocol::{SessionId, Transport};

/// A client that attaches to a session that exists, for the hook of
/// [`BowlineBuilder::on_attach`](crate::BowlineBuilder::on_attach). The session may be on another
/// node, so this is all that the node with the request knows of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attaching {
    pub(crate) session: SessionId,
    pub(crate) user: Option<String>,
    pub(crate) transport: Transport,
    pub(crate) address: Option<IpAddr>,
}

impl Attaching {
    /// The public id of the session.
    #[must_use]
    pub const fn session(&self) -> SessionId {
        self.session
    }

    /// The user of the session, if [`Socket::set_user`](crate::Socket::set_user) has named one.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// The address of the client: of the connection, or the one that one of the
    /// [`trusted_proxies`](crate::BowlineBuilder::trusted_proxies) states. `None` over a Unix
    /// socket without such a proxy.
    #[must_use]
    pub const fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// The transport of the new carrier.
    #[must_use]
    pub const fn transport(&self) -> Transport {
        self.transport
    }
}
