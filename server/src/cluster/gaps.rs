//! Finds what was lost between nodes, and says so.
//!
//! A sender counts its messages on each channel. A listener that hears a number too many knows how many
//! it has missed. What would have come last is found by asking: after a loss of the connection a node
//! tells everyone which channels it listens to, and hears the last numbers of each sender.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bowline_protocol::{Encoded, NodeId, Payload};
use serde_json::json;

use super::figures::count;
use super::handover::Told;
use super::wire::{Id, Message};
use super::{ALL, Cluster, lock, node_channel};
use crate::audience::Audience;
use crate::node::Node;
use crate::rooms::user_of;

/// The name of the event that tells clients of a gap: something said to a room, to their user or to
/// everyone may not have reached them. Its payload is `{"room": …}`, `{"user": …}` or `{}`, with the
/// number that is `missed` where it is known.
///
/// Spec: 06-rooms-and-requests, "Gaps".
pub const GAP: &str = "bowline.gap";

/// Messages between nodes that were lost on their way.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gap {
    /// Whom they were for.
    pub scope: GapScope,
    /// How many, where it is known.
    pub missed: Option<u64>,
}

/// Whom lost messages were for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GapScope {
    /// Everyone, or an audience of several rooms.
    Everyone,
    /// A room.
    Room(String),
    /// A user.
    User(String),
    /// Single sessions of this node; which is not known.
    Sessions,
}

/// The counts of what was sent and heard.
#[derive(Default)]
pub(super) struct Numbers {
    sent: HashMap<Arc<str>, u64>,
    heard: HashMap<Arc<str>, HashMap<NodeId, u64>>,
    /// Channels on which something of ours was not sent.
    unsent: HashSet<Arc<str>>,
    /// The connection was lost since it last stood.
    was_down: bool,
}

impl Numbers {
    /// The number of the next message on a channel.
    pub(super) fn next(&mut self, channel: &str) -> u64 {
        if let Some(last) = self.sent.get_mut(channel) {
            *last += 1;
            return *last;
        }
        if self.sent.len() >= MAX_CHANNELS {
            // Listeners take a number that goes back for a new beginning.
            self.sent.clear();
        }
        self.sent.insert(channel.into(), 1);
        1
    }

    /// A message was heard. Returns how many before it were not.
    pub(super) fn heard(&mut self, channel: &Arc<str>, node: NodeId, ordinal: u64) -> u64 {
        let of_channel = self.heard.entry(Arc::clone(channel)).or_default();
        let last = of_channel.insert(node, ordinal);
        last.map_or(0, |last| ordinal.saturating_sub(last + 1))
    }

    /// Nobody listens to the channel here any more.
    pub(super) fn forget(&mut self, channel: &str) {
        self.heard.remove(channel);
    }

    /// A session was told this by another node: what comes next is counted from there.
    pub(super) fn go_on_from(&mut self, told: &Told, own: NodeId) {
        for (channel, nodes) in told {
            let of_channel = self.heard.entry(channel.as_str().into()).or_default();
            for (Id(node), last) in nodes.iter().filter(|(Id(node), _)| *node != own) {
                of_channel.entry(*node).or_insert(*last);
            }
        }
    }

    /// A node has left, and nothing of it is missing.
    pub(super) fn forget_node(&mut self, node: NodeId) {
        for of_channel in self.heard.values_mut() {
            of_channel.remove(&node);
        }
    }

    /// What was heard on a channel so far, and sent by this node.
    pub(super) fn positions(&self, channel: &str, own: NodeId) -> Vec<(NodeId, u64)> {
        let heard =
            self.heard.get(channel).into_iter().flatten().map(|(node, last)| (*node, *last));
        heard.chain(self.sent.get(channel).map(|last| (own, *last))).collect()
    }
}

impl Cluster {
    /// A message of this node was not sent.
    pub(super) fn note_unsent(&self, channel: Arc<str>) {
        lock(&self.numbers).unsent.insert(channel);
    }

    pub(super) fn note_down(&self) {
        lock(&self.numbers).was_down = true;
    }

