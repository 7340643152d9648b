//! Which transport comes next, and which ones are worth another trial.

use std::fmt;
use std::time::Duration;

use bowline_protocol::Time;

use super::Verdict;
use super::backoff::millis;

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
///
/// A failure says nothing by itself: the network may be down. Only when a lower rung works is there a
/// verdict on those above it, and every verdict expires.
#[derive(Debug)]
pub(crate) struct Ladder {
    rungs: Vec<Rung>,
    at: usize,
    /// Where to go back to if the rung that a trial has recommended does not serve after all.
    from: Option<usize>,
    /// How long the first verdict on a rung holds, in milliseconds.
    interval: u64,
}

#[derive(Debug)]
struct Rung {
    transport: Transport,
    /// It did not serve in this round of attempts.
    failed: bool,
    /// It did not serve where a lower one did: when it may be tried again.
    retry_at: Option<Time>,
    /// When it was found not to.
    judged: Time,
    /// The weight of the verdicts since it served well.
    weight: u32,
    /// How many of its carriers in a row have died young.
    strikes: u32,
    /// One of them died in silence, and was not counted.
    spared: bool,
}

/// How a carrier that was welcomed was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Death {
    /// After it had served well.
    Old,
    /// Early, and while there was something to hear.
    Young,
    /// Early, after a while without a word either way: something cuts what is idle.
    YoungInSilence,
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
    /// `transports` is not empty.
    pub(crate) fn new(transports: &[Transport], interval: Duration) -> Self {
        let rungs = transports.iter().copied().map(Rung::new).collect();
        // So that doubling it does not overflow.
        let interval = millis(interval).min(u64::MAX >> HEAVIEST);
        Self { rungs, at: 0, from: None, interval }
    }

    pub(crate) fn current(&self) -> Transport {
        self.rungs[self.at].transport
    }

    /// True if a failure of the current transport leaves no other to try.
    pub(crate) fn is_last(&self, now: Time) -> bool {
        self.from.is_none() && self.below(now).is_none()
    }

    /// A new round begins, at the best transport that is not known to fail.
    pub(crate) fn begin(&mut self, now: Time) {
        self.from = None;
        self.rungs.iter_mut().for_each(|rung| rung.failed = false);
        self.at = self.rungs.iter().position(|rung| !rung.is_out(now)).unwrap_or(0);
    }

    /// The current transport was welcomed: those above it that were not are left alone for a while.
    pub(crate) fn welcomed(&mut self, now: Time) {
        self.from = None;
        for at in 0..self.at {
            if self.rungs[at].failed && !self.rungs[at].is_out(now) {
                self.condemn(at, 1, now);
            }
        }
        self.rungs.iter_mut().for_each(|rung| rung.failed = false);
        self.rungs[self.at].retry_at = None;
    }

    /// The current transport did not get as far as a welcome.
    pub(crate) fn failed(&mut self, now: Time) -> Step {
        if let Some(from) = self.from.take() {
            self.condemn(self.at, 1, now);
            self.at = from;
            return Step::Next;
        }
        self.rungs[self.at].failed = true;
        if let Some(below) = self.below(now) {
            self.at = below;
            return Step::Next;
        }
        // Nothing works, so what is known of a network where something did is of no use.
        self.rungs.iter_mut().for_each(|rung| rung.retry_at = None);
        Step::BackOff
    }

    /// The current transport was welcomed and was then lost. It is tried again, unless it died young
    /// for the second time in a row. One death in silence is spared: after two of them the server
    /// speaks before the silence is long enough, so the third carrier lives, if there is one.
    pub(crate) fn lost(&mut self, death: Death, now: Time) -> Step {
        let rung = &mut self.rungs[self.at];
        match death {
            Death::Old => (rung.strikes, rung.weight, rung.spared) = (0, 0, false),
            Death::YoungInSilence if !rung.spared => rung.spared = true,
            Death::Young | Death::YoungInSilence => rung.strikes += 1,
        }
        if rung.strikes < YOUNG_DEATHS {
            return Step::Next;
        }
        let Some(below) = self.below(now) else { return Step::BackOff };
        self.condemn(self.at, EARLY_DEATH, now);
        self.at = below;
        Step::Next
    }

    /// The current transport was opened, and cut before its welcome. It would pass a trial, so it is not one
    /// that failed but one that died young.
    pub(crate) fn cut_off(&mut self, now: Time) -> Step {
        if self.from.is_some() { self.failed(now) } else { self.lost(Death::Young, now) }
    }

    /// The best transport above the current one that is due for a trial.
    pub(crate) fn due(&self, now: Time) -> Option<Transport> {
        let above = self.rungs[..self.at].iter();
        above.filter(|rung| rung.retry_at.is_some_and(|at| at <= now)).map(|r| r.transport).next()
    }

    /// When there will be one.
    pub(crate) fn next_due(&self) -> Option<Time> {
        self.rungs[..self.at].iter().filter_map(|rung| rung.retry_at).min()
    }

    /// A trial says that this transport does not work.
    pub(crate) fn trial_failed(&mut self, transport: Transport, now: Time) {
        if let Some(at) = self.place(transport)
            && !self.rungs[at].is_out(now)
        {
            self.condemn(at, 1, now);
        }
    }

    /// A trial says that this transport works: it becomes the current one.
    pub(crate) fn take_over(&mut self, transport: Transport) {
        if let Some(at) = self.place(transport) {
            self.from = Some(std::mem::replace(&mut self.at, at));
        }
    }

    /// The network may be another one: what failed is worth a trial, however often it has failed. But hosts
    /// wake more often than networks change, so a fresh verdict is not questioned.
    pub(crate) fn reconsider(&mut self) {
        let interval = Duration::from_millis(self.interval);
        for rung in &mut self.rungs {
            rung.retry_at = rung.retry_at.map(|at| at.min(rung.judged + interval));
        }
    }

    /// The application knows better: there will be no trials of those above.
    pub(crate) fn force(&mut self, transport: Transport) {
        self.from = None;
        self.rungs.iter_mut().for_each(|rung| rung.retry_at = None);
        self.at = self.place(transport).unwrap_or_else(|| {
            self.rungs.push(Rung::new(transport));
            self.rungs.len() - 1
        });
    }

    /// The transport that serves because those above it do not, and for how long that is to be believed.
    pub(crate) fn verdict(&self, now: Time) -> Option<Verdict> {
        let until = self.next_due().filter(|until| *until > now)?;
        Some(Verdict { transport: self.current(), valid_for: until - now })
    }

    /// Begins with the verdict of an earlier client, which is as fresh as one of its own.
    pub(crate) fn believe(&mut self, verdict: Verdict, now: Time) {
        let Some(at) = self.place(verdict.transport) else { return };
        self.at = at;
        let until = now + verdict.valid_for;
        for rung in &mut self.rungs[..at] {
            (rung.retry_at, rung.judged) = (Some(until), now);
        }
    }

    /// When this transport is tried again, if it has to wait.
    pub(crate) fn left_alone_until(&self, transport: Transport) -> Option<Time> {
        self.rungs[self.place(transport)?].retry_at
    }

    /// The next rung down that is not known to fail.
    fn below(&self, now: Time) -> Option<usize> {
        (self.at + 1..self.rungs.len()).find(|at| !self.rungs[*at].is_out(now))
    }

    fn place(&self, transport: Transport) -> Option<usize> {
        self.rungs.iter().position(|rung| rung.transport == transport)
    }

    fn condemn(&mut self, at: usize, weight: u32, now: Time) {
        let rung = &mut self.rungs[at];
        rung.weight = (rung.weight + weight).min(HEAVIEST);
        let wait = self.interval << (rung.weight - 1);
        rung.retry_at = Some(now + Duration::from_millis(wait));
        rung.judged = now;
    }
}

