//! A network that loses, delays, repeats, reorders and cuts, with a clock that the test holds.

use std::collections::BTreeMap;

use bowline_protocol::{Time, write_sse_event};
use bytes::{Bytes, BytesMut};

use crate::rng::Rng;
use crate::truth::Truth;
use crate::wire::Wire;

/// Everything outside the two sessions: the clock, the random numbers, the messages on their way,
/// the truth.
#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) now: Time,
    pub(crate) rng: Rng,
    pub(crate) truth: Truth,
    pub(crate) stats: Stats,
    /// No faults from here on.
    pub(crate) healed: bool,
    queue: BTreeMap<(Time, u64), Happening>,
    scheduled: u64,
    conns: Vec<Conn>,
    /// The longest delay of a message, in milliseconds.
    lag: u64,
    trace: bool,
}

/// One carrier or one HTTP exchange.
pub(crate) type ConnId = usize;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    WebSocket,
    Sse,
    Poll,
    Post,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}

#[derive(Debug)]
pub(crate) enum Happening {
    /// A WebSocket message arrives at the server.
    Up(ConnId, Wire),
    /// A message, a piece of a stream or a response arrives at the client.
    Down(ConnId, Wire),
    /// An HTTP request arrives at the server, perhaps for the second time.
    Request(ConnId, Bytes),
    /// One side notices that a carrier or exchange has ended.
    Gone(ConnId, Side),
    /// The application or an accident.
    Act,
    /// The back-off of this client is over.
    Reconnect(u64),
    /// This client may send a POST again.
    Repost(u64),
    /// The application answers a request of the session of that log.
    Reply { side: Side, log: usize, request: u64 },
}

#[derive(Debug)]
struct Conn {
    kind: Kind,
    /// The client that has opened it, and the attach counter.
    client: u64,
    counter: u64,
    /// Nothing passes any more; either side may or may not have noticed.
    cut: bool,
    /// The client does not wait for it any more.
    given_up: bool,
    /// The request has arrived at the server at least once.
    arrived: bool,
    /// When the last message of either direction arrives: later ones do not overtake it.
    arrivals: [Time; 2],
}

/// Counts the faults, so that the simulation cannot stop testing unnoticed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stats(pub(crate) [u64; What::COUNT]);

/// Defines the counters, with their names for the report.
macro_rules! counted {
    ($($what:ident),*) => {
        #[derive(Debug, Clone, Copy)]
        pub(crate) enum What { $($what),* }

        impl What {
            pub(crate) const ALL: &[Self] = &[$(Self::$what),*];
            pub(crate) const COUNT: usize = Self::ALL.len();
        }
    };
}

counted! {
    Schedules, Steps, Delivered, VolatileDelivered, Duplicates, Answers, AnswerTimeouts,
    Withdrawals, SetUps, WebSockets, Streams, Polls, Posts, Cuts, HalfOpen, HeartbeatDeaths,
    LostRequests, LostAnswers, Copies, LateCopies, RefusedAttachments, Gaps, CutBodies,
    Retransmissions, Jumps, Switches, Resumes, Reopens, Restarts, Expiries, Overflows, Refusals,
    Dismissals, Closes, Aborts, Reloads, UnwelcomedReloads, SecondTabs, TakeOvers, Successions,
    Losers, TakenAttachments, TakeOverGaps, ForeignPosts, Checkpoints, Crashes, Revivals,
    StaleCheckpoints, StalePosts
}

impl Default for Stats {
    fn default() -> Self {
        Self([0; What::COUNT])
    }
}

impl Stats {
    pub(crate) const fn count(&mut self, what: What) {
        self.0[what as usize] += 1;
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(sum, part)| *sum += part);
    }
}

impl Network {
    pub(crate) fn new(seed: u64, trace: bool) -> Self {
        let mut rng = Rng::new(seed);
        let lag = [5, 60, 400, 1500][rng.below(4) as usize];
        Self {
            now: Time::ZERO,
            rng,
            truth: Truth::default(),
            stats: Stats::default(),
            healed: false,
            queue: BTreeMap::new(),
            scheduled: 0,
            conns: Vec::new(),
            lag,
            trace,
        }
    }

    pub(crate) fn trace(&self, what: impl FnOnce() -> String) {
        if self.trace {
            eprintln!("{:>7} {}", self.now.as_millis(), what());
        }
    }

    pub(crate) fn next_at(&self) -> Option<Time> {
        self.queue.first_key_value().map(|((at, _), _)| *at)
    }

    pub(crate) fn pop(&mut self) -> Option<Happening> {
        self.queue.pop_first().map(|(_, happening)| happening)
    }

    /// Schedules something this many milliseconds from now.
    pub(crate) fn after(&mut self, millis: u64, happening: Happening) {
        self.at(Time::from_millis(self.now.as_millis() + millis), happening);
    }

    /// True with this probability, while there are faults.
    pub(crate) fn fault(&mut self, percent: u64) -> bool {
        !self.healed && self.rng.chance(percent)
    }

    pub(crate) fn open(&mut self, kind: Kind, (client, counter): (u64, u64)) -> ConnId {
        let arrivals = [self.now; 2];
        self.conns.push(Conn {
            kind,
            client,
            counter,
            cut: false,
            given_up: false,
            arrived: false,
            arrivals,
        });
        self.conns.len() - 1
    }

