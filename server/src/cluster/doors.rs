//! What the rest of the server uses of the cluster, by the part that does it.

use std::sync::{Arc, RwLockReadGuard};
use std::time::Duration;

use bowline_protocol::{Close, Encoded, NodeId, OpenKey, Packet, SessionId};
use bytes::Bytes;
use futures::future::BoxFuture;

use super::bus::room_channel;
use super::{Carrier, Cluster, ClusterStats, Owned, Place, Serve, Subject};
use crate::broker::Hold;
use crate::delivery::{Answers, Delivery, Emitted, Membership, Target};
use crate::error::ClusterError;
use crate::local::Local;
use crate::presence::{Others, People};
use crate::rooms::Watcher;
use crate::session::LiveSession;
use crate::snapshot::Follows;

/// What is sent to a target.
impl Cluster {
    /// Sends an event to the members here and on other nodes. Returns how many there are here.
    pub(crate) fn emit(&self, delivery: &Delivery, target: &Target, packet: &Encoded) -> usize {
        self.directory.emit(delivery, target, packet)
    }

    /// As [`Self::emit`], for a volatile event.
    pub(crate) fn emit_volatile(
        &self,
        delivery: &Delivery,
        target: &Target,
        packet: &Encoded,
    ) -> usize {
        self.directory.emit_volatile(delivery, target, packet)
    }

    /// As [`Self::emit_volatile`]; a waiting event of the same key is dropped.
    pub(crate) fn emit_latest(
        &self,
        delivery: &Delivery,
        target: &Target,
        packet: &Encoded,
        key: &Arc<str>,
    ) -> Emitted {
        self.directory.emit_latest(delivery, target, packet, key)
    }

    /// Ends the sessions on other nodes.
    pub(crate) fn disconnect(&self, target: &Target, close: &Close) {
        self.directory.disconnect(target, close);
    }

    /// Changes who is in a room, for the sessions on other nodes.
    pub(crate) fn change(&self, target: &Target, change: Membership, room: &str) {
        self.directory.change(target, change, room);
    }

    /// The sessions of other nodes that belong to the target.
    pub(crate) fn find(
        &self,
        delivery: &Arc<Delivery>,
        target: &Target,
    ) -> impl Future<Output = Result<Vec<SessionId>, ClusterError>> + Send + use<> {
        self.directory.find(delivery, target)
    }

    /// Asks the members on other nodes. `answers` receives one answer of each.
    pub(crate) fn ask(
        &self,
        delivery: &Arc<Delivery>,
        target: &Target,
        packet: &Encoded,
        timeout: Duration,
        answers: Answers,
    ) {
        self.directory.ask(delivery, target, packet, timeout, answers);
    }

    /// Sends a packet on to a session that was here before. False if it was not.
    pub(crate) fn forward(&self, session: SessionId, packet: &Encoded) -> bool {
        self.directory.forward(session, packet)
    }

    /// Until this is dropped, what the thread publishes waits. `None` if the thread does so
    /// already.
    pub(crate) fn hold(&self) -> Option<Hold> {
        self.bus.hold()
    }

    /// For what is sent to members and to other nodes: no session comes or goes meanwhile.
    pub(crate) fn pass(&self) -> RwLockReadGuard<'_, ()> {
        self.bus.pass()
    }
}

/// Who is in which room.
impl Cluster {
    /// Waits until what others send to the room arrives here.
    pub(crate) async fn listening(&self, room: &str) {
        let _ = self.bus.subscribe_effectively(&room_channel(room)).await;
    }

    /// Something that was sent to a room is lost.
    pub(crate) fn report_room(&self, room: &str, missed: Option<u64>) {
        if let Some(local) = self.host.local() {
            self.directory.report_room(&local, room, missed);
        }
    }

    /// Everyone who is present in a room, asked of all nodes.
    pub(crate) fn present(
        &self,
        local: &Arc<Local>,
        room: &str,
    ) -> impl Future<Output = Result<People, ClusterError>> + Send + use<> {
        self.presence.present(local, room)
    }
}

/// Where sessions and their carriers are.
impl Cluster {
    /// Publishes how it is with this node now.
    pub(crate) fn announce(&self, local: &Arc<Local>) {
        self.directory.announce(local);
    }

