//! The sessions of one address, and which of them have no carrier.
//!
//! A session without a carrier costs its client nothing. So there is a limit for such sessions, and
//! the server ends them first when the address has as many sessions as it may have. A carrier that
//! attaches or detaches changes a counter; only a session that is not in the queue yet locks the
//! queue. Whether an entry is still right is checked when a session has to end.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicBool, AtomicIsize, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bowline_protocol::{SessionId, Time};

use super::LiveSession;

/// The sessions of one address.
#[derive(Debug, Default)]
pub(super) struct Neighbors {
    /// The number of sessions without a carrier. It is below zero for a moment when a carrier
    /// attaches while the previous one detaches.
    carrierless: AtomicIsize,
    /// Sessions that may have no carrier, by the time at which they were seen to lose it. Each is
    /// here once.
    queue: Mutex<Queue>,
    /// Sessions that have ended since such entries were last removed from the queue.
    ended: AtomicUsize,
}

/// The earliest first; entries of the same time in the order in which they were added.
#[derive(Debug, Default)]
struct Queue {
    heap: BinaryHeap<Reverse<(Time, u64, SessionId)>>,
    pushed: u64,
}

/// The place of a session among the sessions of its address.
#[derive(Debug, Default)]
pub(crate) struct Seat {
    neighbors: OnceLock<Arc<Neighbors>>,
    /// The number of attached carriers, and one more when the session has ended.
    carriers: AtomicUsize,
    /// When the last of them detached.
    since: AtomicU64,
    is_queued: AtomicBool,
}

impl Neighbors {
    pub(super) fn carrierless(&self) -> usize {
        usize::try_from(self.carrierless.load(Ordering::Relaxed)).unwrap_or(0)
    }

    /// Adds a session that has no carrier yet.
    pub(super) fn add(self: &Arc<Self>, session: SessionId, seat: &Seat, now: Time) {
        if seat.neighbors.set(Arc::clone(self)).is_ok() {
            self.carrierless.fetch_add(1, Ordering::Relaxed);
            seat.since.store(now.as_millis(), Ordering::SeqCst);
            seat.is_queued.store(true, Ordering::SeqCst);
            self.queue().push(now, session);
        }
    }

    /// A session has ended. `lives` returns true for those that have not.
    pub(super) fn remove(&self, seat: &Seat, lives: impl Fn(&SessionId) -> bool) {
        // A session that has ended counts as having a carrier that never detaches.
        seat.carrier_comes();
        let ended = self.ended.fetch_add(1, Ordering::Relaxed) + 1;
        let mut queue = self.queue();
        if ended > SPARE && 2 * ended > queue.heap.len() {
            self.ended.store(0, Ordering::Relaxed);
            queue.heap.retain(|Reverse((.., session))| lives(session));
            queue.heap.shrink_to_fit();
        }
    }

    /// Removes the session from the queue that has been without a carrier for the longest time, and
    /// returns it. `None` if all have one. `find` returns sessions that have not ended.
    pub(super) fn take_longest(
        &self,
        find: impl Fn(&SessionId) -> Option<Arc<LiveSession>>,
    ) -> Option<Arc<LiveSession>> {
        let mut queue = self.queue();
        // An entry is checked once more for each time that its session has had a carrier since.
        while let Some(Reverse((seen, _, id))) = queue.heap.pop() {
            let Some(session) = find(&id) else { continue };
            match session.seat.since() {
                Some(since) if since <= seen => return Some(session),
                Some(since) => queue.push(since, id),
                None => {
                    session.seat.is_queued.store(false, Ordering::SeqCst);
                    // Its carrier may have detached before it could see that.
                    if let Some(since) = session.seat.since()
                        && !session.seat.is_queued.swap(true, Ordering::SeqCst)
                    {
                        queue.push(since, id);
                    }
                }
            }
        }
        None
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn push(&mut self, seen: Time, session: SessionId) {
        self.pushed += 1;
        self.heap.push(Reverse((seen, self.pushed, session)));
    }
}

impl Seat {
    pub(super) fn neighbors(&self) -> Option<&Arc<Neighbors>> {
        self.neighbors.get()
    }