    pub(crate) fn kind(&self, conn: ConnId) -> Kind {
        self.conns[conn].kind
    }

    pub(crate) fn is_cut(&self, conn: ConnId) -> bool {
        self.conns[conn].cut
    }

    /// True when the client has continued without this exchange, so that its order is not
    /// guaranteed.
    pub(crate) fn is_overtaken(&self, conn: ConnId) -> bool {
        let Conn { client, counter, given_up, .. } = self.conns[conn];
        let latest = self.conns.iter().rfind(|latest| latest.client == client);
        given_up || latest.map(|latest| latest.counter) != Some(counter)
    }

    /// The client that has opened it.
    pub(crate) fn client(&self, conn: ConnId) -> u64 {
        self.conns[conn].client
    }

    /// The client does not wait for this any more.
    pub(crate) fn give_up(&mut self, conn: ConnId) {
        self.conns[conn].given_up = true;
    }

    /// Notes that a request has arrived. True if it had before: volatile events have no numbers, so
    /// only the first arrival guarantees anything about them.
    pub(crate) fn arrive(&mut self, conn: ConnId) -> bool {
        std::mem::replace(&mut self.conns[conn].arrived, true)
    }

    pub(crate) fn send_up(&mut self, conn: ConnId, wire: Wire) {
        let at = self.arrival(conn, Side::Server);
        self.at(at, Happening::Up(conn, wire));
    }

    pub(crate) fn send_down(&mut self, conn: ConnId, wire: Wire) {
        let at = self.arrival(conn, Side::Client);
        self.at(at, Happening::Down(conn, wire));
    }

    /// Writes a batch to a stream, in pieces cut anywhere.
    pub(crate) fn stream(&mut self, conn: ConnId, last_number: u64, batch: &[u8]) {
        let mut event = BytesMut::new();
        write_sse_event(last_number, batch, &mut event);
        let cut = self.rng.below(event.len() as u64) as usize;
        let first = event.split_to(cut);
        self.send_down(conn, Wire::Text(first.freeze()));
        self.send_down(conn, Wire::Text(event.freeze()));
    }

    /// Sends an HTTP request: it may be lost, delayed, and arrive again much later.
    pub(crate) fn request(&mut self, conn: ConnId, body: Bytes) {
        if self.fault(8) {
            self.stats.count(What::LostRequests);
            return self.fail(conn);
        }
        if self.fault(8) {
            self.stats.count(What::Copies);
            let delay = self.delay() + self.rng.below(4 * self.lag);
            self.after(delay, Happening::Request(conn, body.clone()));
        }
        let delay = self.delay();
        self.after(delay, Happening::Request(conn, body));
    }

    /// Sends the response to an HTTP request: it may be lost.
    pub(crate) fn answer(&mut self, conn: ConnId, body: Bytes) {
        if self.fault(8) {
            self.stats.count(What::LostAnswers);
            return self.fail(conn);
        }
        self.send_down(conn, Wire::Text(body));
    }

    /// Ends a carrier for both sides, after the messages on their way.
    pub(crate) fn close(&mut self, conn: ConnId, by: Side) {
        let other = if by == Side::Client { Side::Server } else { Side::Client };
        let at = self.arrival(conn, other);
        self.at(at, Happening::Gone(conn, other));
    }

    /// Cuts at once: messages on their way are lost. Either side may fail to notice.
    pub(crate) fn cut(&mut self, conn: ConnId) {
        if std::mem::replace(&mut self.conns[conn].cut, true) {
            return;
        }
        self.trace(|| format!("cut {conn}"));
        self.stats.count(What::Cuts);
        for side in [Side::Client, Side::Server] {
            if self.fault(30) {
                self.stats.count(What::HalfOpen);
            } else {
                let delay = self.delay();
                self.after(delay, Happening::Gone(conn, side));
            }
        }
    }

    /// Cuts every connection, as a server that stops does.
    pub(crate) fn cut_all(&mut self) {
        let recent = self.conns.len().saturating_sub(20);
        for conn in recent..self.conns.len() {
            self.cut(conn);
            // Every wait for a response has a deadline.
            if self.kind(conn) == Kind::Post {
                self.fail(conn);
            }
        }
        self.queue.retain(|_, happening| !matches!(happening, Happening::Request(..)));
    }

    /// The pending answers of the server's application are lost with its process.
    pub(crate) fn drop_answers_of_server(&mut self) {
        self.queue.retain(|_, happening| {
            !matches!(happening, Happening::Reply { side: Side::Server, .. })
        });
    }

    fn at(&mut self, at: Time, happening: Happening) {
        self.scheduled += 1;
        self.queue.insert((at, self.scheduled), happening);
    }

    fn fail(&mut self, conn: ConnId) {
        let delay = self.delay() + self.rng.below(2000);
        self.after(delay, Happening::Gone(conn, Side::Client));
    }

    fn delay(&mut self) -> u64 {
        if self.healed {
            return self.rng.between(1, 10);
        }
        let most = if self.rng.chance(5) { 4 * self.lag } else { self.lag };
        self.rng.between(1, most)
    }

    fn arrival(&mut self, conn: ConnId, to: Side) -> Time {
        let earliest = Time::from_millis(self.now.as_millis() + self.delay());
        let last = &mut self.conns[conn].arrivals[to as usize];
        *last = earliest.max(*last);
        *last
    }
}
