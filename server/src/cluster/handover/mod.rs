//! Handover: sessions go from one node to another.
//!
//! The old owner notifies the new one of the rooms of the session. The new one subscribes to them,
//! and from then on notes their messages. Then the session leaves the old node, in one moment in
//! which nothing is sent to members, together with the numbers of what it has received so far;
//! the new node accepts it, in such a moment too, and adds what it has written down beyond
//! these numbers. So everything that is said meanwhile reaches the session once.
//!
//! A broker keeps the order of each channel, and of no two. So the old owner receives a mark of its
//! own on each of the channels before it lets a session go: by then the session has received
//! what the new owner was too late for. What the session has received, and the new owner receives
//! later, it does not receive again (`newcomers`).

mod arrival;
mod departure;
mod farewell;
mod newcomers;

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bowline_protocol::NodeId;

use super::bus::wire::Message;
use super::bus::{Asker, Bus, Read, Reply};
use super::directory::Directory;
use super::figures::Counter;
use super::host::Host;
use super::presence::PresenceLink;
use crate::locks::lock;
use newcomers::Newcomers;

/// The way of sessions from this node, and to it.
pub(super) struct Handover {
    bus: Arc<Bus>,
    directory: Arc<Directory>,
    presence: Arc<PresenceLink>,
    host: Host,
    newcomers: Newcomers,
    /// What has come from nodes that hand over: their numbers for it.
    arrived: Mutex<HashSet<Asker>>,
    pub(super) handed_over: Counter,
    pub(super) taken_over: Counter,
}

impl Handover {
    pub(super) fn new(
        bus: &Arc<Bus>,
        directory: &Arc<Directory>,
        presence: &Arc<PresenceLink>,
        host: Host,
    ) -> Arc<Self> {
        Arc::new(Self {
            bus: Arc::clone(bus),
            directory: Arc::clone(directory),
            presence: Arc::clone(presence),
            host,
            newcomers: Newcomers::default(),
            arrived: Mutex::default(),
            handed_over: Counter::default(),
            taken_over: Counter::default(),
        })
    }

    /// Excludes the sessions that have received this message before they came here.
    pub(super) fn leave_out_newcomers(&self, channel: &str, read: &mut Read) {
        let Read { head, message, .. } = read;
        let now = Instant::now();
        message.leave_out(self.newcomers.who_know(channel, head.node, head.ordinal, now));
    }

    /// A node is gone, and sends no session again.
    pub(super) fn forget(&self, gone: NodeId) {
        lock(&self.arrived).retain(|sent| sent.node != gone);
    }

    /// Waits until everything that this node has published has gone out, and has come back on the
    /// channels to which it is subscribed: what others published there before has arrived then.
    async fn catch_up(self: &Arc<Self>, channels: &[String]) -> Option<()> {
        let mut call = self.bus.call();
        let marks = channels.iter().map(|channel| call.publish(channel, &Message::Mark));
        // None of them waits for another one.
        for out in marks.collect::<Vec<_>>() {
            out.await.ok()?;
        }
        for _ in channels {
            while !matches!(call.replies.recv().await?, Reply::Echo) {}
        }
        Some(())
    }
}

/// Between two rounds, in which handlers come to an end.
const ROUND: Duration = Duration::from_millis(20);
