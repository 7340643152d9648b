//! What a node has by itself: its sessions, the rooms that they are in, the histories that they
//! follow, and who is present.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, Weak};

use bowline_protocol::{Encoded, LEFT, NamespaceLeft, TOPIC_ENDED, TopicEnded};
use serde_json::value::RawValue;

use crate::complaints::limited;
use crate::delivery::{Delivery, Membership, Target};
use crate::history::{Histories, ReportGap};
use crate::message;
use crate::names::{name_in, namespace_of, namespace_room};
use crate::presence::Presences;
use crate::rooms::Rooms;
use crate::session::{Common, Granted, LiveSession, State, Surroundings};

pub(crate) struct Local {
    pub(crate) common: Arc<Common>,
    pub(crate) rooms: Arc<Rooms>,
    pub(crate) delivery: Arc<Delivery>,
    pub(crate) histories: Arc<Histories>,
    pub(crate) presence: Presences,
    surroundings: Weak<dyn Surroundings>,
}

impl Local {
    pub(crate) fn new(
        common: Arc<Common>,
        report_gap: Box<ReportGap>,
        surroundings: Weak<dyn Surroundings>,
    ) -> Self {
        let rooms = Arc::<Rooms>::default();
        Self {
            delivery: Arc::new(Delivery::new(Arc::clone(&common), Arc::clone(&rooms))),
            histories: Histories::new(&common.config, Arc::clone(&rooms), report_gap),
            presence: Presences::new(Arc::clone(&common), Arc::clone(&rooms)),
            common,
            rooms,
            surroundings,
        }
    }

    /// Changes who is in a room, for the sessions of this node that belong to a target.
    pub(crate) fn change(&self, target: &Target, change: Membership, room: &str) {
        for session in self.delivery.members(target) {
            self.change_of(&session, change, room);
        }
    }

    pub(crate) fn change_of(&self, session: &Arc<LiveSession>, change: Membership, room: &str) {
        match change {
            Membership::Join => {
                if let Err(error) = self.rooms.join(room, session) {
                    limited!("session {}: it does not join {room:?}: {error}", session.id);
                }
            }
            Membership::Leave => match namespace_of(room) {
                Some(namespace) => self.end_namespace(session, namespace, None),
                None => self.leave(session, room),
            },
            Membership::Revoke => self.revoke_from(session, room),
        }
    }

    /// The session leaves a room, and what belongs to it.
    pub(crate) fn leave(&self, session: &Arc<LiveSession>, room: &str) {
        if session.look(|state| state.is_granted(room)) {
            self.revoke_from(session, room);
        }
        self.rooms.leave(room, session);
        self.histories.unfollow(room, &session.id);
    }

    /// The session leaves a namespace and its rooms. False if it was not in it.
    pub(crate) fn leave_namespace(&self, session: &Arc<LiveSession>, namespace: &str) -> bool {
        let own = namespace_room(namespace);
        let was_in = session.look(|state| state.rooms.contains(&*own));
        // First: who joins a room of the namespace after this leaves it again.
        self.rooms.leave(&own, session);
        let is_of = |room: &Arc<str>| name_in(Some(namespace), room).is_some();
        let rooms: Vec<_> =
            session.look(|state| state.rooms.iter().filter(|room| is_of(room)).cloned().collect());
        rooms.iter().for_each(|room| self.rooms.leave(room, session));
        was_in
    }

    /// Ends the membership of a session in a namespace, and notifies its client.
    pub(crate) fn end_namespace(
        &self,
        session: &Arc<LiveSession>,
        namespace: &str,
        reason: Option<Box<RawValue>>,
    ) {
        if !self.leave_namespace(session, namespace) {
            return;
        }
        let (namespace, code) = (namespace.to_owned(), NamespaceLeft::KICKED.to_owned());
        let packet = message::to_payload(&NamespaceLeft { namespace, code, reason }).ok();
        let packet = packet.and_then(|payload| Encoded::event(LEFT, &payload).ok());
        // A session whose outbox is full has ended, and with it its memberships.
        let _ = session.emit(&packet.expect("short texts and a reason are JSON"));
    }

    fn revoke_from(&self, session: &Arc<LiveSession>, topic: &str) {
        // Most sessions of a large audience have no grants.
        if !session.look(State::has_grants) {
            return;
        }
        if session.with(|state, _| state.revoke(topic)) {
            self.rooms.leave(topic, session);
            self.presence.leave(topic, session.id);
            self.end_topic(session, topic, TopicEnded::REVOKED);
        }
    }

    /// A session that arrives has joined its rooms. Grants that have expired before ended no
    /// membership.
    pub(crate) fn expire_arrived(&self, session: &Arc<LiveSession>, grants: &[Granted]) {
        grants.iter().for_each(|granted| self.expire(session, &granted.topic));
    }

    /// A grant has expired.
    pub(crate) fn expire(&self, session: &Arc<LiveSession>, topic: &str) {
        // A renewal may have been granted meanwhile.
        if self.rooms.leave_unless(topic, session, |state| state.is_granted(topic)) {
            self.presence.leave(topic, session.id);
            self.end_topic(session, topic, TopicEnded::EXPIRED);
        }
    }

    /// The session leaves a topic that it has joined without a grant, because that has ended
    /// meanwhile. True if it has left.
    pub(crate) fn leave_ungranted(&self, session: &Arc<LiveSession>, topic: &str) -> bool {
        let leaves = self.rooms.leave_unless(topic, session, |state| state.is_granted(topic));
        if leaves {
            self.histories.unfollow(topic, &session.id);
            self.presence.leave(topic, session.id);
        }
        leaves
    }

    /// Notifies the client of the end of a subscription.
    fn end_topic(&self, session: &Arc<LiveSession>, topic: &str, code: &str) {
        self.histories.unfollow(topic, &session.id);
        let ended = TopicEnded { topic: topic.to_owned(), code: code.to_owned() };
        let packet = message::to_payload(&ended).ok();
        let packet = packet.and_then(|payload| Encoded::event(TOPIC_ENDED, &payload).ok());
        // A session whose outbox is full has ended, and with it its subscriptions.
        let _ = session.emit(&packet.expect("two short texts are JSON"));
    }

    /// What a session of this node calls. `None` if the node is being dropped.
    pub(crate) fn surroundings(&self) -> Option<Arc<dyn Surroundings>> {
        self.surroundings.upgrade()
    }
}

impl Deref for Local {
    type Target = Common;

    fn deref(&self) -> &Common {
        &self.common
    }
}

impl fmt::Debug for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Local").field("common", &self.common).finish_non_exhaustive()
    }
}
