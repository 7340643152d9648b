//! What comes from other nodes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bowline_protocol::{Encoded, NodeId, SessionId};
use bytes::Bytes;

use super::calls::{Reply, audience_here};
use super::figures::count;
use super::relay::Subject;
use super::wire::{Head, Id, Message, VERSION};
use super::{ALL, Cluster, lock, node_channel};
use crate::broker::Delivery;
use crate::history;
use crate::node::Node;

impl Cluster {
    pub(super) fn take(self: &Arc<Self>, node: &Arc<Node>, delivery: Delivery) {
        match delivery {
            Delivery::Up => {
                if self.was_down() {
                    lock(&self.peers).come_back(Instant::now());
                    lock(&self.places).keep_soon();
                }
                self.beat(node, ALL, true);
                self.resync();
                node.histories.take_up().into_iter().for_each(|fill| drop(self.handle.spawn(fill)));
                self.resync_presence(node);
            }
            Delivery::Down => {
                self.note_down();
                node.presence.down();
                self.calls.tell_all(&Reply::Down);
                self.drop_carried(None);
            }
            Delivery::Unsent { channel } => {
                if !self.note_unsaid(node, &channel) {
                    self.note_unsent(channel);
                }
            }
            Delivery::Message { channel, message } if history::is_channel(&channel) => {
                if let Some(fill) = node.histories.take(&channel, &message) {
                    self.handle.spawn(fill);
                }
            }
            Delivery::Message { channel, message } => self.take_message(node, &channel, &message),
        }
    }

    fn take_message(self: &Arc<Self>, node: &Arc<Node>, channel: &Arc<str>, message: &Bytes) {
        let Some(head) = Head::read(message) else { return count(&self.counters.foreign) };
        if head.node == self.id {
            return self.calls.tell(head.call, Reply::Echo);
        }
        let known = (head.version == VERSION).then(|| Message::read(message)).flatten();
        let Some((mut message, bytes)) = known else { return self.refuse(head) };
        if head.ordinal == 0 {
            return self.take_uncounted(node, head, message, bytes);
        }
        count(&self.counters.received);
        let pass = self.pass();
        let missed = lock(&self.numbers).heard(channel, head.node, head.ordinal);
        if missed > 0 {
            self.report(node, channel, Some(missed));
        }
        self.notes.note(channel, head.node, head.ordinal, &message, &bytes);
        message.leave_out(self.newcomers.who_know(
            channel,
            head.node,
            head.ordinal,
            Instant::now(),
        ));
        self.take_counted(node, head, message, bytes);
        drop(pass);
    }

    /// What this version does not know is counted, and refused if somebody waits for an answer.
    fn refuse(&self, head: Head) {
        count(&self.counters.other_version);
        if head.version != VERSION && lock(&self.peers).is_stranger(head.node) {
            log::error!(
                "node {} speaks version {} of the messages between nodes, this one {VERSION}: they share a broker \
                 and understand nothing of each other",
                head.node,
                head.version
            );
        }
        if head.wants_answer && head.version != VERSION {
            self.send(&node_channel(head.node), &Message::Refused, &Bytes::new(), head.call);
        }
    }

    /// For the members of an audience.
    fn take_counted(
        self: &Arc<Self>,
        node: &Arc<Node>,
        head: Head,
        message: Message,
        bytes: Bytes,
    ) {
        let session = message.session().filter(|id| node.registry.get(id).is_none());
        if let Some(session) = session {
            // It was handed over, perhaps.
            if self.handed(session).is_some() {
                return self.tell_session(session, &message, &bytes);
            }
            return count(&self.counters.undelivered);
        }
        if matches!(message, Message::Ask { .. }) {
            return self.take_question(node, (head.node, head.call), message, &bytes);
        }
        self.take_here(node, message, bytes);
    }