    /// The connection stands again: both sides find out what was lost meanwhile.
    pub(super) fn resync(&self) {
        let mut numbers = lock(&self.numbers);
        let unsent: Vec<_> = numbers.unsent.drain().collect();
        let positions = positions(&numbers, unsent.iter().map(|channel| &**channel));
        let was_down = std::mem::take(&mut numbers.was_down);
        drop(numbers);
        for some in positions.chunks(CHUNK) {
            self.say(ALL, &Message::Positions { channels: some.to_vec() });
        }
        let Some(node) = self.node.upgrade().filter(|_| was_down) else { return };
        let mut channels = node.rooms.names();
        channels.iter_mut().for_each(|name| *name = super::room_channel(name));
        channels.extend([ALL.to_owned(), self.own_channel()]);
        for some in channels.chunks(CHUNK) {
            self.say(ALL, &Message::Resync { channels: some.to_vec() });
        }
    }

    /// Another node wants to know what it has missed.
    pub(super) fn answer_resync(&self, asker: NodeId, channels: &[String]) {
        let numbers = lock(&self.numbers);
        let channels = positions(&numbers, channels.iter().map(|channel| &**channel));
        drop(numbers);
        if !channels.is_empty() {
            self.say(&node_channel(asker), &Message::Positions { channels });
        }
    }

    /// A node says how far it has come.
    pub(super) fn take_positions(
        &self,
        node: &Arc<Node>,
        from: NodeId,
        channels: Vec<(String, u64)>,
    ) {
        for (channel, last) in channels {
            let listens = channel == ALL
                || channel == self.own_channel()
                || channel.strip_prefix("r:").is_some_and(|room| node.rooms.exists(room));
            if !listens {
                continue;
            }
            let channel: Arc<str> = channel.into();
            let mut numbers = lock(&self.numbers);
            let of_channel = numbers.heard.entry(Arc::clone(&channel)).or_default();
            let before = of_channel.insert(from, last);
            drop(numbers);
            match before {
                Some(before) if before >= last => {}
                Some(before) => self.report(node, &channel, Some(last - before)),
                // What it said before this node listened is not told from what was lost.
                None => self.report(node, &channel, None),
            }
        }
    }

    /// A node is gone; what it was about to say is lost.
    pub(super) fn report_loss_of(&self, node: &Arc<Node>, gone: NodeId) {
        let mut numbers = lock(&self.numbers);
        let affected: Vec<_> = numbers
            .heard
            .iter_mut()
            .filter_map(|(channel, nodes)| nodes.remove(&gone).map(|_| Arc::clone(channel)))
            .collect();
        drop(numbers);
        for channel in affected {
            self.report(node, &channel, None);
        }
    }

    /// Tells the application and the clients.
    pub(super) fn report(&self, node: &Arc<Node>, channel: &str, missed: Option<u64>) {
        count(&self.counters.gaps);
        let everyone = || Audience::all(Arc::clone(node));
        let (scope, audience) = match channel.strip_prefix("r:") {
            Some(room) => {
                let scope = user_of(room).map_or_else(
                    || GapScope::Room(room.to_owned()),
                    |user| GapScope::User(user.to_owned()),
                );
                (scope, Audience::room(Arc::clone(node), room))
            }
            None if channel == ALL => (GapScope::Everyone, everyone()),
            None => (GapScope::Sessions, everyone()),
        };
        let gap = Gap { scope, missed };
        log::warn!("messages of other nodes were lost: {gap:?}");
        let mut payload = match &gap.scope {
            GapScope::Room(room) => json!({ "room": room }),
            GapScope::User(user) => json!({ "user": user }),
            GapScope::Everyone | GapScope::Sessions => json!({}),
        };
        if let Some(missed) = missed {
            payload["missed"] = missed.into();
        }
        let packet = Encoded::event(GAP, &Payload::json(payload.to_string()));
        audience.send_here(&packet.expect("the name and the payload are plain"));
        // Later, because the hook may emit, and the gate is held here.
        let node = Arc::clone(node);
        self.handle.spawn(async move {
            if let Some(hook) = &node.config.on_gap {
                (hook.0)(&gap);
            }
        });
    }
}

fn positions<'a>(numbers: &Numbers, channels: impl Iterator<Item = &'a str>) -> Vec<(String, u64)> {
    let known = channels
        .filter_map(|channel| numbers.sent.get(channel).map(|last| (channel.to_owned(), *last)));
    known.collect()
}

/// Channels in one message.
const CHUNK: usize = 1_000;
/// Channels whose counts are kept.
const MAX_CHANNELS: usize = 200_000;