    /// Looks for the session of a first line, where it is not known to be here.
    pub(crate) fn search(
        &self,
        first: &Packet,
    ) -> Option<BoxFuture<'static, Result<Place, Close>>> {
        self.directory.search(first)
    }

    /// As [`Self::search`], for a session that is named by something else than a first line.
    pub(crate) fn search_session(
        &self,
        session: SessionId,
    ) -> Option<BoxFuture<'static, Result<Place, Close>>> {
        self.directory.search_session(session)
    }

    /// Whose session a first line speaks for, and whether its secret is right.
    ///
    /// # Errors
    /// The close that the client receives when the session's owner does not answer.
    pub(crate) async fn whose(
        &self,
        owner: NodeId,
        first: &Packet,
    ) -> Result<(Option<Owned>, bool), Close> {
        self.directory.whose(owner, first).await
    }

    /// From now on this one answers the requests that other nodes relay. Called once, before the
    /// node serves.
    pub(crate) fn serve_with(&self, server: Arc<dyn Serve>) {
        self.relay.serve_with(server);
    }

    /// Where this node has handed the session.
    pub(crate) fn handed(&self, session: SessionId) -> Option<NodeId> {
        self.directory.handed(session)
    }

    /// No session has come of this key.
    pub(crate) fn disown(&self, key: OpenKey) {
        self.directory.disown(key);
    }

    /// Relays a request to the node that holds its session. `None` when that is this one after all.
    ///
    /// # Errors
    /// The close that answers the request when that node cannot be asked.
    pub(crate) async fn carry(
        &self,
        owner: NodeId,
        subject: Subject,
        endpoint: &'static str,
        body: &Bytes,
    ) -> Result<Option<Carrier>, Close> {
        self.relay.carry(owner, subject, endpoint, body).await
    }

    /// This node is about to stop: what has landed here and is served elsewhere has to land
    /// elsewhere.
    pub(crate) fn cut_edges(&self) {
        self.relay.cut_edges();
    }

    /// Hands all sessions to other nodes, as far as these take them and handlers come to an end
    /// before the deadline. Returns how many could not be handed over.
    pub(crate) async fn hand_over_all(&self, local: &Arc<Local>, deadline: Duration) -> usize {
        self.handover.hand_over_all(local, deadline).await
    }

    /// Takes leave: whatever others have sent to the sessions that were here is sent on before this
    /// ends.
    pub(crate) async fn say_goodbye(&self) {
        self.handover.say_goodbye().await;
    }

    /// A session goes on here that an earlier process has stored.
    pub(crate) fn take_stored(&self, session: &Arc<LiveSession>) {
        self.handover.take_stored(session);
    }

    /// A session goes on to follow histories from where it was.
    pub(crate) fn follow_on(
        &self,
        local: &Arc<Local>,
        session: &Arc<LiveSession>,
        follows: Follows,
    ) {
        self.handover.follow_on(local, session, follows);
    }

    pub(crate) fn stats(&self) -> ClusterStats {
        let (nodes, takers) = self.directory.size();
        ClusterStats {
            nodes,
            takers,
            published: self.bus.published.read(),
            received: self.bus.received.read(),
            foreign: self.bus.foreign.read(),
            other_version: self.bus.other_version.read(),
            gaps: self.directory.gaps.read(),
            undelivered: self.directory.undelivered.read(),
            relayed: self.relay.relayed.read(),
            handed_over: self.handover.handed_over.read(),
            taken_over: self.handover.taken_over.read(),
        }
    }
}

impl Watcher for Cluster {
    fn enter(&self, room: &str) {
        self.presence.enter(room);
    }

    fn leave(&self, room: &str) {
        self.presence.leave(room);
    }
}

impl Others for Cluster {
    fn announce(&self) {
        if let Some(local) = self.host.local() {
            self.directory.announce(&local);
        }
    }

    fn follow(&self, room: &str) {
        self.presence.follow(room);
    }

    fn unfollow(&self, room: &str) {
        self.presence.unfollow(room);
    }

    fn publish_change(&self, room: &str, numbers: (u64, u64), entered: People, left: &[SessionId]) {
        self.presence.say_change(room, numbers, entered, left);
    }

    fn publish_whole(&self, room: &str, number: u64, present: People) {
        self.presence.say_whole(room, number, present);
    }
}