    /// For the members of an audience on this node.
    pub(super) fn take_here(&self, node: &Arc<Node>, message: Message, bytes: Bytes) {
        match message {
            Message::Emit { to, volatile } => {
                let Some(packet) = self.packet(bytes) else { return };
                let audience = audience_here(node, to);
                if volatile {
                    audience.send_here_volatile(&packet);
                } else {
                    self.wakes.collect(|wake| audience.send_here_and(&packet, wake));
                }
            }
            Message::Disconnect { to, close } => {
                audience_here(node, to).disconnect_here(&close.into());
            }
            _ => count(&self.counters.foreign),
        }
    }

    fn take_question(
        self: &Arc<Self>,
        node: &Arc<Node>,
        asker: (NodeId, u64),
        message: Message,
        bytes: &Bytes,
    ) {
        let moved = message.asks_for().and_then(|session| self.moved(session));
        if let Some(to) = moved {
            return self.reply(asker, &Message::Moved { node: Id(to) }, &Bytes::new());
        }
        match message {
            Message::Find { to } => self.take_find(asker, &audience_here(node, to)),
            Message::Ask { to, timeout } => {
                let Some(packet) = self.packet(bytes.clone()) else { return };
                let timeout = Duration::from_millis(timeout);
                self.take_ask(asker, &audience_here(node, to), &packet, timeout);
            }
            _ => count(&self.counters.foreign),
        }
    }

    /// Where a session is that was here.
    pub(super) fn moved(&self, session: SessionId) -> Option<NodeId> {
        self.handed(session).filter(|_| !self.is_here(session))
    }

    fn take_uncounted(
        self: &Arc<Self>,
        node: &Arc<Node>,
        head: Head,
        message: Message,
        bytes: Bytes,
    ) {
        match message {
            Message::Alive { hello, serving, draining, presence } => {
                let is_known = lock(&self.peers).contains(head.node);
                self.heard_of(head.node, serving, draining);
                self.heard_presence(node, head.node, presence);
                if hello {
                    self.welcome(node, head.node);
                }
                if hello && is_known {
                    // It was cut off. What it said before may have been lost on its way, and when this node
                    // asked everyone it was perhaps not there.
                    self.ask_for_positions(&node_channel(head.node));
                }
            }
            Message::Mark => {}
            Message::Presence(said) => self.take_presence(node, head, said),
            Message::Leaving => self.take_leaving((head.node, head.call)),
            Message::Left => self.left(head.node),
            Message::Gone { node: Id(gone) } => self.take_gone(node, gone),
            Message::Find { .. } | Message::Ask { .. } => {
                self.take_question(node, (head.node, head.call), message, &bytes);
            }
            Message::Resync { channels } => self.answer_resync(head.node, &channels),
            Message::Positions { channels } => self.take_positions(node, head.node, channels),
            Message::Prepare { rooms } => self.take_prepare((head.node, head.call), &rooms),
            Message::Hand { luggage } => {
                self.take_hand(node, (head.node, head.call), *luggage, bytes);
            }
            Message::Whose { session, secret, key } => {
                let session = session.map(|Id(session)| session);
                let secret = secret.and_then(|secret| secret.0.parse().ok());
                let key = key.and_then(|key| key.0.parse().ok());
                self.take_whose(node, (head.node, head.call), session, secret, key);
            }
            Message::Carry { endpoint, session, key, address } => {
                let subject = Subject {
                    session: session.map(|Id(session)| session),
                    key: key.and_then(|key| key.0.parse().ok()),
                    address,
                };
                self.take_carry(node, (head.node, head.call), endpoint, subject, bytes);
            }
            Message::Up { .. } | Message::UpTaken { .. } | Message::UpOver => {
                self.take_up((head.node, head.call), message, bytes);
            }
            answer => self.calls.tell(head.call, Reply::Heard(head.node, answer, bytes)),
        }
    }

    fn packet(&self, bytes: Bytes) -> Option<Encoded> {
        let packet = Encoded::from_bytes(bytes).ok();
        if packet.is_none() {
            count(&self.counters.foreign);
        }
        packet
    }
}
