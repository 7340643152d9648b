//! Which transport comes next.

use std::fmt;
use std::time::Duration;

use bowline_protocol::Time;

/// A kind of carrier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// A WebSocket: both directions on one connection.
    WebSocket,
    /// Server-Sent Events down, POST up.
    Sse,
    /// Long polling down, POST up: passes wherever anything does.
    Polling,
}

impl Transport {
    /// True if every body begins with a line that says which session it speaks for.
    pub(crate) const fn is_http(self) -> bool {
        !matches!(self, Self::WebSocket)
    }
}

impl fmt::Display for Transport {
    /// The word of the specification: `websocket`, `sse` or `polling`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WebSocket => "websocket",
            Self::Sse => "sse",
            Self::Polling => "polling",
        })
    }
}

/// The transports in order of preference, and where the client stands among them.
#[derive(Debug)]
pub(crate) struct Ladder {
    rungs: Vec<Transport>,
    at: usize,
    /// What served last, and until when that is worth remembering.
    worked: Option<(usize, Time)>,
    /// A carrier died young and none has served well since.
    suspicious: bool,
}

/// What follows a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Try the transport that is current now.
    Next,
    /// Every transport has failed: wait, then begin a new round.
    BackOff,
}

impl Ladder {
    /// `rungs` is not empty.
    pub(crate) const fn new(rungs: Vec<Transport>) -> Self {
        Self { rungs, at: 0, worked: None, suspicious: false }
    }

    pub(crate) fn current(&self) -> Transport {
        self.rungs[self.at]
    }

    /// True if a failure of the current transport leaves no other to try.
    pub(crate) fn is_last(&self) -> bool {
        self.at + 1 == self.rungs.len()
    }

    /// A new round begins: with what served last if that is not long ago, else from the top.
    pub(crate) fn begin(&mut self, now: Time) {
        self.at = self.worked.filter(|(_, until)| now < *until).map_or(0, |(rung, _)| rung);
    }

    /// The current transport was welcomed.
    pub(crate) fn welcomed(&mut self, now: Time) {
        self.worked = Some((self.at, now + MEMORY));
    }

    /// The current transport did not get as far as a welcome.
    pub(crate) fn failed(&mut self) -> Step {
        if self.is_last() {
            self.worked = None;
            return Step::BackOff;
        }
        self.at += 1;
        Step::Next
    }

    /// The current transport was welcomed and was then lost. It is tried again, unless it died young
    /// for the second time.
    pub(crate) fn lost(&mut self, served_well: bool, now: Time) -> Step {
        if served_well {
            self.suspicious = false;
            self.welcomed(now);
            return Step::Next;
        }
        if std::mem::replace(&mut self.suspicious, true) { self.failed() } else { Step::Next }
    }

    /// The application knows better.
    pub(crate) fn force(&mut self, transport: Transport) {
        self.at = self.rungs.iter().position(|rung| *rung == transport).unwrap_or_else(|| {
            self.rungs.push(transport);
            self.rungs.len() - 1
        });
    }
}

/// How long a transport that served is where a new round begins: then better ones get a chance.
const MEMORY: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use super::{Ladder, MEMORY, Step, Time, Transport};

    const ALL: [Transport; 3] = [Transport::WebSocket, Transport::Sse, Transport::Polling];

    #[test]
    fn failures_lead_down_then_to_a_back_off_then_to_the_top() {
        let mut ladder = Ladder::new(ALL.to_vec());
        ladder.begin(Time::ZERO);
        assert_eq!(ladder.current(), Transport::WebSocket);
        assert_eq!(ladder.failed(), Step::Next);
        assert_eq!(ladder.current(), Transport::Sse);
        assert_eq!(ladder.failed(), Step::Next);
        assert_eq!(ladder.current(), Transport::Polling);
        assert_eq!(ladder.failed(), Step::BackOff);
        ladder.begin(Time::ZERO);
        assert_eq!(ladder.current(), Transport::WebSocket);
    }

    #[test]
    fn what_served_last_is_where_a_round_begins_until_it_is_forgotten() {
        let mut ladder = Ladder::new(ALL.to_vec());
        ladder.failed();
        ladder.welcomed(Time::ZERO);
        ladder.begin(Time::from_millis(1000));
        assert_eq!(ladder.current(), Transport::Sse);
        ladder.begin(Time::ZERO + MEMORY);
        assert_eq!(ladder.current(), Transport::WebSocket);
    }

    #[test]
    fn a_cut_carrier_is_tried_again_but_one_that_dies_young_twice_is_not() {
        let mut ladder = Ladder::new(ALL.to_vec());
        ladder.welcomed(Time::ZERO);
        assert_eq!(ladder.lost(true, Time::ZERO), Step::Next);
        assert_eq!(ladder.current(), Transport::WebSocket);
        assert_eq!(ladder.lost(false, Time::ZERO), Step::Next);
        assert_eq!(ladder.current(), Transport::WebSocket);
        assert_eq!(ladder.lost(false, Time::ZERO), Step::Next);
        assert_eq!(ladder.current(), Transport::Sse);
    }

    #[test]
    fn a_forced_transport_is_current_even_if_it_was_not_listed() {
        let mut ladder = Ladder::new(vec![Transport::WebSocket]);
        ladder.force(Transport::Polling);
        assert_eq!(ladder.current(), Transport::Polling);
        assert_eq!(ladder.failed(), Step::BackOff);
    }
}
