//! How far each node has come on its channels, so that what would have come last is missed, too.
//!
//! A sender numbers its messages on each channel, so a receiver that finds a hole knows how many it
//! has missed. After a loss of the connection a node asks everyone how far they have come on the
//! channels that it subscribes to, and states how far it has come where something of it was not
//! sent.

#![expect(clippy::disallowed_methods, reason = "a task of the cluster, for no session that idles")]

use std::sync::Arc;

use bowline_protocol::NodeId;

use super::wire::{Id, Message, Told};
use super::{ALL, Bus, room_channel};
use crate::locks::lock;

impl Bus {
    /// A message of this node was not sent.
    pub(crate) fn note_unsent(&self, channel: Arc<str>) {
        lock(&self.numbers).note_unsent(channel);
    }

    pub(crate) fn note_down(&self) {
        lock(&self.numbers).was_down = true;
    }

    /// True when the connection was lost since it last stood.
    pub(crate) fn was_down(&self) -> bool {
        lock(&self.numbers).was_down
    }

    /// Publishes how far this node has come where something of it was not sent.
    pub(crate) fn publish_unsent(self: &Arc<Self>) {
        let mut numbers = lock(&self.numbers);
        if numbers.was_down {
            return;
        }
        let positions = numbers.take_unsent();
        drop(numbers);
        for some in positions.chunks(CHUNK) {
            let heard = self.publish_heard(ALL, &Message::Positions { channels: some.to_vec() });
            let (bus, some) = (Arc::clone(self), some.to_vec());
            self.handle.spawn(async move {
                if heard.await.is_err() {
                    // Not sent either: again with the next beat.
                    some.into_iter().for_each(|(channel, _)| bus.note_unsent(channel.into()));
                }
            });
        }
    }

    /// The connection stands again: both sides find out what was lost meanwhile.
    pub(crate) fn resync(self: &Arc<Self>) {
        let was_down = std::mem::take(&mut lock(&self.numbers).was_down);
        self.publish_unsent();
        if was_down {
            self.ask_for_positions(ALL);
        }
    }

    /// Asks everyone, or one node by its channel, how far they have come. One that is not there yet
    /// is asked when it announces that it has come back.
    pub(crate) fn ask_for_positions(&self, whom: &str) {
        let Some(mut channels) = self.host.room_names() else { return };
        channels.iter_mut().for_each(|name| *name = room_channel(name));
        channels.extend([ALL.to_owned(), self.own_channel()]);
        for some in channels.chunks(CHUNK) {
            self.publish(whom, &Message::Resync { channels: some.to_vec() });
        }
    }

    /// Another node wants to know what it has missed.
    pub(crate) fn answer_resync(&self, asker: NodeId, channels: &[String]) {
        let channels = lock(&self.numbers).own_positions(channels.iter().map(|channel| &**channel));
        if !channels.is_empty() {
            self.send(asker, &Message::Positions { channels });
        }
    }

    /// A node states how far it has come on a channel. Returns how many messages up to there are
    /// missing, `None` when that is not known.
    pub(crate) fn missed_up_to(&self, channel: &str, node: NodeId, last: u64) -> Option<u64> {
        lock(&self.numbers).stated(channel, node, last)
    }

    /// A node is gone: nothing comes from it, and nobody subscribes to its channel.
    pub(crate) fn forget_numbers_of(&self, gone: NodeId) {
        lock(&self.numbers).forget_node(gone, &super::node_channel(gone));
    }

    /// What the members of these rooms were sent so far.
    pub(crate) fn told(&self, rooms: &[Arc<str>]) -> Told {
        let numbers = lock(&self.numbers);
        let channels = rooms.iter().map(|room| room_channel(room)).chain([ALL.to_owned()]);
        let told = channels.map(|channel| {
            let positions = numbers.positions(&channel, self.id).into_iter();
            (channel, positions.map(|(node, last)| (Id(node), last)).collect())
        });
        told.collect()
    }

    /// A session was sent this by other nodes: what comes next is counted from there.
    pub(crate) fn go_on_from(&self, told: &Told) {
        lock(&self.numbers).go_on_from(told, self.id);
    }
}

/// Channels in one message.
const CHUNK: usize = 1_000;
