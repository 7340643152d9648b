//! What comes from other nodes, by the part of the cluster that it is for.

#![expect(clippy::disallowed_methods, reason = "a task of the cluster, for no session that idles")]

use std::sync::Arc;

use bytes::Bytes;

use super::Cluster;
use super::bus::wire::{Id, Message};
use super::bus::{Asker, Read, Reply, node_channel};
use super::relay::Subject;
use crate::broker::Delivery;
use crate::history;
use crate::local::Local;

impl Cluster {
    pub(super) fn receive(self: &Arc<Self>, local: &Arc<Local>, delivery: Delivery) {
        match delivery {
            Delivery::Up => self.up(local),
            Delivery::Down => self.down(local),
            Delivery::Unsent { channel } => {
                if !self.presence.note_unsaid(local, &channel) {
                    self.bus.note_unsent(channel);
                }
            }
            Delivery::Message { channel, message } if history::is_channel(&channel) => {
                if let Some(fill) = local.histories.take(&channel, &message) {
                    self.bus.handle.spawn(fill);
                }
            }
            Delivery::Message { channel, message } => {
                self.receive_message(local, &channel, &message);
            }
        }
    }

    fn receive_message(self: &Arc<Self>, local: &Arc<Local>, channel: &Arc<str>, message: &Bytes) {
        let Some(mut read) = self.bus.read(message) else { return };
        if read.head.ordinal == 0 {
            return self.receive_unnumbered(local, read);
        }
        let pass = self.bus.pass();
        let missed = self.bus.missed_before(channel, read.head);
        if missed > 0 {
            self.directory.report(local, channel, Some(missed));
        }
        self.bus.note(channel, &read);
        self.handover.leave_out_newcomers(channel, &mut read);
        self.directory.receive_numbered(local, read);
        drop(pass);
    }

    fn receive_unnumbered(
        self: &Arc<Self>,
        local: &Arc<Local>,
        Read { head, message, bytes }: Read,
    ) {
        let asker = Asker { node: head.node, call: head.call };
        match message {
            Message::Alive { hello, serving, draining, presence } => {
                let is_known = self.directory.knows(head.node);
                self.directory.heard_of(head.node, serving, draining);
                self.presence.heard(local, head.node, presence);
                if hello {
                    self.directory.welcome(local, head.node);
                }
                if hello && is_known {
                    // It was cut off. What it said before may have been lost on its way, and when
                    // this node asked everyone it was perhaps not there.
                    self.bus.ask_for_positions(&node_channel(head.node));
                }
            }
            Message::Mark => {}
            Message::Presence(said) => self.presence.receive(local, head, said),
            Message::Leaving => self.directory.take_leaving(asker),
            Message::Left => self.left(head.node),
            Message::Gone { node: Id(gone) } => self.take_gone(local, gone),
            Message::Find { .. } | Message::Ask { .. } => {
                self.directory.take_question(local, asker, message, &bytes);
            }
            Message::Resync { channels } => self.bus.answer_resync(head.node, &channels),
            Message::Positions { channels } => {
                self.directory.take_positions(local, head.node, channels)
            }
            Message::Prepare { rooms } => self.handover.take_prepare(asker, &rooms),
            Message::Hand { luggage } => {
                self.handover.take_hand(local, asker, *luggage, bytes);
            }
            Message::Whose { session, secret, key } => {
                let session = session.map(|Id(session)| session);
                let secret = secret.and_then(|secret| secret.0.parse().ok());
                let key = key.and_then(|key| key.0.parse().ok());
                self.directory.take_whose(local, asker, session, secret, key);
            }
            Message::Carry { endpoint, session, key, address } => {
                let subject = Subject {
                    session: session.map(|Id(session)| session),
                    key: key.and_then(|key| key.0.parse().ok()),
                    address,
                };
                self.relay.take_carry(local, asker, endpoint, subject, bytes);
            }
            Message::Up { .. } | Message::UpTaken { .. } | Message::UpOver => {
                self.relay.take_up(asker, message, bytes);
            }
            answer => self.bus.resolve(head.call, Reply::Heard(head.node, answer, bytes)),
        }
    }
}
