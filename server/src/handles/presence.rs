//! Presence of a room, as applications use it.

use std::fmt;
use std::sync::Arc;

use bowline_protocol::{Encoded, PRESENCE, Payload, Present};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Socket;
use crate::error::{ClusterError, EnterError, ListError};
use crate::message;
use crate::names::is_room;
use crate::node::Node;
use crate::presence::{Info, People};
use crate::session::LiveSession;

/// Who is present in one room. Cheap to clone, `Send + Sync`.
///
/// ```
/// # use bowline_server::{Bowline, EnterError, Failure, PRESENCE, Socket};
/// # use serde_json::json;
/// async fn enter(socket: Socket, bowline: Bowline, name: String) -> Result<(), Failure> {
///     // Members are notified of who joins and leaves by the event PRESENCE.
///     socket.join("lobby")?;
///     let info = json!({ "name": name });
///     bowline.presence("lobby").enter(&socket, &info).map_err(|_| Failure::new("cannot-enter"))
/// }
/// ```
///
/// Spec: 06-rooms-and-requests, "Presence".
#[derive(Clone)]
pub struct Presence {
    node: Arc<Node>,
    room: Arc<str>,
}

impl Presence {
    pub(crate) fn new(node: Arc<Node>, room: &str) -> Self {
        Self { node, room: room.into() }
    }

    /// Makes the session present in the room, with an info about it: a name, a state. A session
    /// that is present already receives a new info. It leaves when it ends. While its client is
    /// away within the resume window it stays present, and so does a session that moves to another
    /// node.
    ///
    /// Once its client has had no carrier for [`away_after`](crate::BowlineBuilder::away_after),
    /// the session is present and marked as away, until the client has reconnected.
    ///
    /// The members of the room receive the event [`PRESENCE`]; so does the session itself if it is
    /// a member.
    ///
    /// # Errors
    /// When the room's name is not 1 to 128 bytes, the info cannot be encoded or is longer than
    /// [`presence_info_limit`](crate::BowlineBuilder::presence_info_limit), the room has as many
    /// present sessions as [`presence_limit`](crate::BowlineBuilder::presence_limit) allows, the
    /// session is present in as many rooms as
    /// [`max_rooms_per_session`](crate::BowlineBuilder::max_rooms_per_session) allows, or it has
    /// ended.
    pub fn enter<T: Serialize + ?Sized>(
        &self,
        socket: &Socket,
        info: &T,
    ) -> Result<(), EnterError> {
        if !is_room(&self.room) {
            return Err(EnterError::InvalidName);
        }
        self.enter_json(socket.session(), message::to_payload(info)?.json_or_null())
    }

    pub(crate) fn enter_json(
        &self,
        session: &Arc<LiveSession>,
        json: &str,
    ) -> Result<(), EnterError> {
        let limit = self.node.config.presence_info_limit;
        if json.len() > limit {
            return Err(EnterError::InfoTooLarge { size: json.len(), limit });
        }
        // It will be part of an event.
        Encoded::event(PRESENCE, &Payload::json(json.to_owned()))?;
        self.node.presence.enter(&self.room, session, json)
    }

    /// Ends the presence of the session in the room. Does nothing if it was not present.
    pub fn leave(&self, socket: &Socket) {
        self.node.presence.leave(&self.room, socket.id());
    }

    /// All present sessions, on all nodes, with infos of type `T`; `serde_json::Value` accepts any.
    /// A change on another node is visible here a moment later.
    ///
    /// # Errors
    /// When a node that may have present sessions does not respond, or an info is not a `T`.
    pub async fn list<T: DeserializeOwned>(&self) -> Result<Vec<Present<T>>, ListError> {
        let people = self.people().await.map_err(ListError::Cluster)?;
        let read = |(session, info): (_, Info)| {
            let Info { json, is_away } = info;
            let info = serde_json::from_str(&json).map_err(ListError::Decode)?;
            Ok(Present { session, info, away: is_away })
        };
        people.into_iter().map(read).collect()
    }

    async fn people(&self) -> Result<People, ClusterError> {
        match &self.node.cluster {
            None => Ok(self.node.presence.everyone(&self.room).unwrap_or_default()),
            Some(cluster) => match self.node.presence.known(&self.room) {
                Some(people) => Ok(people),
                None => cluster.present(&self.node.local, &self.room).await,
            },
        }
    }
}

impl fmt::Debug for Presence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presence").field("room", &self.room).finish_non_exhaustive()
    }
}
