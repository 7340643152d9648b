//! Who an emit goes to.

mod request_all;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use bowline_protocol::{AnswerError, Answers, Carries, Close, Encoded, SessionId, ToClient};
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::ClusterError;
use crate::error::EmitError;
use crate::message;
use crate::node::Node;
use crate::request::Forget;
use crate::session::{LiveSession, Waiting};
pub use request_all::{Replies, RequestAll};

/// A set of sessions, chosen by rooms, that messages can be sent to. Who belongs to it is found out
/// when something is sent.
#[derive(Clone)]
#[must_use = "nothing is sent until emit or request is called"]
pub struct Audience {
    node: Arc<Node>,
    to: To,
    pub(crate) except_rooms: Vec<String>,
    pub(crate) except_sessions: Vec<SessionId>,
}

#[derive(Debug, Clone)]
pub(crate) enum To {
    All,
    Rooms(Vec<String>),
    Session(SessionId),
}

impl Audience {
    pub(crate) const fn all(node: Arc<Node>) -> Self {
        Self { node, to: To::All, except_rooms: Vec::new(), except_sessions: Vec::new() }
    }

    pub(crate) fn room(node: Arc<Node>, room: &str) -> Self {
        Self { to: To::Rooms(vec![room.to_owned()]), ..Self::all(node) }
    }

    pub(crate) const fn session(node: Arc<Node>, session: SessionId) -> Self {
        Self {
            node,
            to: To::Session(session),
            except_rooms: Vec::new(),
            except_sessions: Vec::new(),
        }
    }

    /// Also everyone in this room. A session in several of the rooms gets a message once.
    pub fn to(mut self, room: impl AsRef<str>) -> Self {
        match &mut self.to {
            To::Rooms(rooms) => rooms.push(room.as_ref().to_owned()),
            // Everyone includes the room already. That a session is no audience that grows, `Recipient` sees to.
            To::All | To::Session(_) => {}
        }
        self
    }

    /// But nobody in this room.
    pub fn except(mut self, room: impl AsRef<str>) -> Self {
        self.except_rooms.push(room.as_ref().to_owned());
        self
    }

    /// But not this session.
    pub fn except_session(mut self, session: SessionId) -> Self {
        self.except_sessions.push(session);
        self
    }

    /// Sends an event, encoded once for all. Returns to how many sessions it goes; one whose outbox
    /// is full is closed as a slow consumer and does not count.
    ///
    /// On several nodes it goes to the members on all of them, and those on this one are counted.
    ///
    /// # Errors
    /// When the payload or the name cannot be written, and when one of the rooms has a
    /// [history](crate::Bowline::history), which would not keep the event.
    pub fn emit<P: Serialize + ?Sized>(
        &self,
        name: impl Carries<P> + ToClient,
        payload: &P,
    ) -> Result<usize, EmitError> {
        self.keeps_nothing()?;
        Ok(self.send(&Encoded::event(name.name(), &message::to_payload(payload)?)?))
    }

    /// As [`Self::emit`], with bytes beside the payload.
    ///
    /// # Errors
    /// As [`Self::emit`].
    pub fn emit_with<P: Serialize + ?Sized>(
        &self,
        name: impl Carries<P> + ToClient,
        payload: &P,
        bytes: Bytes,
    ) -> Result<usize, EmitError> {
        self.keeps_nothing()?;
        let payload = message::to_payload_with(payload, Some(bytes))?;
        Ok(self.send(&Encoded::event(name.name(), &payload)?))
    }

    /// Sends an event that may be dropped by clients that are away or slow. Returns for how many it
    /// was queued. A room's history does not keep it.
    ///
    /// # Errors
    /// When the payload or the name cannot be written.
    pub fn emit_volatile<P: Serialize + ?Sized>(
        &self,
        name: impl Carries<P> + ToClient,
        payload: &P,
    ) -> Result<usize, EmitError> {
        let packet = Encoded::volatile(name.name(), &message::to_payload(payload)?)?;
        Ok(match &self.node.cluster {
            None => self.send_here_volatile(&packet),
            Some(cluster) => cluster.emit_volatile(self, &packet),
        })
    }

