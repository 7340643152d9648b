//! What nodes say to each other of who is present.
//!
//! A node that has somebody in a room, present or as a member, listens to the room's channel for this. On it
//! each node says what changes with it, numbered for each room, and everyone who is present with it when it
//! begins or something was not said. Whoever comes, or finds that a number is missing, asks for everyone.
//! So whatever is lost, the lists become the same again, and the members are told the difference.
//!
//! A session that is handed over stays with its old node until that one hears, on the room's channel, that it
//! is with the new one. Nobody hears that it has gone before hearing that it has come.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use bowline_protocol::{NodeId, SessionId};
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use super::calls::Reply;
use super::wire::{Head, Id, Message};
use super::{Cluster, PATIENCE, node_channel};
use crate::error::ClusterError;
use crate::node::Node;
use crate::presence::{Info, People, RoomState, Whole};
use crate::snapshot::{Each, each, people};

/// Said of who is present in a room.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Said {
    /// These have come to the sender and gone from it, since its change `after`.
    Change { room: String, after: u64, number: u64, entered: Each, left: Vec<Id<SessionId>> },
    /// A part of everyone who is present with the sender after this change.
    Whole { room: String, number: u64, part: usize, is_last: bool, present: Each },
    /// Who is present with you?
    Ask { room: String },
}

impl Cluster {
    /// Listens to what others say of a room, and asks them.
    pub(crate) fn follow_presence(&self, room: &str) {
        let (told, effective) = oneshot::channel();
        self.broker.subscribe(&presence_channel(room), Some(told));
        let (node, room) = (self.node.clone(), room.to_owned());
        self.handle.spawn(async move {
            if effective.await.is_ok() {
                ask_until_known(&node, &room).await;
            }
        });
    }

    pub(crate) fn unfollow_presence(&self, room: &str) {
        self.broker.unsubscribe(&presence_channel(room));
    }

    /// The channels on which this node hears who is present in these rooms.
    pub(super) fn presence_channels(&self, rooms: &HashSet<Arc<str>>) -> Vec<String> {
        let heard = self.node.upgrade().map(|node| node.presence.rooms()).unwrap_or_default();
        heard
            .iter()
            .filter(|room| rooms.contains(*room))
            .map(|room| presence_channel(room))
            .collect()
    }

    /// Says what has changed here.
    pub(crate) fn say_change(
        &self,
        room: &str,
        (after, number): (u64, u64),
        entered: People,
        left: &[SessionId],
    ) {
        if !self.is_leaving() {
            let (entered, left) = (each(entered), left.iter().copied().map(Id).collect());
            let change = Said::Change { room: room.to_owned(), after, number, entered, left };
            self.say(&presence_channel(room), &Message::Presence(change));
        }
    }

    /// Says who is present here.
    pub(crate) fn say_whole(&self, room: &str, number: u64, present: People) {
        if !self.is_leaving() {
            self.send_whole(&presence_channel(room), 0, (room, number), present);
        }
    }

    /// Everyone who is present in a room, asked of all nodes.
    pub(crate) fn present(
        self: &Arc<Self>,
        node: &Arc<Node>,
        room: &str,
    ) -> impl Future<Output = Result<People, ClusterError>> + Send + use<> {
        let (done, outcome) = oneshot::channel();
        let (cluster, node, room) = (Arc::clone(self), Arc::clone(node), room.to_owned());
        self.handle.spawn(async move {
            let answers = ask_all(&cluster, &room).await;
            // What was answered has been taken already, if this node has anybody in the room.
            let people = answers.map(|answers| {
                node.presence.everyone(&room).unwrap_or_else(|| everyone_in(answers))
            });
            let _ = done.send(people);
        });
        async move { outcome.await.unwrap_or(Err(ClusterError::Unavailable)) }
    }

    pub(super) fn take_presence(self: &Arc<Self>, node: &Arc<Node>, head: Head, said: Said) {
        let presence = &node.presence;
        match said {
            Said::Ask { room } => presence.here(node.id, &room, |number, present| {
                let present = if self.is_leaving() { Vec::new() } else { present };
                self.send_whole(&node_channel(head.node), head.call, (&room, number), present);
            }),
            Said::Change { room, after, number, entered, left } => {
                let left: Vec<_> = left.into_iter().map(|Id(session)| session).collect();
                let said = (people(entered), &left[..]);
                if presence.take_change(node, head.node, &room, (after, number), said) {
                    self.ask_for(head.node, room);
                }
            }
            Said::Whole { room, number, part, is_last, present } => {
                let whole = Whole { number, part, is_last, present: people(present.clone()) };
                if presence.take_whole(node, head.node, &room, whole) {
                    self.ask_for(head.node, room.clone());
                }
                let again = Said::Whole { room, number, part, is_last, present };
                let reply = Reply::Heard(head.node, Message::Presence(again), Bytes::new());
                self.calls.tell(head.call, reply);
            }
        }
    }

