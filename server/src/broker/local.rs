//! Nodes of one process.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};

use super::{
    Appended, Bounds, Broker, Deliver, Delivery, Entry, Keep, Logs, Once, Position, Publication,
    Slice, Trimmed, Unavailable, stamped,
};

/// Joins nodes of one process: for tests, and for applications that have several `Bowline`s.
pub struct LocalBroker {
    hub: Arc<Mutex<Hub>>,
    member: usize,
    deliveries: Mutex<Option<mpsc::UnboundedReceiver<Delivery>>>,
}

struct Hub {
    members: Vec<mpsc::UnboundedSender<Delivery>>,
    channels: HashMap<Arc<str>, Vec<usize>>,
    entries: HashMap<String, (Bytes, Instant)>,
    logs: Logs,
    reachable: bool,
}

impl LocalBroker {
    /// A broker without neighbours.
    #[must_use]
    pub fn new() -> Self {
        let hub = Hub {
            members: Vec::new(),
            channels: HashMap::new(),
            entries: HashMap::new(),
            logs: Logs::within(BOUNDS),
            reachable: true,
        };
        Self::in_hub(Arc::new(Mutex::new(hub)))
    }

    /// A broker for another node, which reaches the nodes of this one.
    #[must_use]
    pub fn neighbour(&self) -> Self {
        Self::in_hub(Arc::clone(&self.hub))
    }

    /// Cuts the connections of all neighbours, or mends them: what a broker on a network goes
    /// through.
    pub fn set_reachable(&self, reachable: bool) {
        let mut hub = self.lock();
        if hub.reachable != reachable {
            hub.reachable = reachable;
            for member in &hub.members {
                let _ = member.send(if reachable { Delivery::Up } else { Delivery::Down });
            }
        }
    }

    fn in_hub(hub: Arc<Mutex<Hub>>) -> Self {
        let (sender, deliveries) = mpsc::unbounded_channel();
        let mut members = hub.lock().unwrap_or_else(PoisonError::into_inner);
        if members.reachable {
            let _ = sender.send(Delivery::Up);
        }
        members.members.push(sender);
        let member = members.members.len() - 1;
        drop(members);
        Self { hub, member, deliveries: Mutex::new(Some(deliveries)) }
    }

    fn lock(&self) -> MutexGuard<'_, Hub> {
        self.hub.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for LocalBroker {
    fn default() -> Self {
        Self::new()
    }
}

impl Broker for LocalBroker {
    fn run(&self, deliver: Deliver) -> BoxFuture<'static, ()> {
        let deliveries = self.deliveries.lock().unwrap_or_else(PoisonError::into_inner).take();
        async move {
            let mut deliveries = deliveries.expect("a broker is run once");
            while let Some(delivery) = deliveries.recv().await {
                deliver(delivery);
            }
        }
        .boxed()
    }

    fn publish(&self, messages: Vec<Publication>) {
        let hub = self.lock();
        for Publication { channel, message, heard } in messages {
            if !hub.reachable {
                let _ = hub.members[self.member].send(Delivery::Unsent { channel });
                continue;
            }
            let reached = hub.send(&channel, &message);
            let _ = heard.map(|heard| heard.send(reached));
        }
    }

    fn subscribe(&self, channel: &str, effective: Option<oneshot::Sender<()>>) {
        let mut hub = self.lock();
        let listeners = hub.channels.entry(channel.into()).or_default();
        if !listeners.contains(&self.member) {
            listeners.push(self.member);
        }
        if let Some(effective) = effective {
            let _ = effective.send(());
        }
    }

    fn unsubscribe(&self, channel: &str) {
        let mut hub = self.lock();
        if let Some(listeners) = hub.channels.get_mut(channel) {
            listeners.retain(|listener| *listener != self.member);
            if listeners.is_empty() {
                hub.channels.remove(channel);
            }
        }
    }

    fn directory(
        &self,
        key: &str,
        change: Entry,
    ) -> BoxFuture<'static, Result<Option<Bytes>, Unavailable>> {
        let mut hub = self.lock();
        let outcome = if hub.reachable { Ok(hub.change(key, change)) } else { Err(Unavailable) };
        std::future::ready(outcome).boxed()
    }

    fn append(
        &self,
        log: &str,
        message: Bytes,
        keep: Keep,
        once: Option<Once>,
    ) -> BoxFuture<'static, Result<Appended, Unavailable>> {
        let mut hub = self.lock();
        let outcome = if hub.reachable {
            let appended = hub.logs.append_once(log, message.clone(), keep, once);
            if !appended.is_repeated {
                hub.send(log, &stamped(&appended.at, &message));
            }
            Ok(appended)
        } else {
            Err(Unavailable)
        };
        std::future::ready(outcome).boxed()
    }

    fn read(&self, log: &str, keep: Keep) -> BoxFuture<'static, Result<Slice, Unavailable>> {
        let mut hub = self.lock();
        let outcome = if hub.reachable { Ok(hub.logs.read(log, keep)) } else { Err(Unavailable) };
        std::future::ready(outcome).boxed()
    }

    fn trim(
        &self,
        log: &str,
        to: Option<Position>,
        keep: Keep,
    ) -> BoxFuture<'static, Result<u64, Unavailable>> {
        let mut hub = self.lock();
        let outcome = if hub.reachable { Ok(hub.trim(log, to, keep)) } else { Err(Unavailable) };
        std::future::ready(outcome).boxed()
    }
}

impl Hub {
    /// Sends to the listeners of a channel, and returns how many there are.
    fn send(&self, channel: &str, message: &Bytes) -> usize {
        let Some((channel, listeners)) = self.channels.get_key_value(channel) else { return 0 };
        let told = listeners.iter().filter(|&&listener| {
            let (channel, message) = (Arc::clone(channel), message.clone());
            self.members[listener].send(Delivery::Message { channel, message }).is_ok()
        });
        told.count()
    }

    fn trim(&mut self, log: &str, to: Option<Position>, keep: Keep) -> u64 {
        let Some(Trimmed { to, count }) = self.logs.trim(log, to.as_ref(), keep) else { return 0 };
        self.send(log, &stamped(&to, b""));
        count
    }

    fn change(&mut self, key: &str, change: Entry) -> Option<Bytes> {
        let now = Instant::now();
        self.entries.retain(|_, (_, until)| *until > now);
        let known = self.entries.get(key).map(|(value, _)| value.clone());
        match change {
            Entry::Read => known,
            Entry::Claim(..) if known.is_some() => known,
            Entry::Write(value, ttl) | Entry::Claim(value, ttl) => {
                self.entries.insert(key.to_owned(), (value.clone(), now + ttl));
                Some(value)
            }
            Entry::Remove => {
                self.entries.remove(key);
                None
            }
        }
    }
}

impl Drop for LocalBroker {
    fn drop(&mut self) {
        let mut hub = self.lock();
        let member = self.member;
        for listeners in hub.channels.values_mut() {
            listeners.retain(|listener| *listener != member);
        }
    }
}

impl fmt::Debug for LocalBroker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalBroker").field("member", &self.member).finish_non_exhaustive()
    }
}

/// The limits of the logs of all nodes of the process together.
const BOUNDS: Bounds = Bounds { logs: 100_000, bytes: 256 * 1024 * 1024, ids: 100_000 };