    /// Asks everyone when the returned value is awaited; the answers then come as a stream that ends when
    /// all have answered, at the latest after the timeout.
    pub fn request<P: Serialize + ?Sized, R: DeserializeOwned>(
        &self,
        name: impl Carries<P> + Answers<R> + ToClient,
        payload: &P,
    ) -> RequestAll<R> {
        RequestAll::new(self.clone(), name.name(), message::to_payload(payload))
    }

    /// Sends a request to everyone who belongs to the audience now. Returns those of this node that are open.
    pub(crate) fn ask(
        &self,
        packet: &Encoded,
        timeout: Duration,
        answers: crate::cluster::Answers,
    ) -> HashMap<SessionId, Forget> {
        let cluster = self.node.cluster.as_ref();
        let _pass = cluster.map(|cluster| cluster.pass());
        let open = ask(self.members(), packet, timeout, &answers);
        if let Some(cluster) = cluster {
            cluster.ask(self, packet, timeout, answers);
        }
        open
    }

    /// The sessions of this node that belong to the audience now.
    #[must_use]
    pub fn sessions(&self) -> Vec<SessionId> {
        self.members().iter().map(|session| session.id).collect()
    }

    /// The sessions of all nodes that belong to the audience now.
    ///
    /// # Errors
    /// When a node that may have some does not answer.
    pub async fn sessions_everywhere(&self) -> Result<Vec<SessionId>, ClusterError> {
        let mut sessions = self.sessions();
        if let Some(cluster) = &self.node.cluster {
            sessions.extend(cluster.find(self).await?);
        }
        Ok(sessions)
    }

    /// How many sessions of all nodes belong to the audience now.
    ///
    /// # Errors
    /// As [`Self::sessions_everywhere`].
    pub async fn count(&self) -> Result<usize, ClusterError> {
        Ok(self.sessions_everywhere().await?.len())
    }

    /// Ends all their sessions, on all nodes.
    pub fn disconnect(&self, close: &Close) {
        self.disconnect_here(close);
        if let Some(cluster) = &self.node.cluster {
            cluster.disconnect(self, close);
        }
    }

    pub(crate) fn disconnect_here(&self, close: &Close) {
        for session in self.members() {
            session.close(close.clone());
        }
    }

    pub(crate) const fn target(&self) -> &To {
        &self.to
    }

    fn send(&self, packet: &Encoded) -> usize {
        match &self.node.cluster {
            None => self.send_here(packet),
            Some(cluster) => cluster.emit(self, packet),
        }
    }

    pub(crate) fn send_here(&self, packet: &Encoded) -> usize {
        self.send_here_and(packet, Waker::wake)
    }

    /// As [`Self::send_here`]; the carriers that have to be woken are given to `wake`.
    pub(crate) fn send_here_and(&self, packet: &Encoded, mut wake: impl FnMut(Waker)) -> usize {
        let now = self.node.now();
        let members = match &self.to {
            To::Rooms(rooms) if rooms.len() == 1 && self.excepts_nobody() => {
                self.node.rooms.list(&rooms[0])
            }
            _ => self.members().into(),
        };
        let told = members.iter().filter(|member| member.emit_at(now, packet, &mut wake).is_ok());
        told.count()
    }

    /// An event that followers of a history would miss is refused.
    fn keeps_nothing(&self) -> Result<(), EmitError> {
        let To::Rooms(rooms) = &self.to else { return Ok(()) };
        match rooms.iter().find(|room| self.node.histories.has(room)) {
            Some(room) => Err(EmitError::HasHistory { room: room.clone() }),
            None => Ok(()),
        }
    }

    const fn excepts_nobody(&self) -> bool {
        self.except_rooms.is_empty() && self.except_sessions.is_empty()
    }

    pub(crate) fn send_here_volatile(&self, packet: &Encoded) -> usize {
        let members = self.members();
        let taken = members
            .iter()
            .filter(|session| session.with(|state, _| state.core.emit_volatile(packet.clone())));
        taken.count()
    }

    pub(crate) fn members(&self) -> Vec<Arc<LiveSession>> {
        let mut members = Vec::new();
        match &self.to {
            To::All => members = self.node.registry.all(),
            To::Session(id) => members.extend(self.node.registry.get(id)),
            To::Rooms(rooms) => {
                for room in rooms {
                    self.node.rooms.members(room, &mut members);
                }
                if rooms.len() > 1 {
                    let mut seen = HashSet::new();
                    members.retain(|session| seen.insert(session.id));
                }
            }
        }
        if !self.except_sessions.is_empty() {
            members.retain(|session| !self.except_sessions.contains(&session.id));
        }
        for room in &self.except_rooms {
            members.retain(|session| !self.node.rooms.contains(room, &session.id));
        }
        members
    }
}

