//! The sessions to which an emit is sent.

mod request_all;

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use bowline_protocol::{Carries, Close, Encoded, SessionId, ToClient};
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::delivery::{self, Answers, Emitted, Forget, Membership, Target, To};
use crate::error::{ClusterError, EmitError, JoinError};
use crate::message;
use crate::names::{is_room, message_in, namespace_room, room_in};
use crate::node::Node;
pub use request_all::{Replies, RequestAll};

/// One session to which the application sends: an [`Audience`] that cannot be widened or narrowed.
#[derive(Clone)]
#[must_use = "nothing is sent until emit or request is called"]
pub struct Audience {
    node: Arc<Node>,
    target: Target,
    /// The namespace in which it is.
    namespace: Option<Arc<str>>,
}

impl Audience {
    pub(crate) const fn all(node: Arc<Node>) -> Self {
        Self { node, target: Target::new(To::All), namespace: None }
    }

    pub(crate) fn room(node: Arc<Node>, room: &str) -> Self {
        Self { node, target: Target::room(room), namespace: None }
    }

    /// All sessions of a namespace; of the main one, all sessions.
    pub(crate) fn all_in(node: Arc<Node>, namespace: Option<&Arc<str>>) -> Self {
        let Some(name) = namespace else { return Self::all(node) };
        let namespace = Some(Arc::clone(name));
        Self { namespace, ..Self::room(node, &namespace_room(name)) }
    }

    /// The members of a room of a namespace.
    pub(crate) fn room_in(node: Arc<Node>, namespace: Option<&Arc<str>>, room: &str) -> Self {
        let room = room_in(namespace.map(|name| &**name), room);
        Self { namespace: namespace.cloned(), ..Self::room(node, &room) }
    }

