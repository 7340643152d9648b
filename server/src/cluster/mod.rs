//! A node among others.
//!
//! Each session has one owner, the node that its id names or one that took it over. Rooms and users
//! are known to every node as far as its own sessions are in them. What is sent to a room goes to
//! the members here, and is published once, already encoded, for the nodes that subscribe to the
//! room: those that have members. A carrier that lands on another node is relayed to the owner, and
//! a node that is drained hands its sessions over.
//!
//! Each part is a folder with a type of its own. [`Cluster`] holds them together: it is what the
//! rest of the server uses (`doors`), and it passes on what comes from other nodes
//! (`inbound`, `life`). Of the parts, each uses only those that are named behind its arrow:
//!
//! ```text
//! bus        ->                         encodes, numbers, publishes, receives and decodes messages
//! directory  -> bus                     which nodes there are, and which of them has what
//! presence   -> bus                     who is present in a room, between nodes
//! handover   -> bus directory presence  sessions that move to another node, and from one
//! relay      -> bus directory           carriers that land on another node than their session's
//! ```
//!
//! Below all of them is `host`: it leads to the node that the cluster serves.
//!
//! All of it runs on one thread with a runtime of its own, beside the workers; nothing of it exists
//! when a node has no broker.

#![expect(clippy::disallowed_methods, reason = "one thread serves the cluster")]

mod bus;
mod directory;
mod doors;
mod figures;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod handover;
mod host;
mod inbound;
mod life;
mod presence;
mod relay;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use bowline_protocol::NodeId;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;

use crate::broker::{Broker, Deliver};
use crate::complaints::limited;
use crate::local::Local;
use crate::locks::lock;
use bus::{ALL, Bus};
use directory::Directory;
pub(crate) use directory::{Claim, Owned, Place};
pub use figures::ClusterStats;
use handover::Handover;
use host::Host;
use presence::PresenceLink;
use relay::Relay;
pub(crate) use relay::{Carrier, Incoming, POST, Pieces, Serve, Subject};

/// What a node knows of the others, and its way to them.
pub(crate) struct Cluster {
    bus: Arc<Bus>,
    directory: Arc<Directory>,
    presence: Arc<PresenceLink>,
    handover: Arc<Handover>,
    relay: Arc<Relay>,
    host: Host,
    runtime: Mutex<Option<Runtime>>,
    stop: Arc<Notify>,
}

impl Cluster {
    pub(crate) fn new(id: NodeId, broker: Arc<dyn Broker>, local: Weak<Local>) -> Arc<Self> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("the operating system has what a runtime needs");
        let host = Host::new(local);
        let bus = Bus::new(id, broker, runtime.handle().clone(), host.clone());
        let directory = Directory::new(&bus, host.clone());
        let presence = PresenceLink::new(&bus, host.clone());
        Arc::new(Self {
            handover: Handover::new(&bus, &directory, &presence, host.clone()),
            relay: Relay::new(&bus, &directory, host.clone()),
            bus,
            directory,
            presence,
            host,
            runtime: Mutex::new(Some(runtime)),
            stop: Arc::default(),
        })
    }

    /// Starts the thread. It ends with [`Self::stop`].
    pub(crate) fn start(self: &Arc<Self>) {
        let runtime = lock(&self.runtime).take().expect("a node starts once");
        self.bus.subscribe(ALL);
        self.bus.subscribe(&self.bus.own_channel());
        let driver = self.bus.broker.run(self.deliver());
        let (stop, keep) = (Arc::clone(&self.stop), Arc::downgrade(self));
        let (wakes, host) = (self.bus.wakes(), self.host.clone());
        std::thread::Builder::new()
            .name("bowline-cluster".into())
            .spawn(move || {
                // A task of its own, so that its turn comes when that of the broker's is over.
                runtime.spawn(Arc::clone(&wakes).keep(host));
                runtime.block_on(async move {
                    tokio::select! {
                        () = driver => {}
                        () = life::keep(keep) => {}
                        () = stop.notified() => {}
                    }
                });
                runtime.shutdown_background();
                wakes.release();
            })
            .expect("the operating system can start one more thread");
    }

    fn deliver(self: &Arc<Self>) -> Deliver {
        let (host, cluster) = (self.host.clone(), Arc::downgrade(self));
        Arc::new(move |delivery| {
            if let Some(local) = host.local()
                && let Some(cluster) = cluster.upgrade()
            {
                // A message that panics must not be the last one: a session that it reaches may be
                // dropped, and with it values of the application.
                let receive = AssertUnwindSafe(|| cluster.receive(&local, delivery));
                if catch_unwind(receive).is_err() {
                    limited!("a message of another node made this node panic");
                }
            }
        })
    }

    pub(crate) fn stop(&self) {
        self.stop.notify_one();
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster")
            .field("id", &self.bus.id)
            .field("broker", &self.bus.broker)
            .finish_non_exhaustive()
    }
}

/// How often a node announces that it lives.
const BEAT: Duration = Duration::from_secs(1);
/// A node that has sent nothing for so long is gone.
const NODE_LIFE: Duration = Duration::from_secs(5);
/// How long other nodes may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);
