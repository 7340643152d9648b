//! What nodes say to each other of who is present.
//!
//! A node that has somebody in a room, present or as a member, listens to the room's channel for
//! this. On it each node sends its changes, numbered for each room, and all sessions that are
//! present with it when it begins or a change was not sent. A node that joins, or finds that a
//! number is missing, asks for everyone. So whatever is lost, the lists become the same again, and
//! the members are notified of the difference.
//!
//! A session that is handed over stays with its old node until that one learns, on the room's
//! channel, that it is with the new one. So no node learns that it has left before it learns that
//! it has arrived.

#![expect(clippy::disallowed_methods, reason = "a task of the cluster, for no session that idles")]

use std::collections::HashSet;
use std::sync::Arc;

use bowline_protocol::{NodeId, SessionId};
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use super::PATIENCE;
use super::bus::wire::{Head, Id, Message, PresenceMessage};
use super::bus::{Asker, Bus, Reply, room_channel};
use super::host::Host;
use crate::error::ClusterError;
use crate::local::Local;
use crate::presence::{Info, People, RoomState, Whole};
use crate::snapshot::{Each, each, people};

/// What is published and received of presence.
pub(super) struct PresenceLink {
    bus: Arc<Bus>,
    host: Host,
}

impl PresenceLink {
    pub(super) fn new(bus: &Arc<Bus>, host: Host) -> Arc<Self> {
        Arc::new(Self { bus: Arc::clone(bus), host })
    }

    /// A room has its first member here.
    pub(super) fn enter(&self, room: &str) {
        self.bus.subscribe(&room_channel(room));
        if let Some(local) = self.host.local() {
            local.presence.members(room, true);
        }
    }

    /// A room has its last member here no longer.
    pub(super) fn leave(&self, room: &str) {
        self.bus.unsubscribe(&room_channel(room));
        if let Some(local) = self.host.local() {
            local.presence.members(room, false);
        }
    }

    /// Listens to what others say of a room, and asks them.
    pub(super) fn follow(self: &Arc<Self>, room: &str) {
        let (told, effective) = oneshot::channel();
        self.bus.broker.subscribe(&presence_channel(room), Some(told));
        let (link, room) = (Arc::clone(self), room.to_owned());
        self.bus.handle.spawn(async move {
            if effective.await.is_ok() {
                link.ask_until_known(&room).await;
            }
        });
    }

    pub(super) fn unfollow(&self, room: &str) {
        self.bus.broker.unsubscribe(&presence_channel(room));
    }

    /// The channels on which this node learns who is present in these rooms.
    pub(super) fn channels(&self, rooms: &HashSet<Arc<str>>) -> Vec<String> {
        let heard = self.host.local().map(|local| local.presence.rooms()).unwrap_or_default();
        heard
            .iter()
            .filter(|room| rooms.contains(*room))
            .map(|room| presence_channel(room))
            .collect()
    }

    /// Says what has changed here.
    pub(super) fn say_change(
        &self,
        room: &str,
        (after, number): (u64, u64),
        entered: People,
        left: &[SessionId],
    ) {
        if !self.bus.has_left() {
            let (entered, left) = (each(entered), left.iter().copied().map(Id).collect());
            let change =
                PresenceMessage::Change { room: room.to_owned(), after, number, entered, left };
            self.bus.publish(&presence_channel(room), &Message::Presence(change));
        }
    }

    /// Says who is present here.
    pub(super) fn say_whole(&self, room: &str, number: u64, present: People) {
        if !self.bus.has_left() {
            let channel = presence_channel(room);
            each_part(room, number, present, |part| self.bus.publish(&channel, &part));
        }
    }