    /// A carrier has attached to the session.
    pub(super) fn carrier_comes(&self) {
        let before = self.carriers.fetch_add(1, Ordering::SeqCst);
        if before == 0
            && let Some(neighbors) = self.neighbors()
        {
            neighbors.carrierless.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// A carrier has detached from the session.
    pub(super) fn carrier_goes(&self, session: SessionId, now: impl FnOnce() -> Time) {
        let Some(neighbors) = self.neighbors() else {
            self.carriers.fetch_sub(1, Ordering::SeqCst);
            return;
        };
        let now = now();
        self.since.store(now.as_millis(), Ordering::SeqCst);
        if self.carriers.fetch_sub(1, Ordering::SeqCst) == 1 {
            neighbors.carrierless.fetch_add(1, Ordering::Relaxed);
            if !self.is_queued.swap(true, Ordering::SeqCst) {
                neighbors.queue().push(now, session);
            }
        }
    }

    /// Since when the session has no carrier; `None` while it has one.
    fn since(&self) -> Option<Time> {
        let is_there = self.carriers.load(Ordering::SeqCst) > 0;
        (!is_there).then(|| Time::from_millis(self.since.load(Ordering::SeqCst)))
    }
}

/// The number of entries of ended sessions that the queue keeps, beside half of all entries.
const SPARE: usize = 32;

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::sync::Arc;

    use bowline_protocol::{Attachment, CloseCode, Open, Token};

    use super::SPARE;
    use crate::config::Config;
    use crate::node::{Handlers, Hooks, Node};
    use crate::random::random;
    use crate::session::{Downlink, Greeting, LiveSession, Opened};
    use bowline_protocol::Transport;

    fn node(all: usize, carrierless: usize) -> Arc<Node> {
        let config = Config {
            max_sessions_per_address: all,
            max_carrierless_per_address: carrierless,
            max_opens_per_address: u32::MAX,
            ..Config::default()
        };
        Node::new(config, Handlers::default(), Hooks::default())
    }

    fn open(node: &Arc<Node>, address: &str) -> Result<Arc<LiveSession>, CloseCode> {
        let key = Token::from_bytes(random());
        let open = Open { key, counter: 1, instance: 0, take: None, auth: Box::default() };
        let address: IpAddr = address.parse().unwrap();
        match node.open(&open, Some(address)) {
            Ok(Opened::New(session) | Opened::Known(session)) => Ok(session),
            Err(close) => Err(close.code),
        }
    }

    fn attach(session: &Arc<LiveSession>, counter: u64) -> Downlink {
        let attachment = Attachment { counter, ..Attachment::default() };
        let greeting = Greeting::Welcome { with_secret: true };
        session.attach(attachment, Transport::WebSocket, greeting).unwrap()
    }

    fn lives(session: &Arc<LiveSession>) -> bool {
        session.common.registry.get(&session.id).is_some()
    }

    const HERE: &str = "192.0.2.1";

    #[test]
    fn an_address_at_its_limit_loses_the_session_that_has_been_without_a_carrier_longest() {
        let node = node(3, 3);
        let [one, two, three] = [(); 3].map(|()| open(&node, HERE).unwrap());
        let carrier = attach(&one, 1);
        let four = open(&node, HERE).unwrap();
        assert_eq!([&one, &two, &three, &four].map(lives), [true, false, true, true]);
        let code = two.look(|state| state.core.closed().map(|close| close.code));
        assert_eq!(code, Some(CloseCode::SESSION_EXPIRED));
        drop(carrier);
        let _carriers = [attach(&three, 1), attach(&four, 1)];
        let five = open(&node, HERE).unwrap();
        assert_eq!([&one, &three, &four, &five].map(lives), [false, true, true, true]);
        let _carrier = attach(&five, 1);
        assert_eq!(open(&node, HERE).err(), Some(CloseCode::TOO_MANY_SESSIONS));
        assert!(open(&node, "192.0.2.2").is_ok(), "another address is another matter");
    }

    #[test]
    fn sessions_without_a_carrier_have_a_limit_of_their_own_and_nobody_is_refused_for_it() {
        let node = node(100, 2);
        let served: Vec<_> = (0..10)
            .map(|_| {
                let session = open(&node, HERE).unwrap();
                (attach(&session, 1), session)
            })
            .collect();
        let away: Vec<_> = (0..20).map(|_| open(&node, HERE).unwrap()).collect();
        assert!(served.iter().all(|(_, session)| lives(session)));
        assert_eq!(away.iter().filter(|session| lives(session)).count(), 2);
        assert!(away[18..].iter().all(lives), "the longest go first");
    }

    #[test]
    fn addresses_of_one_network_are_neighbors() {
        let node = node(1, 1);
        let one = open(&node, "2001:db8::1").unwrap();
        let _carrier = attach(&one, 1);
        assert_eq!(open(&node, "2001:db8::2").err(), Some(CloseCode::TOO_MANY_SESSIONS));
        assert!(open(&node, "2001:db8:0:1::1").is_ok());
        let two = open(&node, HERE).unwrap();
        let _carrier = attach(&two, 1);
        assert_eq!(open(&node, "::ffff:192.0.2.1").err(), Some(CloseCode::TOO_MANY_SESSIONS));
    }

    #[test]
    fn carriers_that_come_and_go_leave_one_entry_and_sessions_that_end_leave_none() {
        let node = node(1_000, 1_000);
        let session = open(&node, HERE).unwrap();
        let neighbors = Arc::clone(session.seat.neighbors().unwrap());
        for counter in 1..100 {
            drop(attach(&session, counter));
        }
        assert_eq!((neighbors.queue().heap.len(), neighbors.carrierless()), (1, 1));
        let carrier = attach(&session, 100);
        assert_eq!(neighbors.carrierless(), 0);
        for _ in 0..1_000 {
            let other = open(&node, HERE).unwrap();
            node.registry.remove(&other, node.now());
        }
        assert!(neighbors.queue().heap.len() <= 2 * SPARE, "{}", neighbors.queue().heap.len());
        assert_eq!(neighbors.carrierless(), 0);
        drop(carrier);
        assert_eq!(neighbors.carrierless(), 1);
    }
}