impl Rung {
    const fn new(transport: Transport) -> Self {
        Self {
            transport,
            failed: false,
            retry_at: None,
            judged: Time::ZERO,
            weight: 0,
            strikes: 0,
            spared: false,
        }
    }

    fn is_out(&self, now: Time) -> bool {
        self.retry_at.is_some_and(|at| at > now)
    }
}

/// So many carriers in a row that die young leave a transport for the next one.
const YOUNG_DEATHS: u32 = 2;
/// The weight of such an end. A refusal weighs 1; each further one doubles the time to the next trial.
const EARLY_DEATH: u32 = 3;
/// The longest verdict is 2^(this - 1) intervals.
const HEAVIEST: u32 = 5;

#[cfg(test)]
mod tests {
    use super::{Death, Duration, Ladder, Step, Time, Transport, Verdict};

    const ALL: [Transport; 3] = [Transport::WebSocket, Transport::Sse, Transport::Polling];
    const MINUTE: Duration = Duration::from_secs(60);

    fn all() -> Ladder {
        Ladder::new(&ALL, MINUTE)
    }

    fn at(seconds: u64) -> Time {
        Time::from_millis(seconds * 1000)
    }

    /// A ladder whose WebSocket fails while SSE serves.
    fn on_sse() -> Ladder {
        let mut ladder = all();
        ladder.failed(at(0));
        ladder.welcomed(at(0));
        ladder
    }

