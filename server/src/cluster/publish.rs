//! What goes out to other nodes.

use std::sync::Arc;

use bowline_protocol::{Close, Encoded, SessionId};
use bytes::Bytes;
use tokio::sync::oneshot;

use super::figures::count;
use super::wire::{Head, Message, VERSION};
use super::{ALL, Cluster, Hold, lock, node_channel, room_channel};
use crate::audience::{Audience, To};
use crate::broker::Publication;

/// The nodes that an audience may have members on.
enum Reach {
    Channel(String),
    /// Wherever the session is.
    Session(SessionId),
    /// Only this one.
    Here,
}

impl Cluster {
    /// Sends an event or a volatile event to the members here and on other nodes. Returns how many there
    /// are here.
    pub(crate) fn emit(
        self: &Arc<Self>,
        audience: &Audience,
        packet: &Encoded,
        volatile: bool,
    ) -> usize {
        let pass = self.pass();
        let reach = self.reach(audience);
        let here = match &reach {
            // Goes by way of another node, even if that sends it back.
            Reach::Session(_) => 0,
            _ if volatile => audience.send_here_volatile(packet),
            _ => audience.send_here(packet),
        };
        let message = Message::Emit { to: audience.into(), volatile };
        self.tell(reach, &message, packet.as_bytes());
        drop(pass);
        here
    }

    pub(crate) fn disconnect(self: &Arc<Self>, audience: &Audience, close: &Close) {
        let disconnect = Message::Disconnect { to: audience.into(), close: close.into() };
        self.tell(self.reach(audience), &disconnect, &Bytes::new());
    }

    /// Publishes what must not be lost in silence.
    fn tell(self: &Arc<Self>, reach: Reach, message: &Message, bytes: &Bytes) {
        match reach {
            Reach::Here => {}
            Reach::Channel(channel) => self.publish(&channel, message, bytes, 0, true, None),
            Reach::Session(session) => self.tell_session(session, message, bytes),
        }
    }

    /// Publishes a question. `told` learns how many nodes heard it, and is dropped when none can.
    pub(super) fn ask_audience(
        self: &Arc<Self>,
        audience: &Audience,
        message: &Message,
        bytes: &Bytes,
        call: u64,
        told: oneshot::Sender<usize>,
    ) {
        let counted = matches!(message, Message::Ask { .. });
        match self.reach(audience) {
            Reach::Here => drop(told.send(0)),
            Reach::Channel(channel) => {
                self.publish(&channel, message, bytes, call, counted, Some(told));
            }
            // Those of this node are asked without a broker.
            Reach::Session(session) if self.is_here(session) => drop(told.send(0)),
            Reach::Session(session) => {
                let (cluster, message, bytes) = (Arc::clone(self), message.clone(), bytes.clone());
                self.handle.spawn(async move {
                    match cluster.place_of(session).await {
                        Ok(Some(node)) => {
                            let channel = node_channel(node);
                            cluster.publish(&channel, &message, &bytes, call, counted, Some(told));
                        }
                        Ok(None) => drop(told.send(0)),
                        Err(_) => {}
                    }
                });
            }
        }
    }

    /// Publishes what may be lost.
    pub(super) fn say(&self, channel: &str, message: &Message) {
        self.send(channel, message, &Bytes::new(), 0);
    }

    /// As [`Self::say`], with bytes and the number of a question.
    pub(super) fn send(&self, channel: &str, message: &Message, bytes: &Bytes, call: u64) {
        self.publish(channel, message, bytes, call, false, None);
    }

    pub(super) fn publish(
        &self,
        channel: &str,
        message: &Message,
        bytes: &Bytes,
        call: u64,
        counted: bool,
        heard: Option<oneshot::Sender<usize>>,
    ) {
        let mut head =
            Head { version: VERSION, wants_answer: call > 0, node: self.id, call, ordinal: 0 };
        if !counted {
            let message = head.write(message, bytes);
            return self.outgoing.publish(Publication { channel: channel.into(), message, heard });
        }
        count(&self.counters.published);
        // The numbers stay locked, so that messages are published in the order of their numbers.
        let mut numbers = lock(&self.numbers);
        head.ordinal = numbers.next(channel);
        self.notes.note(channel, self.id, head.ordinal, message, bytes);
        let message = head.write(message, bytes);
        self.outgoing.publish(Publication { channel: channel.into(), message, heard });
    }

    /// As [`Node::hold`](crate::node::Node::hold).
    pub(crate) fn hold(&self) -> Option<Hold> {
        self.outgoing.hold()
    }

    pub(super) fn is_here(&self, session: SessionId) -> bool {
        self.node.upgrade().is_none_or(|node| node.registry.get(&session).is_some())
    }

    fn reach(&self, audience: &Audience) -> Reach {
        match audience.target() {
            To::All => Reach::Channel(ALL.to_owned()),
            To::Rooms(rooms) if rooms.len() == 1 => Reach::Channel(room_channel(&rooms[0])),
            // Published to each room it would arrive twice where a node has members of several.
            To::Rooms(_) => Reach::Channel(ALL.to_owned()),
            To::Session(session) => {
                if self.is_here(*session) && !self.is_on_its_way(*session) {
                    Reach::Here
                } else {
                    Reach::Session(*session)
                }
            }
        }
    }
}