    /// Everyone who is present in a room, asked of all nodes.
    pub(super) fn present(
        &self,
        local: &Arc<Local>,
        room: &str,
    ) -> impl Future<Output = Result<People, ClusterError>> + Send + use<> {
        let (done, outcome) = oneshot::channel();
        let (bus, local, room) = (Arc::clone(&self.bus), Arc::clone(local), room.to_owned());
        self.bus.handle.spawn(async move {
            let answers = ask_all(&bus, &room).await;
            // What was answered has been taken already, if this node has anybody in the room.
            let people = answers.map(|answers| {
                local.presence.everyone(&room).unwrap_or_else(|| everyone_in(answers))
            });
            let _ = done.send(people);
        });
        async move { outcome.await.unwrap_or(Err(ClusterError::Unavailable)) }
    }

    pub(super) fn receive(&self, local: &Arc<Local>, head: Head, said: PresenceMessage) {
        let presence = &local.presence;
        match said {
            PresenceMessage::Ask { room } => presence.here(local.id, &room, |number, present| {
                let present = if self.bus.has_left() { Vec::new() } else { present };
                let asker = Asker { node: head.node, call: head.call };
                each_part(&room, number, present, |part| self.bus.reply(asker, &part));
            }),
            PresenceMessage::Change { room, after, number, entered, left } => {
                let left: Vec<_> = left.into_iter().map(|Id(session)| session).collect();
                let said = (people(entered), &left[..]);
                if presence.take_change(head.node, &room, (after, number), said) {
                    self.ask_for(head.node, room);
                }
            }
            PresenceMessage::Whole { room, number, part, is_last, present } => {
                let whole = Whole { number, part, is_last, present: people(present.clone()) };
                if presence.take_whole(head.node, &room, whole) {
                    self.ask_for(head.node, room.clone());
                }
                let again = PresenceMessage::Whole { room, number, part, is_last, present };
                let reply = Reply::Heard(head.node, Message::Presence(again), Bytes::new());
                self.bus.resolve(head.call, reply);
            }
        }
    }

    /// A node lives, and uses presence or not.
    pub(super) fn heard(&self, local: &Arc<Local>, of: NodeId, in_use: bool) {
        if in_use {
            local.presence.begin();
        }
        if local.presence.is_back(of) {
            for room in local.presence.rooms() {
                self.ask_for(of, room.to_string());
            }
        }
    }

    /// A node is gone, and everyone with it.
    pub(super) fn lose(&self, gone: NodeId) {
        if let Some(local) = self.host.local().filter(|local| local.presence.is_in_use()) {
            local.presence.lose(gone);
        }
    }

    /// Something of this node was not sent. True if it was about who is present.
    pub(super) fn note_unsaid(&self, local: &Local, channel: &str) -> bool {
        let room = channel.strip_prefix(CHANNEL);
        room.map(|room| local.presence.note_unsaid(room)).is_some()
    }

    /// Says again what was not sent.
    pub(super) fn say_unsaid(&self, local: &Local) {
        for room in local.presence.take_unsaid() {
            local.presence.here(local.id, &room, |number, present| {
                self.say_whole(&room, number, present);
            });
        }
    }

    /// The connection stands again: sends who is present here, and asks the others.
    pub(super) fn resync(self: &Arc<Self>, local: &Arc<Local>) {
        self.say_unsaid(local);
        let rooms = local.presence.rooms();
        for room in &rooms {
            local.presence.here(local.id, room, |number, present| {
                self.say_whole(room, number, present);
            });
        }
        let link = Arc::clone(self);
        self.bus.handle.spawn(async move {
            let each = |room: Arc<str>| {
                let link = Arc::clone(&link);
                async move { link.ask_until_known(&room).await }
            };
            stream::iter(rooms).for_each_concurrent(AT_ONCE, each).await;
        });
    }

    /// Members of these rooms are about to come: waits until it is known who is present there.
    pub(super) async fn prepare(&self, rooms: &[String]) {
        let deadline = Instant::now() + PATIENCE / 2;
        let Some(local) = self.host.local() else { return };
        local.presence.expect(rooms);
        let unknown = rooms.iter().filter(|room| local.presence.known(room).is_none());
        let each = |room: String| async move { self.ask_until_known(&room).await };
        let all = stream::iter(unknown.cloned().collect::<Vec<_>>());
        let _ = timeout_at(deadline, all.for_each_concurrent(AT_ONCE, each)).await;
    }

