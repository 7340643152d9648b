//! What is sent to a target: to its members here, and once, encoded, to the nodes that may have
//! others.

#![expect(clippy::disallowed_methods, reason = "a task of the cluster, for no session that idles")]

use std::sync::Arc;

use bowline_protocol::{Close, Encoded, SessionId};
use bytes::Bytes;
use tokio::sync::oneshot;

use super::Directory;
use crate::cluster::bus::wire::Message;
use crate::cluster::bus::{ALL, Asker, Read, node_channel, room_channel};
use crate::delivery::{Delivery, Emitted, Membership, Target, To};
use crate::local::Local;

/// The nodes that a target may have members on.
enum Reach {
    Channel(String),
    /// Wherever the session is.
    Session(SessionId),
    /// Only this one.
    Here,
}

impl Directory {
    /// Sends an event to the members here and on other nodes. Returns how many there are here.
    pub(crate) fn emit(
        self: &Arc<Self>,
        delivery: &Delivery,
        target: &Target,
        packet: &Encoded,
    ) -> usize {
        self.send_packet(delivery, target, packet, false)
    }

    /// As [`Self::emit`], for a volatile event.
    pub(crate) fn emit_volatile(
        self: &Arc<Self>,
        delivery: &Delivery,
        target: &Target,
        packet: &Encoded,
    ) -> usize {
        self.send_packet(delivery, target, packet, true)
    }

    /// As [`Self::emit_volatile`]; a waiting event of the same key is dropped.
    pub(crate) fn emit_latest(
        self: &Arc<Self>,
        delivery: &Delivery,
        target: &Target,
        packet: &Encoded,
        key: &Arc<str>,
    ) -> Emitted {
        let pass = self.bus.pass();
        let reach = self.reach(target);
        let here = match &reach {
            Reach::Session(_) => Emitted::default(),
            _ => delivery.emit_latest(target, packet, key),
        };
        let key = Some(key.to_string());
        let message = Message::Emit { to: target.into(), volatile: true, key };
        self.send_to_reach(reach, &message, packet.as_bytes());
        drop(pass);
        here
    }

    fn send_packet(
        self: &Arc<Self>,
        delivery: &Delivery,
        target: &Target,
        packet: &Encoded,
        volatile: bool,
    ) -> usize {
        let pass = self.bus.pass();
        let reach = self.reach(target);
        let here = match &reach {
            // Goes by way of another node, even if that sends it back.
            Reach::Session(_) => 0,
            _ if volatile => delivery.emit_volatile(target, packet),
            _ => delivery.emit(target, packet),
        };
        let message = Message::Emit { to: target.into(), volatile, key: None };
        self.send_to_reach(reach, &message, packet.as_bytes());
        drop(pass);
        here
    }

    pub(crate) fn disconnect(self: &Arc<Self>, target: &Target, close: &Close) {
        let disconnect = Message::Disconnect { to: target.into(), close: close.into() };
        self.send_to_reach(self.reach(target), &disconnect, &Bytes::new());
    }

    pub(crate) fn change(self: &Arc<Self>, target: &Target, change: Membership, room: &str) {
        let message = Message::Membership { to: target.into(), change, room: room.to_owned() };
        self.send_to_reach(self.reach(target), &message, &Bytes::new());
    }

    /// Publishes what must not be lost in silence.
    fn send_to_reach(self: &Arc<Self>, reach: Reach, message: &Message, bytes: &Bytes) {
        match reach {
            Reach::Here => {}
            Reach::Channel(channel) => self.bus.publish_numbered(&channel, message, bytes),
            Reach::Session(session) => self.send_to_session(session, message, bytes),
        }
    }

    /// Publishes the question with this number. `heard` is sent how many nodes have received it,
    /// and is dropped when none can.
    pub(super) fn ask_target(
        self: &Arc<Self>,
        target: &Target,
        call: u64,
        (message, bytes): (&Message, &Bytes),
        heard: oneshot::Sender<usize>,
    ) {
        match self.reach(target) {
            Reach::Here => drop(heard.send(0)),
            Reach::Channel(channel) => {
                self.bus.publish_question(&channel, call, (message, bytes), heard);
            }
            // Those of this node are asked without a broker.
            Reach::Session(session) if self.host.is_here(session) => drop(heard.send(0)),
            Reach::Session(session) => {
                let directory = Arc::clone(self);
                let (message, bytes) = (message.clone(), bytes.clone());
                self.bus.handle.spawn(async move {
                    match directory.place_of(session).await {
                        Ok(Some(node)) => {
                            let (channel, question) = (node_channel(node), (&message, &bytes));
                            directory.bus.publish_question(&channel, call, question, heard);
                        }
                        Ok(None) => drop(heard.send(0)),
                        Err(_) => {}
                    }
                });
            }
        }
    }

    fn reach(&self, target: &Target) -> Reach {
        match &target.to {
            To::All => Reach::Channel(ALL.to_owned()),
            To::Rooms(rooms) if rooms.len() == 1 => Reach::Channel(room_channel(&rooms[0])),
            // Published to each room it would arrive twice where a node has members of several.
            To::Rooms(_) => Reach::Channel(ALL.to_owned()),
            To::Session(session) => {
                if self.host.is_here(*session) && !self.is_on_its_way(*session) {
                    Reach::Here
                } else {
                    Reach::Session(*session)
                }
            }
        }
    }

    /// A numbered message of another node, for the members of a target.
    pub(crate) fn receive_numbered(
        self: &Arc<Self>,
        local: &Arc<Local>,
        Read { head, message, bytes }: Read,
    ) {
        let session = message.session().filter(|id| local.registry.get(id).is_none());
        if let Some(session) = session {
            // It was handed over, perhaps.
            if self.handed(session).is_some() {
                return self.send_to_session(session, &message, &bytes);
            }
            return self.undelivered.count();
        }
        if matches!(message, Message::Ask { .. }) {
            let asker = Asker { node: head.node, call: head.call };
            return self.take_question(local, asker, message, &bytes);
        }
        self.bus.deliver(local, message, bytes);
    }
}