    /// A node lives, and uses presence or not.
    pub(super) fn heard_presence(&self, node: &Arc<Node>, of: NodeId, in_use: bool) {
        if in_use {
            node.presence.begin(node);
        }
        if node.presence.is_back(of) {
            for room in node.presence.rooms() {
                self.ask_for(of, room.to_string());
            }
        }
    }

    /// A node is gone, and everyone with it.
    pub(super) fn lose_presence(&self, gone: NodeId) {
        if let Some(node) = self.node.upgrade().filter(|node| node.presence.is_in_use()) {
            node.presence.lose(&node, gone);
        }
    }

    /// Something of this node was not sent. True if it was about who is present.
    pub(super) fn note_unsaid(&self, node: &Node, channel: &str) -> bool {
        let room = channel.strip_prefix(CHANNEL);
        room.map(|room| node.presence.note_unsaid(room)).is_some()
    }

    /// Says again what was not sent.
    pub(super) fn say_unsaid(&self, node: &Node) {
        for room in node.presence.take_unsaid() {
            node.presence.here(node.id, &room, |number, present| {
                self.say_whole(&room, number, present);
            });
        }
    }

    /// The connection stands again: says who is present here, and asks the others.
    pub(super) fn resync_presence(&self, node: &Arc<Node>) {
        self.say_unsaid(node);
        let rooms = node.presence.rooms();
        for room in &rooms {
            node.presence.here(node.id, room, |number, present| {
                self.say_whole(room, number, present);
            });
        }
        let node = Arc::downgrade(node);
        self.handle.spawn(async move {
            let each = |room: Arc<str>| {
                let node = node.clone();
                async move { ask_until_known(&node, &room).await }
            };
            stream::iter(rooms).for_each_concurrent(AT_ONCE, each).await;
        });
    }

    /// Members of these rooms are about to come: waits until it is known who is present there.
    pub(super) async fn prepare_presence(self: &Arc<Self>, rooms: &[String]) {
        let deadline = Instant::now() + PATIENCE / 2;
        let Some(node) = self.node.upgrade() else { return };
        node.presence.expect(&node, rooms);
        let unknown = rooms.iter().filter(|room| node.presence.known(room).is_none());
        let node = &self.node;
        let each = |room: String| async move { ask_until_known(node, &room).await };
        let all = stream::iter(unknown.cloned().collect::<Vec<_>>());
        let _ = timeout_at(deadline, all.for_each_concurrent(AT_ONCE, each)).await;
    }

    /// True when this node has taken leave of the others, for which nobody is present here any more.
    fn is_leaving(&self) -> bool {
        self.has_left.load(Ordering::Acquire)
    }

    fn ask_for(&self, node: NodeId, room: String) {
        self.say(&node_channel(node), &Message::Presence(Said::Ask { room }));
    }

    fn send_whole(&self, channel: &str, call: u64, (room, number): (&str, u64), people: People) {
        let mut rest = each(people);
        for part in 0.. {
            let present = split(&mut rest);
            let is_last = rest.is_empty();
            let room = room.to_owned();
            let whole = Said::Whole { room, number, part, is_last, present };
            self.send(channel, &Message::Presence(whole), &Bytes::new(), call);
            if is_last {
                return;
            }
        }
    }
}

/// Asks all nodes until all have answered, the connection is lost, or this node does not care any more.
async fn ask_until_known(node: &Weak<Node>, room: &str) {
    loop {
        let Some((cluster, round)) = node.upgrade().and_then(|node| {
            Some((Arc::clone(node.cluster.as_ref()?), node.presence.round(room)?))
        }) else {
            return;
        };
        match ask_all(&cluster, room).await {
            Ok(_) => {
                if let Some(node) = node.upgrade() {
                    node.presence.complete(&node, room, round);
                }
                return;
            }
            // The others are asked again when the connection stands.
            Err(ClusterError::Unavailable) => return,
            Err(ClusterError::Unanswered { .. }) => {}
        }
    }
}

/// Asks all nodes that listen. Resolves when all have answered.
async fn ask_all(cluster: &Arc<Cluster>, room: &str) -> Result<Vec<(NodeId, Whole)>, ClusterError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut call = cluster.call();
        let (told, heard) = oneshot::channel();
        let ask = Message::Presence(Said::Ask { room: room.to_owned() });
        let channel = presence_channel(room);
        cluster.publish(&channel, &ask, &Bytes::new(), call.number, false, Some(told));
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
                    if let Said::Whole { number, part, is_last, present, .. } = said {
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

/// Everyone whom these nodes have named.
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
