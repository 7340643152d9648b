//! What goes out to other nodes.

use bowline_protocol::NodeId;
use bytes::Bytes;
use tokio::sync::oneshot;

use super::wire::{Head, Message, VERSION};
use super::{Asker, Bus, Call, node_channel};
use crate::broker::Hold;
use crate::broker::Publication;
use crate::locks::lock;

/// A message before it is published.
struct Draft<'a> {
    channel: &'a str,
    message: &'a Message,
    bytes: &'a Bytes,
    /// The question that it is, or that it belongs to; 0 for none.
    call: u64,
    /// Receives how many nodes have received the message, and is dropped when it was not sent.
    heard: Option<oneshot::Sender<usize>>,
}

impl<'a> Draft<'a> {
    const fn new(channel: &'a str, message: &'a Message) -> Self {
        Self { channel, message, bytes: &NOTHING, call: 0, heard: None }
    }
}

impl Bus {
    /// Publishes what may be lost.
    pub(crate) fn publish(&self, channel: &str, message: &Message) {
        self.publish_draft(Draft::new(channel, message));
    }

    /// As [`Self::publish`]. What it returns resolves to the number of nodes that have received it,
    /// or to an error when it was not sent.
    pub(crate) fn publish_heard(
        &self,
        channel: &str,
        message: &Message,
    ) -> oneshot::Receiver<usize> {
        let (heard, nodes) = oneshot::channel();
        self.publish_draft(Draft { heard: Some(heard), ..Draft::new(channel, message) });
        nodes
    }

    /// Publishes what must not be lost in silence.
    pub(crate) fn publish_numbered(&self, channel: &str, message: &Message, bytes: &Bytes) {
        self.publish_draft_numbered(Draft { bytes, ..Draft::new(channel, message) });
    }

    /// As [`Self::publish_numbered`], for one node.
    pub(crate) fn send_numbered(&self, node: NodeId, message: &Message, bytes: &Bytes) {
        self.publish_numbered(&node_channel(node), message, bytes);
    }

    /// As [`Self::send_numbered`]. Resolves as [`Self::publish_heard`] does.
    pub(crate) fn send_numbered_heard(
        &self,
        node: NodeId,
        message: &Message,
        bytes: &Bytes,
    ) -> oneshot::Receiver<usize> {
        let (heard, nodes) = oneshot::channel();
        let (channel, heard) = (node_channel(node), Some(heard));
        self.publish_draft_numbered(Draft { bytes, heard, ..Draft::new(&channel, message) });
        nodes
    }

    /// Sends one node what may be lost.
    pub(crate) fn send(&self, node: NodeId, message: &Message) {
        self.publish(&node_channel(node), message);
    }

    /// Publishes the question with this number. `heard` is sent how many nodes have received it.
    pub(crate) fn publish_question(
        &self,
        channel: &str,
        call: u64,
        (message, bytes): (&Message, &Bytes),
        heard: oneshot::Sender<usize>,
    ) {
        let draft = Draft { bytes, call, heard: Some(heard), ..Draft::new(channel, message) };
        match message {
            // A request to members must not be lost in silence.
            Message::Ask { .. } => self.publish_draft_numbered(draft),
            _ => self.publish_draft(draft),
        }
    }

    /// Answers a question of another node.
    pub(crate) fn reply(&self, asker: Asker, message: &Message) {
        self.reply_with(asker, message, &NOTHING);
    }

    /// As [`Self::reply`], with bytes.
    pub(crate) fn reply_with(&self, asker: Asker, message: &Message, bytes: &Bytes) {
        let channel = node_channel(asker.node);
        self.publish_draft(Draft { bytes, call: asker.call, ..Draft::new(&channel, message) });
    }

    /// As [`Node::hold`](crate::node::Node::hold).
    pub(crate) fn hold(&self) -> Option<Hold> {
        self.outgoing.hold()
    }

    fn publish_draft(&self, draft: Draft<'_>) {
        self.give(self.head(draft.call), draft);
    }

    fn publish_draft_numbered(&self, draft: Draft<'_>) {
        let mut head = self.head(draft.call);
        self.published.count();
        // The numbers stay locked, so that messages are published in the order of their numbers.
        let mut numbers = lock(&self.numbers);
        head.ordinal = numbers.next(draft.channel);
        self.notes.note(draft.channel, self.id, head.ordinal, draft.message, draft.bytes);
        self.give(head, draft);
    }

    const fn head(&self, call: u64) -> Head {
        Head { version: VERSION, wants_answer: call > 0, node: self.id, call, ordinal: 0 }
    }

    fn give(&self, head: Head, draft: Draft<'_>) {
        let message = head.write(draft.message, draft.bytes);
        let (channel, heard) = (draft.channel.into(), draft.heard);
        self.outgoing.publish(Publication { channel, message, heard });
    }
}

impl Call {
    /// Publishes the question. Resolves as [`Bus::publish_heard`] does.
    pub(crate) fn publish(&self, channel: &str, message: &Message) -> oneshot::Receiver<usize> {
        self.publish_with(channel, message, &NOTHING)
    }

    /// As [`Self::publish`], with bytes.
    pub(crate) fn publish_with(
        &self,
        channel: &str,
        message: &Message,
        bytes: &Bytes,
    ) -> oneshot::Receiver<usize> {
        let (heard, nodes) = oneshot::channel();
        self.bus.publish_question(channel, self.number, (message, bytes), heard);
        nodes
    }

    /// Sends one node the question, or more that belongs to it. It may be lost.
    pub(crate) fn send(&self, node: NodeId, message: &Message) {
        self.send_with(node, message, &NOTHING);
    }

    /// As [`Self::send`], with bytes.
    pub(crate) fn send_with(&self, node: NodeId, message: &Message, bytes: &Bytes) {
        // An answer has the form of what belongs to a question.
        self.bus.reply_with(Asker { node, call: self.number }, message, bytes);
    }
}

static NOTHING: Bytes = Bytes::new();
