//! What comes from other nodes: the bus decodes it, and delivers it to members on this node.

use std::collections::HashSet;
use std::sync::Arc;

use bowline_protocol::{Encoded, NodeId};
use bytes::Bytes;

use super::wire::{Head, Message, VERSION};
use super::{Asker, Bus, Reply};
use crate::local::Local;
use crate::locks::lock;

/// A message of another node.
pub(crate) struct Read {
    pub(crate) head: Head,
    pub(crate) message: Message,
    pub(crate) bytes: Bytes,
}

/// Nodes that speak another version, as far as that was logged.
#[derive(Default)]
pub(super) struct Strangers(HashSet<NodeId>);

impl Bus {
    /// Decodes a message. `None` if nobody has to handle it: it is this node's own, or none that
    /// this version knows.
    pub(crate) fn read(&self, message: &Bytes) -> Option<Read> {
        let Some(head) = Head::read(message) else {
            self.foreign.count();
            return None;
        };
        if head.node == self.id {
            self.resolve(head.call, Reply::Echo);
            return None;
        }
        let known = (head.version == VERSION).then(|| Message::read(message)).flatten();
        let Some((message, bytes)) = known else {
            self.refuse(head);
            return None;
        };
        Some(Read { head, message, bytes })
    }

    /// What this version does not know is counted, and refused if somebody waits for an answer.
    fn refuse(&self, head: Head) {
        self.other_version.count();
        if head.version != VERSION && lock(&self.strangers).is_new(head.node) {
            log::error!(
                "node {} speaks version {} of the messages between nodes, this one {VERSION}: they \
                 share a broker and understand nothing of each other",
                head.node,
                head.version
            );
        }
        if head.wants_answer && head.version != VERSION {
            self.reply(Asker { node: head.node, call: head.call }, &Message::Refused);
        }
    }

    /// Notes the number of a message. Returns how many before it are missing.
    pub(crate) fn missed_before(&self, channel: &str, head: Head) -> u64 {
        self.received.count();
        lock(&self.numbers).heard(channel, head.node, head.ordinal)
    }

    /// Notes the message for sessions that are about to come.
    pub(crate) fn note(&self, channel: &str, Read { head, message, bytes }: &Read) {
        self.notes.note(channel, head.node, head.ordinal, message, bytes);
    }

    /// Delivers to the members of a target on this node.
    pub(crate) fn deliver(&self, local: &Arc<Local>, message: Message, bytes: Bytes) {
        match message {
            Message::Emit { to, volatile, key } => {
                let Some(packet) = self.packet(bytes) else { return };
                let target = to.into();
                if let Some(key) = key {
                    local.delivery.emit_latest(&target, &packet, &key.into());
                } else if volatile {
                    local.delivery.emit_volatile(&target, &packet);
                } else {
                    self.wakes.collect(|wake| local.delivery.emit_and(&target, &packet, wake));
                }
            }
            Message::Disconnect { to, close } => {
                local.delivery.close(&to.into(), &close.into());
            }
            Message::Membership { to, change, room } => local.change(&to.into(), change, &room),
            _ => self.foreign.count(),
        }
    }

    pub(crate) fn packet(&self, bytes: Bytes) -> Option<Encoded> {
        let packet = Encoded::from_bytes(bytes).ok();
        if packet.is_none() {
            self.foreign.count();
        }
        packet
    }
}

impl Strangers {
    /// True the first time that a node of another version is received from.
    fn is_new(&mut self, node: NodeId) -> bool {
        self.0.len() < MAX_STRANGERS && self.0.insert(node)
    }
}

/// Nodes of another version that are logged, one by one.
const MAX_STRANGERS: usize = 1_000;

#[cfg(test)]
mod tests {
    use bowline_protocol::NodeId;

    use super::{MAX_STRANGERS, Strangers};

    const ANNA: NodeId = NodeId::from_bytes([1; 6]);

    #[test]
    fn each_node_of_another_version_is_told_of_once() {
        let mut strangers = Strangers::default();
        assert!(strangers.is_new(ANNA));
        assert!(!strangers.is_new(ANNA));
        for number in 0..2 * MAX_STRANGERS as u64 {
            let [.., a, b, c, d] = number.to_be_bytes();
            strangers.is_new(NodeId::from_bytes([2, 2, a, b, c, d]));
        }
        assert!(strangers.0.len() <= MAX_STRANGERS);
    }
}
