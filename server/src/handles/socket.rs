//! A session as handlers hold it.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bowline_protocol::{Answers, Carries, Close, CloseCode, Encoded, Payload, SessionId, ToClient};
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::{Audience, History, Request};
use crate::error::{EmitError, JoinError, UserError};
use crate::message;
use crate::names::{
    asking_room, is_room, message_in, name_in, namespace_room, room_in, room_of, user_of,
};
use crate::node::Node;
use crate::rates::RateLimits;
use crate::session::{LiveSession, Validity};
use bowline_protocol::Transport;

/// One client's session. Cheap to clone, `Send + Sync`, usable from anywhere.
///
/// A socket stays valid when the client changes networks or transports, and while it is away within
/// the resume window: the client receives what was emitted meanwhile when it has reconnected.
#[derive(Clone)]
pub struct Socket {
    node: Arc<Node>,
    session: Arc<LiveSession>,
    /// The namespace to which it is bound.
    namespace: Option<Arc<str>>,
}

impl Socket {
    pub(crate) const fn new(node: Arc<Node>, session: Arc<LiveSession>) -> Self {
        Self { node, session, namespace: None }
    }

    /// The same session, bound to a namespace.
    pub(crate) fn within(self, namespace: Option<&Arc<str>>) -> Self {
        Self { namespace: namespace.cloned(), ..self }
    }

    /// The namespace whose handler or hook has received this socket; `None` for the main one. See
    /// [`BowlineBuilder::namespace`](crate::BowlineBuilder::namespace).
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    pub(crate) const fn session(&self) -> &Arc<LiveSession> {
        &self.session
    }

    /// The public id of the session. Safe to log and to show.
    #[must_use]
    pub fn id(&self) -> SessionId {
        self.session.id
    }

