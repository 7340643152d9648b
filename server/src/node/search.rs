//! How a node without the session of a client queries the others. A node that is alone queries
//! none.

use bowline_protocol::{Close, NodeId, Packet, SessionId};
use futures::future::BoxFuture;

use super::Node;
use crate::cluster::{Owned, Place};

impl Node {
    /// Looks for the session of a first line, where it is not known to be here.
    pub(crate) fn search(
        &self,
        first: &Packet,
    ) -> Option<BoxFuture<'static, Result<Place, Close>>> {
        self.cluster.as_ref()?.search(first)
    }

    /// As [`Self::search`], for a session that is named by something else than a first line.
    pub(crate) fn search_session(
        &self,
        session: SessionId,
    ) -> Option<BoxFuture<'static, Result<Place, Close>>> {
        self.cluster.as_ref()?.search_session(session)
    }

    /// Whose session a first line speaks for. `None` if its owner knows none that is open, or the
    /// secret is wrong.
    ///
    /// # Errors
    /// The close that the client receives when the session's owner does not answer.
    pub(crate) async fn whose(
        &self,
        owner: NodeId,
        first: &Packet,
    ) -> Result<Option<Owned>, Close> {
        let Some(cluster) = &self.cluster else { return Ok(None) };
        Ok(cluster.whose(owner, first).await?.0)
    }

    /// True if the secret of an attach is right, according to the node that holds its session.
    ///
    /// # Errors
    /// As [`Self::whose`].
    pub(crate) async fn proves(&self, owner: NodeId, first: &Packet) -> Result<bool, Close> {
        let Some(cluster) = &self.cluster else { return Ok(false) };
        Ok(cluster.whose(owner, first).await?.1)
    }
}