    /// Asks all nodes until all have answered, the connection is lost, or this node does not care
    /// any more.
    async fn ask_until_known(&self, room: &str) {
        loop {
            let round = self.host.local().and_then(|local| local.presence.round(room));
            let Some(round) = round else { return };
            match ask_all(&self.bus, room).await {
                Ok(_) => {
                    if let Some(local) = self.host.local() {
                        local.presence.complete(room, round);
                    }
                    return;
                }
                // The others are asked again when the connection stands.
                Err(ClusterError::Unavailable) => return,
                Err(ClusterError::Unanswered { .. }) => {}
            }
        }
    }

    fn ask_for(&self, node: NodeId, room: String) {
        self.bus.send(node, &Message::Presence(PresenceMessage::Ask { room }));
    }
}

/// Everyone who is present in a room, in messages of a limited size.
fn each_part(room: &str, number: u64, people: People, send: impl Fn(Message)) {
    let mut rest = each(people);
    for part in 0.. {
        let present = split(&mut rest);
        let is_last = rest.is_empty();
        let room = room.to_owned();
        send(Message::Presence(PresenceMessage::Whole { room, number, part, is_last, present }));
        if is_last {
            return;
        }
    }
}

/// Asks all nodes that listen. Resolves when all have answered.
async fn ask_all(bus: &Arc<Bus>, room: &str) -> Result<Vec<(NodeId, Whole)>, ClusterError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut call = bus.call();
        let ask = Message::Presence(PresenceMessage::Ask { room: room.to_owned() });
        let heard = call.publish(&presence_channel(room), &ask);
        let heard = timeout_at(deadline, heard).await.ok().and_then(Result::ok);
        let mut missing = heard.ok_or(ClusterError::Unavailable)?;
        let mut answers = Vec::new();
        let is_whole = loop {
            if missing == 0 {
                break true;
            }
            match timeout_at(deadline, call.replies.recv()).await {
                Ok(Some(Reply::Echo)) => missing -= 1,
                Ok(Some(Reply::Heard(node, Message::Presence(said), _))) => {
                    if let PresenceMessage::Whole { number, part, is_last, present, .. } = said {
                        missing -= usize::from(is_last);
                        let present = people(present);
                        answers.push((node, Whole { number, part, is_last, present }));
                    }
                }
                Ok(Some(Reply::Heard(..))) => {}
                // Whether it was among those that are missing is not known.
                Ok(Some(Reply::Gone(_))) => break false,
                Ok(Some(Reply::Down)) => return Err(ClusterError::Unavailable),
                Ok(None) | Err(_) => return Err(ClusterError::Unanswered { nodes: missing }),
            }
        };
        if is_whole {
            return Ok(answers);
        }
    }
}

/// All sessions that these nodes have named.
fn everyone_in(answers: Vec<(NodeId, Whole)>) -> People {
    let mut room = RoomState::default();
    for (node, whole) in answers {
        room.take_whole(node, whole);
    }
    room.everyone()
}

/// Takes as many as fit into a message, but one at least.
fn split(rest: &mut Each) -> Each {
    let mut bytes = 0;
    let fits = |(_, info): &(Id<SessionId>, Info)| {
        let fits = bytes < MESSAGE;
        bytes += info.json.len() + BESIDE;
        fits
    };
    let number = rest.iter().map(fits).take_while(|fits| *fits).count();
    let later = rest.split_off(number);
    std::mem::replace(rest, later)
}

fn presence_channel(room: &str) -> String {
    format!("{CHANNEL}{room}")
}

const CHANNEL: &str = "p:";
/// Rooms that are asked for at once.
const AT_ONCE: usize = 16;
/// Bytes of people in one message, nearly.
const MESSAGE: usize = 512 * 1024;
/// Bytes of a person beside the info.
const BESIDE: usize = 60;
