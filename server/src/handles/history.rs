//! The history of a room, as applications hold it.

use std::fmt;
use std::sync::Arc;

use bowline_protocol::{Carries, Encoded, Payload, Position, Recovered, Since, ToClient};
use bytes::Bytes;
use serde::Serialize;
use uuid::Uuid;

use super::Socket;
use crate::error::{EmitError, HistoryError, JoinError};
use crate::history::HistoryPage;
use crate::message;
use crate::names::is_room;
use crate::node::Node;

/// The history of a room, from [`Bowline::history`](crate::Bowline::history).
#[derive(Clone)]
#[must_use = "nothing happens until a method is called"]
pub struct History {
    node: Arc<Node>,
    room: String,
    once: Option<Uuid>,
}

impl History {
    pub(crate) fn new(node: Arc<Node>, room: &str) -> Self {
        Self { node, room: room.to_owned(), once: None }
    }

    /// Gives the next message an id, such as one of an order or of a request: however often it is
    /// sent with that id, by HTTP handlers or tasks, on any node, the history stores one message,
    /// and [`Self::emit`] resolves with its position. The payload of a repetition is not looked at.
    ///
    /// Each room has ids of its own. [`once_ids`](crate::BowlineBuilder::once_ids) sets how many
    /// the server knows, and for how long: unless set, 100,000 for 10 minutes. The id remains
    /// known when the message is deleted. Nothing but [`Self::emit`] and [`Self::emit_with`]
    /// uses it.
    pub fn once(self, id: Uuid) -> Self {
        Self { once: Some(id), ..self }
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

    /// Reads stored messages since that position, at most `limit`, the oldest first: for HTTP
    /// handlers and tasks, which have no session. Nothing is sent to anybody.
    ///
    /// # Errors
    /// When the room has no history, or the broker or the file cannot be reached.
    pub async fn read(&self, since: Since, limit: usize) -> Result<HistoryPage, HistoryError> {
        self.node.histories.page(&self.room, &since, limit).await
    }

    /// Deletes all stored messages, on all nodes. Returns how many there were. Later messages
    /// continue with the next offset. Followers receive nothing for it; a client that requests
    /// deleted messages is answered with [`Missing::Range`](crate::Missing::Range).
    ///
    /// The history keeps no copy. Messages that are already queued for a client are still sent.
    ///
    /// # Errors
    /// When the room has no history, or the broker or the file cannot be reached: then the messages
    /// may or may not have been deleted, and the call can be repeated.
    pub async fn delete(&self) -> Result<u64, HistoryError> {
        self.node.histories.delete(&self.room, None).await
    }

    /// As [`Self::delete`], for the messages up to this position and including it. Returns 0 if the
    /// history has another epoch.
    ///
    /// # Errors
    /// As [`Self::delete`].
    pub async fn trim_to(&self, at: &Position) -> Result<u64, HistoryError> {
        self.node.histories.delete(&self.room, Some(at.clone())).await
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
        if !is_room(&self.room) {
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
        let packet = packet.as_bytes().clone();
        Ok(self.node.histories.append(&self.room, packet, self.once).await?.at)
    }
}

impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("History").field("room", &self.room).finish_non_exhaustive()
    }
}
