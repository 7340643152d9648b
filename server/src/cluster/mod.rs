//! A node among others.
//!
//! Each session has one owner, the node that its id names or one that took it over. Rooms and users are
//! known to every node as far as its own sessions are in them. What is said to a room is told to
//! the members here, and published once, already encoded, for the nodes that listen to the room: those
//! that have members. A carrier that lands on another node is relayed to the owner (`relay`), and a node
//! that is drained hands its sessions over (`handover`).
//!
//! A broker may lose messages. So everything that must not be lost in silence is numbered, for each
//! sender and channel, and whoever finds a hole reports it (`gaps`).
//!
//! All of it runs on one thread with a runtime of its own, beside the workers; nothing of it exists
//! when a node has no broker.

mod arrival;
mod calls;
mod figures;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod gaps;
mod handover;
mod inbound;
mod newcomers;
mod notes;
mod numbers;
mod outgoing;
mod peers;
mod places;
mod presence;
mod publish;
mod relay;
mod wakes;
mod whose;
mod wire;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicBool;
use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak,
};
use std::time::Duration;

use bowline_protocol::NodeId;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::{Notify, oneshot};

use crate::broker::{Broker, Deliver};
use crate::complaints::limited;
use crate::node::Node;
pub(crate) use calls::Answers;
use calls::Calls;
pub use figures::ClusterStats;
use figures::Counters;
use newcomers::Newcomers;
use notes::Notes;
use numbers::Numbers;
pub(crate) use outgoing::Hold;
use outgoing::Outgoing;
use peers::Peers;
use places::Places;
pub(crate) use places::{Claim, Place};
use relay::{Carried, Edges};
pub(crate) use relay::{Carrier, Incoming, POST, Pieces, Subject};
use wakes::Wakes;

/// What a node knows of the others, and its way to them.
pub(crate) struct Cluster {
    id: NodeId,
    broker: Arc<dyn Broker>,
    outgoing: Arc<Outgoing>,
    node: Weak<Node>,
    handle: Handle,
    runtime: Mutex<Option<Runtime>>,
    stop: Arc<Notify>,
    /// Held shared while something is told to members and published or taken from others, and alone for
    /// the moment in which a session comes or goes.
    gate: RwLock<()>,
    numbers: Mutex<Numbers>,
    calls: Calls,
    peers: Mutex<Peers>,
    places: Mutex<Places>,
    carried: Carried,
    edges: Edges,
    notes: Notes,
    newcomers: Newcomers,
    wakes: Arc<Wakes>,
    /// This node has taken leave of the others.
    has_left: AtomicBool,
    counters: Counters,
}

impl Cluster {
    pub(crate) fn new(id: NodeId, broker: Arc<dyn Broker>, node: Weak<Node>) -> Arc<Self> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("the operating system has what a runtime needs");
        Arc::new(Self {
            id,
            outgoing: Outgoing::new(Arc::clone(&broker)),
            broker,
            node,
            handle: runtime.handle().clone(),
            runtime: Mutex::new(Some(runtime)),
            stop: Arc::default(),
            gate: RwLock::default(),
            numbers: Mutex::default(),
            calls: Calls::default(),
            peers: Mutex::default(),
            places: Mutex::default(),
            carried: Carried::default(),
            edges: Edges::default(),
            notes: Notes::default(),
            newcomers: Newcomers::default(),
            wakes: Arc::default(),
            has_left: AtomicBool::new(false),
            counters: Counters::default(),
        })
    }

    /// Starts the thread. It ends with [`Self::stop`].
    pub(crate) fn start(self: &Arc<Self>) {
        let runtime = lock(&self.runtime).take().expect("a node starts once");
        self.listen(ALL, None);
        self.listen(&self.own_channel(), None);
        let weak = self.node.clone();
        let deliver: Deliver = Arc::new(move |delivery| {
            if let Some(node) = weak.upgrade()
                && let Some(cluster) = &node.cluster
            {
                // One message that cannot be taken must not be the last one. Whoever is told something may
                // be dropped by it, and with it values of the application.
                let take = AssertUnwindSafe(|| cluster.take(&node, delivery));
                if catch_unwind(take).is_err() {
                    limited!("a message of another node could not be taken");
                }
            }
        });
        let driver = self.broker.run(deliver);
        let (stop, keep) = (Arc::clone(&self.stop), Arc::downgrade(self));
        let (wakes, node) = (Arc::clone(&self.wakes), self.node.clone());
        std::thread::Builder::new()
            .name("bowline-cluster".into())
            .spawn(move || {
                // A task of its own, so that its turn comes when that of the broker's is over.
                runtime.spawn(Arc::clone(&wakes).keep(node));
                runtime.block_on(async move {
                    tokio::select! {
                        () = driver => {}
                        () = peers::keep(keep) => {}
                        () = stop.notified() => {}
                    }
                });
                runtime.shutdown_background();
                wakes.release();
            })
            .expect("the operating system can start one more thread");
    }

    pub(crate) fn stop(&self) {
        self.stop.notify_one();
    }

    /// For what is told to members and to other nodes: no session comes or goes meanwhile.
    pub(crate) fn pass(&self) -> RwLockReadGuard<'_, ()> {
        self.gate.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// For the moment in which a session comes or goes.
    fn alone(&self) -> RwLockWriteGuard<'_, ()> {
        self.gate.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// A room has its first member here.
    pub(crate) fn enter(&self, room: &str) {
        self.listen(&room_channel(room), None);
        if let Some(node) = self.node.upgrade() {
            node.presence.members(&node, room, true);
        }
    }

    fn listen(&self, channel: &str, effective: Option<oneshot::Sender<()>>) {
        lock(&self.numbers).listen(channel);
        self.broker.subscribe(channel, effective);
    }

    /// A room has its last member here no longer.
    pub(crate) fn leave(&self, room: &str) {
        let channel = room_channel(room);
        self.broker.unsubscribe(&channel);
        lock(&self.numbers).forget(&channel);
        if let Some(node) = self.node.upgrade() {
            node.presence.members(&node, room, false);
        }
    }

    /// Waits until what others send to the room arrives here.
    pub(crate) async fn listening(&self, room: &str) {
        let (effective, is_effective) = oneshot::channel();
        self.listen(&room_channel(room), Some(effective));
        let _ = is_effective.await;
    }

    /// Something that was said to a room is lost.
    pub(crate) fn report_room(&self, node: &Arc<Node>, room: &str, missed: Option<u64>) {
        self.report(node, &room_channel(room), missed);
    }

    fn own_channel(&self) -> String {
        node_channel(self.id)
    }
}

/// The channel that every node listens to.
const ALL: &str = "all";

fn node_channel(node: NodeId) -> String {
    format!("n:{node}")
}

fn room_channel(room: &str) -> String {
    format!("r:{room}")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster")
            .field("id", &self.id)
            .field("broker", &self.broker)
            .finish_non_exhaustive()
    }
}

/// How often a node says that it lives.
const BEAT: Duration = Duration::from_secs(1);
/// A node that was not heard of for so long is gone.
const NODE_LIFE: Duration = Duration::from_secs(5);
/// How long other nodes may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);
