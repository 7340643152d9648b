//! The packets that were really sent and really handled, recorded apart from the sessions.

use std::collections::HashSet;

use bowline_protocol::{Encoded, OpenKey, Packet, SessionId};

/// The logs of all sessions of one schedule.
#[derive(Debug, Default)]
pub(crate) struct Truth {
    pub(crate) logs: Vec<Log>,
    /// The log of every instance of the client, for every open key.
    writers: Vec<(OpenKey, u64, usize)>,
    /// The server's log of every session.
    sessions: Vec<(SessionId, usize)>,
    /// The number of emitted packets.
    emitted: u64,
    /// The packets of the clients that the server's application has received, in any session.
    seen: HashSet<u64>,
}

/// The tracked packets that one side sent in one session; the first has number 1.
#[derive(Debug, Default, Clone)]
pub(crate) struct Log {
    pub(crate) packets: Vec<Packet>,
    /// Identifies each of them, in this log and in copies of it.
    ids: Vec<u64>,
    /// The total cost of the packets up to each number.
    costs: Vec<usize>,
    /// The highest number that a carrier has sent.
    pub(crate) transmitted: u64,
    /// The highest number that the other side's application has received.
    pub(crate) handled: u64,
    /// Each packet's place among all emitted ones, including those that were withdrawn.
    places: Vec<u64>,
    pub(crate) withdrawn: u64,
    /// Requests that were reported to the application as never handled.
    pub(crate) dead: Vec<u64>,
}

impl Truth {
    pub(crate) fn new_log(&mut self) -> usize {
        self.logs.push(Log::default());
        self.logs.len() - 1
    }

    /// A log that continues from the present state of another one: the copied packets may have been
    /// sent.
    pub(crate) fn copy_log(&mut self, log: usize) -> usize {
        let copy = self.logs[log].clone();
        let (transmitted, places) = (copy.len(), (1..=copy.len()).collect());
        self.logs.push(Log { transmitted, places, withdrawn: 0, ..copy });
        self.logs.len() - 1
    }

    pub(crate) const fn new_id(&mut self) -> u64 {
        self.emitted += 1;
        self.emitted
    }

    pub(crate) fn push(&mut self, log: usize, packet: Packet, encoded: &Encoded) {
        let id = self.new_id();
        self.logs[log].push(packet, encoded, id);
    }

    pub(crate) fn insert(&mut self, log: usize, number: u64, packet: Packet, encoded: &Encoded) {
        let id = self.new_id();
        self.logs[log].insert(number, packet, encoded, id);
    }

    /// The server's application has received a packet of a client: never for the second time.
    pub(crate) fn see(&mut self, log: usize, number: u64) {
        let id = self.logs[log].id(number);
        assert!(self.seen.insert(id), "packet {number} of log {log} was handled before");
    }

    /// Another process does not know the keys of the previous one: an unanswered `open` may repeat
    /// its effects there.
    pub(crate) fn restart(&mut self) {
        self.seen.clear();
    }

    /// The server continues with another instance of the client: the packets that it has received
    /// are the same for both.
    pub(crate) fn hand_on(&mut self, before: usize, after: usize, received: u64) {
        for number in 1..=received {
            let ids = [before, after].map(|log| self.logs[log].id(number));
            assert_eq!(ids[0], ids[1], "number {number} stands for two packets");
        }
        self.logs[after].handled = self.logs[after].handled.max(received);
    }

    pub(crate) fn add_writer(&mut self, key: OpenKey, instance: u64, log: usize) {
        self.writers.push((key, instance, log));
    }

    pub(crate) fn add_session(&mut self, session: SessionId, log: usize) {
        self.sessions.push((session, log));
    }

    pub(crate) fn log_of(&self, key: OpenKey, instance: u64) -> usize {
        let is_it = |(k, i, _): &&(OpenKey, u64, usize)| *k == key && *i == instance;
        self.writers.iter().find(is_it).expect("the key was drawn").2
    }

    pub(crate) fn log_of_session(&self, session: SessionId) -> usize {
        self.sessions.iter().find(|(known, _)| *known == session).expect("the session was made").1
    }
}

impl Log {
    /// The first packets of it: the others were never emitted.
    pub(crate) fn first(&self, last: u64) -> Self {
        let mut log = self.clone();
        let count = last as usize;
        log.packets.truncate(count);
        log.ids.truncate(count);
        log.costs.truncate(count);
        log.dead.retain(|number| *number <= last);
        let (places, handled) = ((1..=last).collect(), log.handled.min(last));
        Self { transmitted: last, handled, places, withdrawn: 0, ..log }
    }

    pub(crate) fn push(&mut self, packet: Packet, encoded: &Encoded, id: u64) {
        self.packets.push(packet);
        self.places.push(self.emitted());
        self.ids.push(id);
        self.costs.push(self.cost(0) + encoded.size() + 64);
    }

    /// Inserts the packet before the one that had its number.
    pub(crate) fn insert(&mut self, number: u64, packet: Packet, encoded: &Encoded, id: u64) {
        let at = number as usize - 1;
        let cost = encoded.size() + 64;
        self.packets.insert(at, packet);
        self.places.insert(at, self.emitted());
        self.ids.insert(at, id);
        self.costs.insert(at, self.cost_through(number - 1));
        self.costs[at..].iter_mut().for_each(|sum| *sum += cost);
    }

    /// The packet was never sent, and never will be.
    pub(crate) fn withdraw(&mut self, number: u64) {
        assert!(number > self.transmitted, "{number} was sent before it was withdrawn");
        let at = number as usize - 1;
        let cost = self.costs[at] - self.cost_through(number - 1);
        self.costs[at..].iter_mut().for_each(|sum| *sum -= cost);
        self.costs.remove(at);
        self.packets.remove(at);
        self.places.remove(at);
        self.ids.remove(at);
        self.withdrawn += 1;
    }

    /// The number of emitted packets, including those that were withdrawn.
    pub(crate) fn emitted(&self) -> u64 {
        self.len() + self.withdrawn
    }

    /// How many of the first emitted packets were not withdrawn.
    pub(crate) fn through(&self, place: u64) -> u64 {
        self.places.iter().filter(|other| **other <= place).count() as u64
    }

    pub(crate) fn len(&self) -> u64 {
        self.packets.len() as u64
    }

    pub(crate) fn packet(&self, number: u64) -> &Packet {
        &self.packets[number as usize - 1]
    }

    pub(crate) fn id(&self, number: u64) -> u64 {
        self.ids[number as usize - 1]
    }

    /// The cost of all packets after this number, as the outbox counts it.
    pub(crate) fn cost(&self, after: u64) -> usize {
        let all = self.costs.last().copied().unwrap_or(0);
        all - self.cost_through(after)
    }

    fn cost_through(&self, number: u64) -> usize {
        if number == 0 { 0 } else { self.costs[number as usize - 1] }
    }
}