/// Asks sessions of this node. What is returned withdraws the requests when it is dropped.
pub(crate) fn ask(
    members: Vec<Arc<LiveSession>>,
    packet: &Encoded,
    timeout: Duration,
    answers: &crate::cluster::Answers,
) -> HashMap<SessionId, Forget> {
    let mut open = HashMap::with_capacity(members.len());
    for session in members {
        let waiting = Waiting::Many(session.id, answers.clone());
        if let Ok(request) = session.request(packet.clone(), timeout, waiting) {
            open.insert(session.id, Forget::new(session, request));
        } else {
            // Nobody may want to know any more.
            let _ = answers.send((session.id, Err(AnswerError::SessionLost { sent: false })));
        }
    }
    open
}

impl fmt::Debug for Audience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Audience").field("to", &self.to).finish_non_exhaustive()
    }
}

/// One session that something is sent to: an [`Audience`] that is neither widened nor narrowed.
#[derive(Debug, Clone)]
#[must_use = "nothing is sent until emit or request is called"]
pub struct Recipient(Audience);

impl Recipient {
    pub(crate) const fn new(node: Arc<Node>, session: SessionId) -> Self {
        Self(Audience::session(node, session))
    }
}

impl Deref for Recipient {
    type Target = Audience;

    fn deref(&self) -> &Audience {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use std::future::IntoFuture as _;
    use std::sync::Arc;

    use bowline_protocol::{Open, Token};

    use super::Audience;
    use crate::config::Config;
    use crate::node::{Handlers, Hooks, Node};
    use crate::random::random;
    use crate::session::{LiveSession, OpenPhase, Opened};

    fn members(node: &Arc<Node>, number: usize) -> Vec<Arc<LiveSession>> {
        let open = || {
            let key = Token::from_bytes(random());
            Open { key, counter: 1, instance: 0, take: None, auth: "".into() }
        };
        let sessions = std::iter::repeat_with(|| match node.open(&open(), None) {
            Ok(Opened::New(session)) => session,
            _ => panic!("a new key opens a new session"),
        });
        sessions
            .take(number)
            .inspect(|session| {
                session.with(|state, _| state.set_phase(OpenPhase::Open));
                node.rooms.join("room", session).unwrap();
            })
            .collect()
    }

    #[test]
    fn a_request_to_many_that_nobody_waits_for_any_more_is_withdrawn() {
        let node = Node::new(Config::default(), Handlers::default(), Hooks::default());
        let members = members(&node, 2);
        let kept = || members.iter().map(|session| session.look(|state| state.core.unconfirmed()));
        let ask = Audience::room(Arc::clone(&node), "room").request::<_, ()>("vote", &());
        let replies = ask.into_future().into_inner().unwrap();
        assert!(kept().eq([1, 1]));
        drop(replies);
        assert!(kept().eq([0, 0]));
        assert!(members.iter().all(|session| session.look(|state| state.waiting.is_empty())));
    }

    #[test]
    fn one_emit_to_a_thousand_members_shares_one_buffer_among_their_outboxes() {
        let node = Node::new(Config::default(), Handlers::default(), Hooks::default());
        let members = members(&node, 1_000);
        assert_eq!(Audience::room(Arc::clone(&node), "room").emit("news", "hello").unwrap(), 1_000);
        let kept: Vec<_> = members
            .iter()
            .map(|session| session.look(|state| state.core.last_kept().cloned().unwrap()))
            .collect();
        assert!(kept.iter().all(|packet| packet.shares_buffer_with(&kept[0])));

        // Equal bytes that were encoded again are told apart.
        Audience::session(Arc::clone(&node), members[0].id).emit("news", "hello").unwrap();
        let again = members[0].look(|state| state.core.last_kept().cloned().unwrap());
        assert_eq!(again.text_line(), kept[0].text_line());
        assert!(!again.shares_buffer_with(&kept[0]));
    }
}