    #[test]
    fn failures_lead_down_then_to_a_back_off_then_to_the_top() {
        let mut ladder = all();
        ladder.begin(at(0));
        assert_eq!(ladder.current(), Transport::WebSocket);
        assert_eq!(ladder.failed(at(0)), Step::Next);
        assert_eq!(ladder.current(), Transport::Sse);
        assert_eq!(ladder.failed(at(0)), Step::Next);
        assert_eq!(ladder.current(), Transport::Polling);
        assert!(ladder.is_last(at(0)));
        assert_eq!(ladder.failed(at(0)), Step::BackOff);
        ladder.begin(at(0));
        assert_eq!(ladder.current(), Transport::WebSocket);
    }

    #[test]
    fn what_failed_where_another_serves_is_left_alone_until_its_trial() {
        let mut ladder = on_sse();
        ladder.begin(at(59));
        assert_eq!((ladder.current(), ladder.due(at(59))), (Transport::Sse, None));
        assert_eq!(ladder.due(at(60)), Some(Transport::WebSocket));
        let verdict = Verdict { transport: Transport::Sse, valid_for: MINUTE };
        assert_eq!(ladder.verdict(at(0)), Some(verdict));
        ladder.begin(at(60));
        assert_eq!(ladder.current(), Transport::WebSocket, "a new round is a trial too");
    }

    #[test]
    fn nothing_is_learnt_from_a_network_where_nothing_works() {
        let mut ladder = on_sse();
        ladder.failed(at(1));
        assert_eq!(ladder.failed(at(1)), Step::BackOff);
        ladder.begin(at(2));
        assert_eq!((ladder.current(), ladder.verdict(at(2))), (Transport::WebSocket, None));
    }

    #[test]
    fn a_cut_carrier_is_tried_again_but_one_that_dies_young_twice_is_not() {
        let mut ladder = all();
        ladder.welcomed(at(0));
        assert_eq!(ladder.lost(Death::Old, at(0)), Step::Next);
        assert_eq!(ladder.lost(Death::Young, at(0)), Step::Next);
        assert_eq!(ladder.lost(Death::Old, at(40)), Step::Next);
        assert_eq!(ladder.lost(Death::Young, at(41)), Step::Next);
        assert_eq!(ladder.current(), Transport::WebSocket);
        assert_eq!(ladder.lost(Death::Young, at(42)), Step::Next);
        assert_eq!(ladder.current(), Transport::Sse);
        assert_eq!(ladder.next_due(), Some(at(42 + 240)), "it is not tried again for a while");
    }

    #[test]
    fn a_first_death_in_silence_is_spared_and_a_third_one_is_not() {
        let mut ladder = all();
        for seconds in [5, 10] {
            assert_eq!(ladder.lost(Death::YoungInSilence, at(seconds)), Step::Next);
            assert_eq!(ladder.current(), Transport::WebSocket);
        }
        assert_eq!(ladder.lost(Death::Old, at(60)), Step::Next);
        for seconds in [65, 70] {
            ladder.lost(Death::YoungInSilence, at(seconds));
            assert_eq!(
                ladder.current(),
                Transport::WebSocket,
                "good service has restored its credit"
            );
        }
        assert_eq!(ladder.lost(Death::YoungInSilence, at(75)), Step::Next);
        assert_eq!(ladder.current(), Transport::Sse);
    }

