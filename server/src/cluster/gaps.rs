//! Finds what was lost between nodes, and says so.
//!
//! A sender counts its messages on each channel. A listener that hears a number too many knows how many
//! it has missed. What would have come last is found by asking: after a loss of the connection a node
//! tells everyone which channels it listens to, and hears the last numbers of each sender.

use std::sync::Arc;

use bowline_protocol::{NodeId, SessionId};
use bytes::Bytes;
use tokio::sync::oneshot;

use super::figures::count;
use super::wire::Message;
use super::{ALL, Cluster, lock, node_channel};
use crate::audience::Audience;
use crate::gap::{Gap, GapScope};
use crate::names::user_of;
use crate::node::Node;
use crate::session::{Common, LiveSession};

impl Cluster {
    /// A message of this node was not sent.
    pub(super) fn note_unsent(&self, channel: Arc<str>) {
        lock(&self.numbers).note_unsent(channel);
    }

    pub(super) fn note_down(&self) {
        lock(&self.numbers).was_down = true;
    }

    /// True when the connection was lost since it last stood.
    pub(super) fn was_down(&self) -> bool {
        lock(&self.numbers).was_down
    }

    /// Tells the others how far this node has come where something of it was not sent.
    pub(super) fn tell_unsent(self: &Arc<Self>) {
        let mut numbers = lock(&self.numbers);
        if numbers.was_down {
            return;
        }
        let positions = numbers.take_unsent();
        drop(numbers);
        for some in positions.chunks(CHUNK) {
            let (told, heard) = oneshot::channel();
            let message = Message::Positions { channels: some.to_vec() };
            self.publish(ALL, &message, &Bytes::new(), 0, false, Some(told));
            let (cluster, some) = (Arc::clone(self), some.to_vec());
            self.handle.spawn(async move {
                if heard.await.is_err() {
                    // Not sent either: again with the next beat.
                    some.into_iter().for_each(|(channel, _)| cluster.note_unsent(channel.into()));
                }
            });
        }
    }

    /// The connection stands again: both sides find out what was lost meanwhile.
    pub(super) fn resync(self: &Arc<Self>) {
        let was_down = std::mem::take(&mut lock(&self.numbers).was_down);
        self.tell_unsent();
        if was_down {
            self.ask_for_positions(ALL);
        }
    }

    /// Asks everyone, or one node by its channel, how far they have come. One that is not there yet is asked
    /// when it says that it has come back.
    pub(super) fn ask_for_positions(&self, whom: &str) {
        let Some(node) = self.node.upgrade() else { return };
        let mut channels = node.rooms.names();
        channels.iter_mut().for_each(|name| *name = super::room_channel(name));
        channels.extend([ALL.to_owned(), self.own_channel()]);
        for some in channels.chunks(CHUNK) {
            self.say(whom, &Message::Resync { channels: some.to_vec() });
        }
    }

    /// Another node wants to know what it has missed.
    pub(super) fn answer_resync(&self, asker: NodeId, channels: &[String]) {
        let channels = lock(&self.numbers).own_positions(channels.iter().map(|channel| &**channel));
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
            let missed = lock(&self.numbers).stated(&channel, from, last);
            if missed != Some(0) {
                self.report(node, &channel, missed);
            }
        }
    }

    /// A node is gone; what it was about to say is lost. To whom is not known: it may have spoken to a room for the
    /// first time.
    pub(super) fn report_loss_of(&self, node: &Arc<Node>, gone: NodeId) {
        lock(&self.numbers).forget_node(gone, &node_channel(gone));
        self.report(node, ALL, None);
    }

    /// Tells the application and the clients.
    pub(super) fn report(&self, node: &Arc<Node>, channel: &str, missed: Option<u64>) {
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
        audience.send_here(&gap.packet());
        self.tell_application(&node.common, gap);
    }

    /// Messages to a session were given up, because nobody could be asked where it is.
    pub(super) fn report_unreachable(&self, node: &Arc<Node>, session: SessionId, missed: u64) {
        let gap = Gap { scope: GapScope::Session(session), missed: Some(missed) };
        self.tell_application(&node.common, gap);
    }

    /// A session that has come here was told nothing for a while, and it is not known what it has missed.
    pub(super) fn report_newcomer(&self, session: &Arc<LiveSession>) {
        let gap = Gap { scope: GapScope::Session(session.id), missed: None };
        let _ = session.emit(&gap.packet());
        self.tell_application(&session.common, gap);
    }

    /// Later, because the hook may emit, and the gate is held here.
    fn tell_application(&self, common: &Arc<Common>, gap: Gap) {
        count(&self.counters.gaps);
        log::warn!("messages of other nodes were lost: {gap:?}");
        let common = Arc::clone(common);
        self.handle.spawn(async move {
            if let Some(hook) = &common.config.on_gap {
                (hook.0)(&gap);
            }
        });
    }
}

/// Channels in one message.
const CHUNK: usize = 1_000;