    /// The address of the client when it opened the session: of the connection, or the one that one
    /// of the [`trusted_proxies`](crate::BowlineBuilder::trusted_proxies) states. `None` over a
    /// Unix socket without such a proxy.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        self.session.address
    }

    /// Sends an event. The client receives it exactly once and in order, as long as the session
    /// lives.
    ///
    /// # Errors
    /// When the payload cannot be encoded, the session has ended, or its outbox is full (see
    /// [`BowlineBuilder::outbox_limit`](crate::BowlineBuilder::outbox_limit)).
    pub fn emit<P: Serialize + ?Sized>(
        &self,
        name: impl Carries<P> + ToClient,
        payload: &P,
    ) -> Result<(), EmitError> {
        self.send(name.name(), &message::to_payload(payload)?)
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
    ) -> Result<(), EmitError> {
        let payload = message::to_payload_with(payload, Some(bytes))?;
        self.send(name.name(), &payload)
    }

    /// Sends an event that the server may drop: when no carrier is attached, or when the client
    /// reads so slowly that newer events replace it. Returns whether it was queued.
    ///
    /// # Errors
    /// When the payload cannot be encoded.
    pub fn emit_volatile<P: Serialize + ?Sized>(
        &self,
        name: impl Carries<P> + ToClient,
        payload: &P,
    ) -> Result<bool, EmitError> {
        let payload = message::to_payload(payload)?;
        let packet = Encoded::volatile(&self.own_message(name.name()), &payload)?;
        if !self.is_joined() {
            return Ok(false);
        }
        Ok(self.session.emit_volatile(&packet))
    }

    /// Sends a request to the client and awaits its answer. It survives reconnects, and ends
    /// exactly once: with the reply, a failure, the timeout (20 s unless set), or the end of the
    /// session.
    pub fn request<P: Serialize + ?Sized, R: DeserializeOwned>(
        &self,
        name: impl Carries<P> + Answers<R> + ToClient,
        payload: &P,
    ) -> Request<R> {
        let name = self.own_message(name.name());
        Request::new(Arc::clone(&self.session), &name, message::to_payload(payload))
    }

    /// Adds the session to a room. It leaves when it ends.
    ///
    /// # Errors
    /// When the name is not 1 to 128 bytes, the session is in too many rooms, or it has ended.
    pub fn join(&self, room: impl AsRef<str>) -> Result<(), JoinError> {
        if !is_room(room.as_ref()) {
            return Err(JoinError::InvalidName);
        }
        self.enter(room.as_ref())
    }

    /// As [`Self::join`], and waits until the session receives what other nodes send to the room:
    /// on several nodes that is a moment later than for the members on this node.
    ///
    /// # Errors
    /// As [`Self::join`].
    pub async fn join_everywhere(&self, room: impl AsRef<str>) -> Result<(), JoinError> {
        let room = room.as_ref();
        self.join(room)?;
        if let Some(cluster) = &self.node.cluster {
            cluster.listening(&self.own_room(room)).await;
        }
        Ok(())
    }

    /// Names the user of the session, usually in the connect hook;
    /// [`Bowline::to_user`](crate::Bowline::to_user) reaches all sessions of a user. It replaces a
    /// user that was named before.
    ///
    /// # Errors
    /// When the name is not 1 to 127 bytes, or the session has ended.
    pub fn set_user(&self, user: impl AsRef<str>) -> Result<(), UserError> {
        let room = room_of(user.as_ref());
        if room.len() == 1 {
            return Err(UserError::InvalidName);
        }
        let before = self.user().filter(|before| **before != *user.as_ref());
        self.enter(&room).map_err(|error| match error {
            JoinError::Closed => UserError::Closed,
            // The room of a user does not count.
            JoinError::InvalidName | JoinError::TooManyRooms { .. } => UserError::InvalidName,
        })?;
        if let Some(before) = before {
            self.node.rooms.leave(&self.own_room(&room_of(&before)), &self.session);
        }
        Ok(())
    }

    /// The user of the session, if [`Self::set_user`] has named one.
    #[must_use]
    pub fn user(&self) -> Option<String> {
        if self.namespace.is_none() {
            return self.session.user();
        }
        self.session.look(|state| {
            let mut names = state.rooms.iter().filter_map(|room| name_in(self.namespace(), room));
            names.find_map(user_of).map(str::to_owned)
        })
    }

    /// Removes the session from a room. Does nothing if it is not a member. If its client was
    /// subscribed to a topic of this name, the client is notified that the grant is revoked.
    pub fn leave(&self, room: impl AsRef<str>) {
        self.node.leave(&self.session, &self.own_room(room.as_ref()));
    }

    /// True while the client is subscribed to this topic or pattern: see
    /// [`BowlineBuilder::topic`](crate::BowlineBuilder::topic).
    #[must_use]
    pub fn is_subscribed(&self, topic: impl AsRef<str>) -> bool {
        let topic = topic.as_ref();
        // The grant comes first: until the session is a member, nothing reaches it.
        self.session.look(|state| state.is_granted(topic) && state.rooms.contains(topic))
    }

    /// The rooms of the session; in the disconnect hook, those that it was in.
    #[must_use]
    pub fn rooms(&self) -> Vec<Arc<str>> {
        self.session.look(|state| {
            let own = state.rooms.iter().filter_map(|room| match self.namespace() {
                None => is_room(room).then(|| Arc::clone(room)),
                namespace => name_in(namespace, room).filter(|room| is_room(room)).map(Arc::from),
            });
            own.collect()
        })
    }

    /// The members of a room, without this session.
    pub fn to(&self, room: impl AsRef<str>) -> Audience {
        let node = Arc::clone(&self.node);
        Audience::room_in(node, self.namespace.as_ref(), room.as_ref()).except_session(self.id())
    }

    /// The history of a room that has one: see
    /// [`BowlineBuilder::history`](crate::BowlineBuilder::history).
    pub fn history(&self, room: impl AsRef<str>) -> History {
        History::new(Arc::clone(&self.node), room.as_ref())
    }

    /// All sessions, of the namespace if there is one, without this one.
    pub fn broadcast(&self) -> Audience {
        let node = Arc::clone(&self.node);
        Audience::all_in(node, self.namespace.as_ref()).except_session(self.id())
    }

    /// Keeps a value with the session, for [`Ext`](crate::Ext). One value for each type.
    pub fn insert<T: Send + Sync + 'static>(&self, value: T) {
        self.session.set_extension(value);
    }

    /// A value that the application keeps with the session.
    #[must_use]
    pub fn get<T: Clone + Send + Sync + 'static>(&self) -> Option<T> {
        self.session.extension()
    }

    /// Trusts the authentication of the client for this long from now on, instead of for as long as
    /// the session lives. Usually in the connect hook, with the remaining life of a token.
    ///
    /// Before that, at the earliest a minute and at the latest a quarter of the time, the server
    /// asks the client for a new authentication, if there is a hook for it:
    /// [`BowlineBuilder::on_refresh`](crate::BowlineBuilder::on_refresh). When the time is over the
    /// session ends with the code 4104, and its client opens another one with the authentication
    /// that it has then.
    pub fn expires_in(&self, length: Duration) {
        let asks = self.node.hooks.refresh.is_some();
        let validity = Validity { length, left: length };
        self.session.with(|state, now| state.expires_in(validity, asks, now));
    }

    /// Limits how fast the client may send messages, instead of the limits that
    /// [`BowlineBuilder::rate_limits`](crate::BowlineBuilder::rate_limits) has set for all
    /// sessions: usually after a login, which raises them. With [`RateLimits::new`] the session
    /// has no limits. The limits move with the session to other nodes, and into a store.
    ///
    /// A limit for a user or an address counts the messages of all their sessions; this session
    /// compares the number with the limits that are set here.
    pub fn set_limits(&self, limits: RateLimits) {
        self.session.set_limits(limits);
    }

    /// The transport that serves the session now; `None` while the client is away.
    #[must_use]
    pub fn transport(&self) -> Option<Transport> {
        self.session.look(|state| state.transport.filter(|_| state.core.is_attached()))
    }

    /// How many volatile events to this session the server has dropped, because its client was away
    /// or slow.
    #[must_use]
    pub fn dropped_volatile(&self) -> u64 {
        self.session.look(|state| state.core.dropped_volatile())
    }

    /// Ends the session after everything that was sent to it has gone out. The client does not
    /// reconnect by itself; with a code of the application it also receives the reason.
    ///
    /// In a namespace it ends the session's membership instead; the rest of the session continues.
    pub fn disconnect(&self) {
        self.disconnect_with(Close::new(CloseCode::NORMAL));
    }

    /// As [`Self::disconnect`], with a code and a reason. The client of a namespace receives the
    /// reason, not the code.
    pub fn disconnect_with(&self, close: Close) {
        let Some(namespace) = &self.namespace else { return self.session.close(close) };
        let reason = serde_json::from_str::<Box<RawValue>>(close.reason()).ok();
        self.node.end_namespace(&self.session, namespace, reason);
    }

    fn send(&self, name: &str, payload: &Payload) -> Result<(), EmitError> {
        let packet = Encoded::event(&self.own_message(name), payload)?;
        if !self.is_joined() {
            return Err(EmitError::Closed);
        }
        Ok(self.session.emit(&packet).map(drop)?)
    }

    /// Joins a room of the namespace. After a session has left the namespace it is in none of them.
    fn enter(&self, room: &str) -> Result<(), JoinError> {
        let room = self.own_room(room);
        self.node.rooms.join(&room, &self.session)?;
        let Some(namespace) = &self.namespace else { return Ok(()) };
        let asks = asking_room(namespace);
        if self.is_joined() || self.session.look(|state| state.rooms.contains(&*asks)) {
            return Ok(());
        }
        self.node.rooms.leave(&room, &self.session);
        Err(JoinError::Closed)
    }

    /// True if the session has joined the namespace of this socket, or there is none.
    fn is_joined(&self) -> bool {
        let room = self.namespace().map(namespace_room);
        room.is_none_or(|room| self.session.look(|state| state.rooms.contains(&*room)))
    }

    fn own_room<'a>(&self, room: &'a str) -> Cow<'a, str> {
        room_in(self.namespace(), room)
    }

    fn own_message<'a>(&self, message: &'a str) -> Cow<'a, str> {
        message_in(self.namespace(), message)
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Socket({})", self.session.id)
    }
}