    #[test]
    fn a_transport_that_is_cut_before_its_welcome_has_died_young() {
        let mut ladder = all();
        assert_eq!(ladder.cut_off(at(0)), Step::Next);
        assert_eq!(ladder.current(), Transport::WebSocket);
        assert_eq!(ladder.cut_off(at(1)), Step::Next);
        assert_eq!((ladder.current(), ladder.next_due()), (Transport::Sse, Some(at(1 + 240))));
        let mut ladder = on_sse();
        ladder.take_over(Transport::WebSocket);
        ladder.cut_off(at(60));
        assert_eq!(ladder.current(), Transport::Sse, "what served is not left waiting");
    }

    #[test]
    fn each_failed_trial_doubles_the_time_to_the_next_up_to_a_limit() {
        let mut ladder = on_sse();
        let mut waits = Vec::new();
        for _ in 0..6 {
            let due = ladder.next_due().unwrap();
            ladder.trial_failed(Transport::WebSocket, due);
            waits.push((ladder.next_due().unwrap() - due).as_secs() / 60);
        }
        assert_eq!(waits, [2, 4, 8, 16, 16, 16]);
    }

    #[test]
    fn a_transport_that_was_taken_over_and_does_not_serve_is_left_again_at_once() {
        let mut ladder = on_sse();
        ladder.take_over(Transport::WebSocket);
        assert_eq!(ladder.current(), Transport::WebSocket);
        assert!(!ladder.is_last(at(60)));
        assert_eq!(ladder.failed(at(60)), Step::Next);
        assert_eq!(ladder.current(), Transport::Sse);
        assert_eq!(ladder.next_due(), Some(at(60 + 120)));
    }

    #[test]
    fn good_service_wipes_the_record_clean() {
        let mut ladder = on_sse();
        ladder.take_over(Transport::WebSocket);
        ladder.welcomed(at(60));
        assert_eq!(ladder.next_due(), None);
        ladder.lost(Death::Old, at(100));
        ladder.failed(at(100));
        ladder.welcomed(at(100));
        assert_eq!(ladder.next_due(), Some(at(160)), "the first verdict again");
    }

    #[test]
    fn a_host_that_wakes_questions_all_but_fresh_verdicts() {
        let mut ladder = on_sse();
        ladder.trial_failed(Transport::WebSocket, at(60));
        ladder.trial_failed(Transport::WebSocket, at(180));
        ladder.reconsider();
        assert_eq!(ladder.next_due(), Some(at(240)), "not the 4 minutes that it has come to");
        ladder.reconsider();
        assert_eq!(ladder.next_due(), Some(at(240)));
    }

    #[test]
    fn a_verdict_that_was_handed_on_is_as_fresh_as_one_of_its_own() {
        let mut ladder = all();
        let valid_for = Duration::from_secs(300);
        ladder.believe(Verdict { transport: Transport::Sse, valid_for }, at(1_000));
        ladder.reconsider();
        assert_eq!(ladder.next_due(), Some(at(1_060)));
    }

    #[test]
    fn a_verdict_can_be_handed_on() {
        let mut ladder = all();
        let valid_for = Duration::from_secs(30);
        ladder.believe(Verdict { transport: Transport::Polling, valid_for }, at(0));
        ladder.begin(at(0));
        assert_eq!(ladder.current(), Transport::Polling);
        assert_eq!(ladder.due(at(30)), Some(Transport::WebSocket));
    }

    #[test]
    fn a_forced_transport_is_current_even_if_it_was_not_listed() {
        let mut ladder = Ladder::new(&[Transport::WebSocket], MINUTE);
        ladder.force(Transport::Polling);
        assert_eq!(ladder.current(), Transport::Polling);
        assert_eq!(ladder.failed(at(0)), Step::BackOff);
        let mut ladder = on_sse();
        ladder.force(Transport::Polling);
        assert_eq!(ladder.next_due(), None, "and no trial undoes it");
    }
}