    fn own_room<'a>(&self, room: &'a str) -> Cow<'a, str> {
        room_in(self.namespace.as_deref(), room)
    }

    fn own_message<'a>(&self, message: &'a str) -> Cow<'a, str> {
        message_in(self.namespace.as_deref(), message)
    }

    /// The members of all these rooms, each of them once.
    pub(crate) const fn rooms(node: Arc<Node>, rooms: Vec<String>) -> Self {
        Self { node, target: Target::new(To::Rooms(rooms)), namespace: None }
    }

    /// True if it is made of no rooms.
    pub(crate) const fn is_nobody(&self) -> bool {
        matches!(&self.target.to, To::Rooms(rooms) if rooms.is_empty())
    }

    pub(crate) const fn session(node: Arc<Node>, session: SessionId) -> Self {
        Self { node, target: Target::new(To::Session(session)), namespace: None }
    }

    /// Adds the members of this room. A session in several of the rooms receives a message once.
    pub fn to(mut self, room: impl AsRef<str>) -> Self {
        let room = self.own_room(room.as_ref()).into_owned();
        match &mut self.target.to {
            To::Rooms(rooms) => rooms.push(room),
            // Everyone includes the room already. That a session is no audience that grows,
            // `Recipient` sees to.
            To::All | To::Session(_) => {}
        }
        self
    }

    /// Leaves out the members of this room.
    pub fn except(mut self, room: impl AsRef<str>) -> Self {
        self.target.except_rooms.push(self.own_room(room.as_ref()).into_owned());
        self
    }

    /// Leaves out this session.
    pub fn except_session(mut self, session: SessionId) -> Self {
        self.target.except_sessions.push(session);
        self
    }

    /// Sends an event, encoded once for all. Returns the number of sessions that receive it. The
    /// server closes a session whose outbox is full, as a slow consumer, and does not count it.
    ///
    /// On several nodes the members on all nodes receive it; the number is that of this node.
    ///
    /// # Errors
    /// When the payload or the name cannot be encoded, and when one of the rooms has a
    /// [history](crate::Bowline::history), which would not store the event.
    pub fn emit<P: Serialize + ?Sized>(
        &self,
        name: impl Carries<P> + ToClient,
        payload: &P,
    ) -> Result<usize, EmitError> {
        self.keeps_nothing()?;
        Ok(self
            .send(&Encoded::event(&self.own_message(name.name()), &message::to_payload(payload)?)?))
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
        Ok(self.send(&Encoded::event(&self.own_message(name.name()), &payload)?))
    }

    /// Sends an event that the server may drop for clients that are away or slow. Returns the
    /// number of sessions for which it was queued. A room's history does not store it.
    ///
    /// # Errors
    /// When the payload or the name cannot be encoded.
    pub fn emit_volatile<P: Serialize + ?Sized>(
        &self,
        name: impl Carries<P> + ToClient,
        payload: &P,
    ) -> Result<usize, EmitError> {
        let packet =
            Encoded::volatile(&self.own_message(name.name()), &message::to_payload(payload)?)?;
        Ok(self.send_volatile(&packet))
    }

    /// Sends an event of which only the latest of its key counts, such as the position of a cursor
    /// or a price: as [`Self::emit_volatile`], and an older event of this name and key that still
    /// waits for a slow client is dropped, so that the client receives this one in its place. Each
    /// audience made of rooms has keys of its own.
    ///
    /// Returns what became of it in the sessions of this node. At most 64 KiB of volatile events
    /// wait for a client, then the oldest are dropped, whatever their keys.
    ///
    /// # Errors
    /// When the payload or the name cannot be encoded.
    pub fn emit_latest<P: Serialize + ?Sized>(
        &self,
        name: impl Carries<P> + ToClient,
        key: &str,
        payload: &P,
    ) -> Result<Emitted, EmitError> {
        let name = name.name();
        let packet = Encoded::volatile(name, &message::to_payload(payload)?)?;
        Ok(self.send_latest(&packet, &format!("{name} {key}")))
    }

    /// Sends a request to every session when the returned value is awaited. The answers are a
    /// stream, which ends when all sessions have answered, and at the latest after the timeout.
    pub fn request<P: Serialize + ?Sized, R: DeserializeOwned>(
        &self,
        name: impl Carries<P> + bowline_protocol::Answers<R> + ToClient,
        payload: &P,
    ) -> RequestAll<R> {
        let name = self.own_message(name.name());
        RequestAll::new(self.clone(), &name, message::to_payload(payload))
    }

    /// Sends a request to everyone who belongs to the audience now. Returns those of this node that
    /// are open.
    pub(crate) fn ask(
        &self,
        packet: &Encoded,
        timeout: Duration,
        answers: Answers,
    ) -> HashMap<SessionId, Forget> {
        let (delivery, cluster) = (&self.node.delivery, self.node.cluster.as_ref());
        let _pass = cluster.map(|cluster| cluster.pass());
        let members = delivery.members(&self.target);
        let open = delivery::ask(members, packet, timeout, &answers);
        if let Some(cluster) = cluster {
            cluster.ask(delivery, &self.target, packet, timeout, answers);
        }
        open
    }

    /// The sessions of this node that belong to the audience now.
    #[must_use]
    pub fn sessions(&self) -> Vec<SessionId> {
        self.node.delivery.sessions(&self.target)
    }

    /// The sessions of all nodes that belong to the audience now.
    ///
    /// # Errors
    /// When a node that may have some does not respond.
    pub async fn sessions_everywhere(&self) -> Result<Vec<SessionId>, ClusterError> {
        let mut sessions = self.sessions();
        if let Some(cluster) = &self.node.cluster {
            sessions.extend(cluster.find(&self.node.delivery, &self.target).await?);
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

    /// Ends the sessions, on all nodes. In a [`Namespace`](crate::Namespace) it ends their
    /// membership instead; their clients do not receive the reason of the close then.
    pub fn disconnect(&self, close: &Close) {
        if let Some(namespace) = &self.namespace {
            return self.change(Membership::Leave, &namespace_room(namespace));
        }
        self.node.delivery.close(&self.target, close);
        if let Some(cluster) = &self.node.cluster {
            cluster.disconnect(&self.target, close);
        }
    }

    /// Takes back the grant that the sessions have of a topic or a pattern, on all nodes. Their
    /// clients are notified, receive nothing more of it, and do not subscribe again by themselves.
    /// Nothing happens to sessions that are not subscribed.
    pub fn revoke(&self, topic: impl AsRef<str>) {
        self.change(Membership::Revoke, topic.as_ref());
    }

    /// Adds the sessions that belong to the audience now to a room, on all nodes: those of this
    /// node at once, those of others a moment later. The server logs a warning for a session that
    /// is in as many rooms as it may be.
    ///
    /// # Errors
    /// When the name is not 1 to 128 bytes.
    pub fn join(&self, room: impl AsRef<str>) -> Result<(), JoinError> {
        let room = room.as_ref();
        if !is_room(room) {
            return Err(JoinError::InvalidName);
        }
        self.change(Membership::Join, &self.own_room(room));
        Ok(())
    }

    /// Removes the sessions that belong to the audience now from a room, on all nodes. Nothing
    /// happens to sessions that are not in it.
    pub fn leave(&self, room: impl AsRef<str>) {
        let room = room.as_ref();
        if is_room(room) {
            self.change(Membership::Leave, &self.own_room(room));
        }
    }

    fn change(&self, change: Membership, room: &str) {
        self.node.change(&self.target, change, room);
        if let Some(cluster) = &self.node.cluster {
            cluster.change(&self.target, change, room);
        }
    }

    pub(crate) fn send_latest(&self, packet: &Encoded, key: &str) -> Emitted {
        let delivery = &self.node.delivery;
        let key = match &self.target.to {
            To::Rooms(rooms) => format!("{rooms:?} {key}").into(),
            To::All | To::Session(_) => key.into(),
        };
        match &self.node.cluster {
            None => delivery.emit_latest(&self.target, packet, &key),
            Some(cluster) => cluster.emit_latest(delivery, &self.target, packet, &key),
        }
    }

    pub(crate) fn send_volatile(&self, packet: &Encoded) -> usize {
        let delivery = &self.node.delivery;
        match &self.node.cluster {
            None => delivery.emit_volatile(&self.target, packet),
            Some(cluster) => cluster.emit_volatile(delivery, &self.target, packet),
        }
    }

    pub(crate) fn send(&self, packet: &Encoded) -> usize {
        let delivery = &self.node.delivery;
        match &self.node.cluster {
            None => delivery.emit(&self.target, packet),
            Some(cluster) => cluster.emit(delivery, &self.target, packet),
        }
    }

    /// An event that followers of a history would miss is refused.
    fn keeps_nothing(&self) -> Result<(), EmitError> {
        let To::Rooms(rooms) = &self.target.to else { return Ok(()) };
        match rooms.iter().find(|room| self.node.histories.has(room)) {
            Some(room) => Err(EmitError::HasHistory { room: room.clone() }),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Audience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Audience").field("target", &self.target).finish_non_exhaustive()
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

    use bowline_protocol::{Open, Payload, Token};

    use super::Audience;
    use crate::config::Config;
    use crate::names::room_of;
    use crate::node::{Handlers, Hooks, Node, Outbound, Verdict};
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

        // Equal bytes that were encoded again are different packets.
        Audience::session(Arc::clone(&node), members[0].id).emit("news", "hello").unwrap();
        let again = members[0].look(|state| state.core.last_kept().cloned().unwrap());
        assert_eq!(again.text_line(), kept[0].text_line());
        assert!(!again.shares_buffer_with(&kept[0]));
    }

    #[test]
    fn members_for_whom_the_outbound_hook_changes_nothing_share_one_buffer() {
        let config = Config { filters_outbound: true, ..Config::default() };
        let changes = |outbound: &Outbound<'_>| match outbound.user() {
            Some(_) => Verdict::Replace(Payload::json("1")),
            None => Verdict::Send,
        };
        let hooks = Hooks { outbound: Some(Box::new(changes)), ..Hooks::default() };
        let node = Node::new(config, Handlers::default(), hooks);
        let members = members(&node, 3);
        node.rooms.join(&room_of("anna"), &members[0]).unwrap();
        assert_eq!(Audience::room(Arc::clone(&node), "room").emit("news", "hello").unwrap(), 3);
        let kept = members
            .iter()
            .map(|session| session.look(|state| state.core.last_kept().cloned().unwrap()));
        let kept: Vec<_> = kept.collect();
        assert_eq!(**kept[0].text_line(), *b"e news 1");
        assert_eq!(**kept[1].text_line(), *b"e news \"hello\"");
        assert!(kept[1].shares_buffer_with(&kept[2]));
    }
}
