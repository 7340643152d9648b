//! The history of a room, as applications hold it.

use std::fmt;
use std::sync::Arc;

use bowline_protocol::{Carries, Encoded, Payload, Position, Recovered, Since, ToClient};
use bytes::Bytes;
use serde::Serialize;

use super::Socket;
use crate::error::{EmitError, HistoryError, JoinError};
use crate::message;
use crate::names::user_of;
use crate::node::Node;

/// The history of a room, from [`Bowline::history`](crate::Bowline::history).
#[derive(Clone)]
#[must_use = "nothing happens until emit or follow is called"]
pub struct History {
    node: Arc<Node>,
    room: String,
}

impl History {
    pub(crate) fn new(node: Arc<Node>, room: &str) -> Self {
        Self { node, room: room.to_owned() }
    }

    /// Says something to all followers of the room, on all nodes, and keeps it. Resolves with its
    /// place when it is kept. Followers get the payload as [`Kept`](crate::Kept), with the
    /// place.
    ///
    /// # Errors
    /// When the room has no history, the message cannot be written, the broker cannot be reached,
    /// or the disk refuses.
    pub async fn emit<P: Serialize + ?Sized>(
        &self,
        name: impl Carries<P> + ToClient,
        payload: &P,
    ) -> Result<Position, HistoryError> {
        self.append(name.name(), message::to_payload(payload)).await
    }

    /// As [`Self::emit`], with bytes beside the payload.
    ///
    /// # Errors
    /// As [`Self::emit`].
    pub async fn emit_with<P: Serialize + ?Sized>(
        &self,
        name: impl Carries<P> + ToClient,
        payload: &P,
        bytes: Bytes,
    ) -> Result<Position, HistoryError> {
        self.append(name.name(), message::to_payload_with(payload, Some(bytes))).await
    }

    /// Joins the room and follows its history: the session gets, as events like those that come
    /// later, what was said since, and then everything that is said. A session that follows
    /// already hears nothing twice.
    ///
    /// The answer says where the session is then, and what of that which it wanted is no longer
    /// kept. It can be given to the client as it is, and so can the error. A session that
    /// leaves the room follows no more.
    ///
    /// # Errors
    /// When the room has no history, it cannot be joined, or the broker cannot be reached.
    pub async fn follow(&self, socket: &Socket, since: Since) -> Result<Recovered, HistoryError> {
        if user_of(&self.room).is_some() {
            return Err(HistoryError::Join(JoinError::InvalidName));
        }
        self.node.histories.follow(&self.room, socket.session(), &since).await
    }

    async fn append(
        &self,
        name: &str,
        payload: Result<Payload, serde_json::Error>,
    ) -> Result<Position, HistoryError> {
        let payload = payload.map_err(EmitError::from)?;
        let packet = Encoded::event(name, &payload).map_err(EmitError::from)?;
        self.node.histories.append(&self.room, packet.as_bytes().clone()).await
    }
}

impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("History").field("room", &self.room).finish_non_exhaustive()
    }
}
