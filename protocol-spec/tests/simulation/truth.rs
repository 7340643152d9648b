//! What was really sent and really handled, kept apart from the sessions it is compared with.

use bowline_protocol::{Encoded, OpenKey, Packet, SessionId};

/// The logs of all sessions of one schedule.
#[derive(Debug, Default)]
pub(crate) struct Truth {
    pub(crate) logs: Vec<Log>,
    /// The client's log of every open key.
    keys: Vec<(OpenKey, usize)>,
    /// The server's log of every session.
    sessions: Vec<(SessionId, usize)>,
}

/// The tracked packets that one side sent in one session; the first has number 1.
#[derive(Debug, Default)]
pub(crate) struct Log {
    pub(crate) packets: Vec<Packet>,
    /// What the packets up to each number cost.
    costs: Vec<usize>,
    /// The highest number that was put on a carrier.
    pub(crate) transmitted: u64,
    /// The highest number that the other side's application has seen.
    pub(crate) handled: u64,
    /// Each packet's place among all that were emitted, with those that were withdrawn.
    places: Vec<u64>,
    pub(crate) withdrawn: u64,
    /// Requests of which the application was told that nobody will ever handle them.
    pub(crate) dead: Vec<u64>,
}

impl Truth {
    pub(crate) fn new_log(&mut self) -> usize {
        self.logs.push(Log::default());
        self.logs.len() - 1
    }

    pub(crate) fn add_key(&mut self, key: OpenKey, log: usize) {
        self.keys.push((key, log));
    }

    pub(crate) fn add_session(&mut self, session: SessionId, log: usize) {
        self.sessions.push((session, log));
    }

    pub(crate) fn log_of_key(&self, key: OpenKey) -> usize {
        self.keys.iter().find(|(known, _)| *known == key).expect("the key was drawn").1
    }

    pub(crate) fn log_of_session(&self, session: SessionId) -> usize {
        self.sessions.iter().find(|(known, _)| *known == session).expect("the session was made").1
    }
}

impl Log {
    pub(crate) fn push(&mut self, packet: Packet, encoded: &Encoded) {
        self.packets.push(packet);
        self.places.push(self.emitted());
        self.costs.push(self.cost(0) + encoded.size() + 64);
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
        self.withdrawn += 1;
    }

    /// How many packets were emitted, with those that were withdrawn.
    pub(crate) fn emitted(&self) -> u64 {
        self.len() + self.withdrawn
    }

    /// How many of the first packets that were emitted were not withdrawn.
    pub(crate) fn through(&self, place: u64) -> u64 {
        self.places.partition_point(|other| *other <= place) as u64
    }

    pub(crate) fn len(&self) -> u64 {
        self.packets.len() as u64
    }

    pub(crate) fn packet(&self, number: u64) -> &Packet {
        &self.packets[number as usize - 1]
    }

    /// What everything after this number costs, as the outbox counts it.
    pub(crate) fn cost(&self, after: u64) -> usize {
        let all = self.costs.last().copied().unwrap_or(0);
        all - self.cost_through(after)
    }

    fn cost_through(&self, number: u64) -> usize {
        if number == 0 { 0 } else { self.costs[number as usize - 1] }
    }
}
