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

    /// Sends a message to all followers of the room, on all nodes, and stores it. Resolves with its
    /// position when it is stored. Followers receive the payload as [`Kept`](crate::Kept), with the
    /// position.
    ///
    /// # Errors
    /// When the room has no history, the message cannot be encoded, the broker cannot be reached,
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

    /// Joins the room and follows its history: the session receives the stored messages since that
    /// position, as events, and then every later message. A session that follows already receives
    /// nothing twice.
    ///
    /// The answer states the session's position, and which of the messages that it asked for the
    /// history no longer has. The application can send it to the client as it is, and the error
    /// too. A session that leaves the room no longer follows it.
    ///
    /// # Errors
    /// When the room has no history, the session cannot join it, or the broker cannot be reached.
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
