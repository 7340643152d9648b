//! What the handle and the connections of a proxy share.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::counters::Counters;
use crate::faults::{Cut, Direction, Faults};
use crate::headers;
use crate::lock::lock;
use crate::posts::Posts;

#[derive(Debug)]
pub(crate) struct Shared {
    target: Mutex<SocketAddr>,
    faults: watch::Sender<Arc<Faults>>,
    counters: watch::Sender<Counters>,
    /// Until when the link is busy with what is on it, up and down.
    busy: [Mutex<Instant>; 2],
    /// Connections that have their turn.
    served: Mutex<usize>,
    pub(crate) posts: Posts,
    /// Every open connection in the order of arrival, and the way to end it.
    open: Mutex<BTreeMap<u64, oneshot::Sender<Cut>>>,
    /// `None` once the proxy was dropped, so that no task can outlive it by starting late.
    tasks: Mutex<Option<JoinSet<()>>>,
    rng: Mutex<fastrand::Rng>,
}

impl Shared {
    pub(crate) fn new(target: SocketAddr) -> Self {
        Self {
            target: Mutex::new(target),
            faults: watch::Sender::default(),
            counters: watch::Sender::default(),
            busy: std::array::from_fn(|_| Mutex::new(Instant::now())),
            served: Mutex::default(),
            posts: Posts::default(),
            open: Mutex::default(),
            tasks: Mutex::new(Some(JoinSet::new())),
            rng: Mutex::new(fastrand::Rng::with_seed(0)),
        }
    }

    pub(crate) fn target(&self) -> SocketAddr {
        *lock(&self.target)
    }

    pub(crate) fn set_target(&self, target: SocketAddr) {
        *lock(&self.target) = target;
    }

    pub(crate) fn faults(&self) -> Arc<Faults> {
        self.faults.borrow().clone()
    }

    /// The faults, and when they change.
    pub(crate) fn watch(&self) -> watch::Receiver<Arc<Faults>> {
        self.faults.subscribe()
    }

    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Faults) -> T) -> T {
        let mut result = None;
        self.faults.send_modify(|faults| result = Some(change(Arc::make_mut(faults))));
        result.expect("the change was made")
    }

    pub(crate) fn is_muted(&self, direction: Direction) -> bool {
        self.faults.borrow().mute.is_some_and(|muted| muted.includes(direction))
    }

    /// When so many bytes that are received now have passed.
    pub(crate) fn due(&self, direction: Direction, size: usize) -> Instant {
        let faults = self.faults();
        let now = Instant::now();
        let jitter = faults.jitter.mul_f64(self.random());
        let mut is_late = !jitter.is_zero();
        let sent = faults.rate.map_or(now, |rate| {
            let mut busy = lock(&self.busy[usize::from(direction == Direction::Down)]);
            is_late |= *busy > now;
            *busy = busy.max(now) + Duration::from_secs_f64(size as f64 / rate.max(1) as f64);
            *busy
        });
        if is_late && size > 0 {
            self.count(|counters| counters.late += 1);
        }
        sent + faults.delay + jitter
    }

    /// Waits as long as it takes to make a connection: a round trip.
    pub(crate) async fn handshake(&self) {
        let (begun, mut changes) = (Instant::now(), self.watch());
        loop {
            let made = begun + changes.borrow_and_update().delay * 2;
            tokio::select! {
                () = sleep_until(made) => return,
                _ = changes.changed() => {}
            }
        }
    }

    /// Waits until fewer connections are served than may be.
    pub(crate) async fn turn(self: &Arc<Self>) -> Turn {
        let mut changes = self.watch();
        loop {
            let limit = changes.borrow_and_update().connections;
            if let Some(turn) = self.try_turn(limit) {
                return turn;
            }
            // The sender is a field of self.
            let _ = changes.changed().await;
        }
    }

    fn try_turn(self: &Arc<Self>, limit: Option<usize>) -> Option<Turn> {
        let mut served = lock(&self.served);
        limit.is_none_or(|limit| *served < limit).then(|| {
            *served += 1;
            self.count(|counters| counters.busiest = counters.busiest.max(*served));
            Turn(self.clone())
        })
    }

    /// [`headers::rewrite`], counted.
    pub(crate) fn rewrite(&self, head: Bytes, faults: &Faults) -> Bytes {
        let rewritten = headers::rewrite(head.clone(), faults);
        self.count(|counters| counters.rewritten += usize::from(rewritten != head));
        rewritten
    }

    pub(crate) fn counters(&self) -> Counters {
        *self.counters.borrow()
    }

    pub(crate) fn count(&self, change: impl FnOnce(&mut Counters)) {
        self.counters.send_modify(change);
    }

    pub(crate) async fn wait_for(&self, mut condition: impl FnMut(&Counters) -> bool) -> Counters {
        let mut changes = self.counters.subscribe();
        loop {
            // A copy: a condition may ask the proxy itself, whose lock is taken before that of the
            // counters everywhere else.
            let counters = *changes.borrow_and_update();
            if condition(&counters) {
                return counters;
            }
            changes.changed().await.expect("the sender is a field of self");
        }
    }

    /// Notes a new connection. The receiver says when it has to end.
    pub(crate) fn opened(&self, number: u64) -> oneshot::Receiver<Cut> {
        let (cut, ordered) = oneshot::channel();
        let mut open = lock(&self.open);
        open.insert(number, cut);
        self.count(|counters| {
            counters.accepted += 1;
            counters.open = open.len();
        });
        ordered
    }

    pub(crate) fn closed(&self, number: u64) {
        let mut open = lock(&self.open);
        open.remove(&number);
        self.count(|counters| counters.open = open.len());
    }

    /// Ends the connection at the place that is chosen from their number, or all if none is.
    pub(crate) fn cut(&self, how: Cut, choose: impl FnOnce(usize) -> Option<usize>) -> usize {
        let mut open = lock(&self.open);
        let chosen: Vec<u64> = match choose(open.len()) {
            Some(place) => open.keys().nth(place).copied().into_iter().collect(),
            None => open.keys().copied().collect(),
        };
        let senders = chosen.iter().filter_map(|number| open.remove(number));
        let cut = senders.filter_map(|sender| sender.send(how).ok()).count();
        self.count(|counters| {
            counters.cut += cut;
            counters.open = open.len();
        });
        cut
    }

    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        if let Some(tasks) = &mut *lock(&self.tasks) {
            while tasks.try_join_next().is_some() {}
            tasks.spawn(task);
        }
    }

    /// Aborts every task, and with it closes every socket.
    pub(crate) fn stop(&self) {
        drop(lock(&self.tasks).take());
    }

    /// From 0 to 1, from a fixed seed.
    fn random(&self) -> f64 {
        lock(&self.rng).f64()
    }
}

/// The right of a connection to be served.
pub(crate) struct Turn(Arc<Shared>);

impl Drop for Turn {
    fn drop(&mut self) {
        *lock(&self.0.served) -= 1;
        // Whoever waits for a turn looks again.
        self.0.faults.send_modify(|_| {});
    }
}
