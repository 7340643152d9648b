//! The bus: what this node publishes, and what it receives from the others.
//!
//! A broker may lose messages. So each message that must not be lost in silence is numbered, for
//! each sender and channel. The bus encodes, numbers and publishes; it decodes what the broker
//! delivers, and finds holes in the numbers. It does not know which node has what: that is the
//! directory's.

mod calls;
mod inbound;
mod notes;
mod numbers;
mod positions;
mod publish;
mod wakes;
pub(super) mod wire;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bowline_protocol::NodeId;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::figures::Counter;
use super::host::Host;
use crate::broker::{Broker, Outgoing};
use crate::locks::lock;
use calls::Calls;
pub(super) use calls::{Asker, Call, Missing, Reply};
pub(super) use inbound::Read;
use inbound::Strangers;
use notes::Notes;
use numbers::Numbers;
use wakes::Wakes;

/// The way to the other nodes, and from them.
pub(super) struct Bus {
    pub(super) id: NodeId,
    pub(super) broker: Arc<dyn Broker>,
    /// Of the cluster's thread.
    pub(super) handle: Handle,
    host: Host,
    outgoing: Arc<Outgoing>,
    /// Held shared while something is sent to members and published or received from others, and
    /// alone for the moment in which a session comes or goes.
    gate: RwLock<()>,
    numbers: Mutex<Numbers>,
    notes: Notes,
    calls: Calls,
    wakes: Arc<Wakes>,
    strangers: Mutex<Strangers>,
    /// This node has taken leave of the others.
    has_left: AtomicBool,
    pub(super) published: Counter,
    pub(super) received: Counter,
    pub(super) foreign: Counter,
    pub(super) other_version: Counter,
}

impl Bus {
    pub(super) fn new(
        id: NodeId,
        broker: Arc<dyn Broker>,
        handle: Handle,
        host: Host,
    ) -> Arc<Self> {
        Arc::new(Self {
            id,
            outgoing: Outgoing::new(Arc::clone(&broker)),
            broker,
            handle,
            host,
            gate: RwLock::default(),
            numbers: Mutex::default(),
            notes: Notes::default(),
            calls: Calls::default(),
            wakes: Arc::default(),
            strangers: Mutex::default(),
            has_left: AtomicBool::new(false),
            published: Counter::default(),
            received: Counter::default(),
            foreign: Counter::default(),
            other_version: Counter::default(),
        })
    }

    /// For what is sent to members and to other nodes: no session comes or goes meanwhile.
    pub(super) fn pass(&self) -> RwLockReadGuard<'_, ()> {
        self.gate.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// For the moment in which a session comes or goes.
    pub(super) fn alone(&self) -> RwLockWriteGuard<'_, ()> {
        self.gate.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Subscribes to a channel on which messages are numbered.
    pub(super) fn subscribe(&self, channel: &str) {
        self.subscribe_and(channel, None);
    }

    /// As [`Self::subscribe`]. What it returns resolves when messages of others arrive.
    pub(super) fn subscribe_effectively(&self, channel: &str) -> oneshot::Receiver<()> {
        let (effective, is_effective) = oneshot::channel();
        self.subscribe_and(channel, Some(effective));
        is_effective
    }

    fn subscribe_and(&self, channel: &str, effective: Option<oneshot::Sender<()>>) {
        lock(&self.numbers).listen(channel);
        self.broker.subscribe(channel, effective);
    }

    pub(super) fn unsubscribe(&self, channel: &str) {
        self.broker.unsubscribe(channel);
        lock(&self.numbers).forget(channel);
    }

    pub(super) fn own_channel(&self) -> String {
        node_channel(self.id)
    }

    /// True when this node has taken leave of the others.
    pub(super) fn has_left(&self) -> bool {
        self.has_left.load(Ordering::Acquire)
    }

    /// From now on this node publishes nothing of itself.
    pub(super) fn leave(&self) {
        self.has_left.store(true, Ordering::Release);
    }

    /// The carriers that wait for the broker's turn to end.
    pub(super) fn wakes(&self) -> Arc<Wakes> {
        Arc::clone(&self.wakes)
    }
}

/// The channel that every node subscribes to.
pub(super) const ALL: &str = "all";

pub(super) fn node_channel(node: NodeId) -> String {
    format!("n:{node}")
}

pub(super) fn room_channel(room: &str) -> String {
    format!("r:{room}")
}
