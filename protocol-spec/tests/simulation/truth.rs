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
        self.costs.push(self.cost(0) + encoded.size() + 64);
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
        if after == 0 { all } else { all - self.costs[after as usize - 1] }
    }
}
