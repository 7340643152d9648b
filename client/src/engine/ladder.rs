//! The choice of the next transport, and of the transports that deserve another trial.

use bowline_protocol::{Millis, Time, Transport};

use super::Verdict;
use super::rung::{Death, Doubt, EARLY_DEATH, GOOD_SERVICE, HEAVIEST, Rung, YOUNG_DEATHS};

/// The transports in order of preference, and the client's position among them.
///
/// A single failure proves nothing: the network may be down. Only when a lower rung works does the
/// ladder judge the rungs above it, and every verdict expires. When the carriers of a transport end
/// early, the client tries the next transport, and judges the first one when the next has lasted
/// several times as long: a network that cuts everything proves nothing about any transport.
#[derive(Debug)]
pub(crate) struct Ladder {
    rungs: Vec<Rung>,
    at: usize,
    /// How often the carriers of every transport have ended equally early, since one lasted long.
    acquittals: u32,
    /// The rung to return to if the one that a trial recommended does not serve after all.
    from: Option<usize>,
    /// How long the first verdict on a rung holds, in milliseconds.
    interval: u64,
}

/// The step after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Try the transport that is now the current one.
    Next,
    /// Every transport has failed: wait, then start a new round.
    BackOff,
}

impl Ladder {
    /// `transports` is not empty.
    pub(crate) fn new(transports: &[Transport], interval: Millis) -> Self {
        let rungs = transports.iter().copied().map(Rung::new).collect();
        // So that doubling it does not overflow.
        let interval = interval.get().min(u64::MAX >> HEAVIEST);
        Self { rungs, at: 0, acquittals: 0, from: None, interval }
    }

    pub(crate) fn current(&self) -> Transport {
        self.rungs[self.at].transport
    }

    /// True if no transport is left to try after a failure of the current one.
    pub(crate) fn is_last(&self, now: Time) -> bool {
        self.from.is_none() && self.below(now).is_none()
    }

    /// Starts a new round, at the best transport without a verdict.
    pub(crate) fn begin(&mut self, now: Time) {
        self.from = None;
        self.rungs.iter_mut().for_each(|rung| rung.failed = false);
        self.at = self.first_from(0, now).unwrap_or(0);
    }

    /// The current transport received a welcome: the client avoids those above it that did not, for
    /// a while.
    pub(crate) fn welcomed(&mut self, now: Time) {
        let now = now.as_millis();
        self.from = None;
        for at in 0..self.at {
            let rung = &mut self.rungs[at];
            if rung.doubt == Some(Doubt::DiedYoung) {
                rung.compare(now);
            } else if rung.failed && !rung.is_out(now) {
                rung.failed_alone(self.interval, now);
            }
        }
        self.rungs.iter_mut().for_each(|rung| rung.failed = false);
        self.rungs[self.at].clear();
    }

    /// The current transport failed before a welcome.
    pub(crate) fn failed(&mut self, now: Time) -> Step {
        if let Some(from) = self.from.take() {
            self.rungs[self.at].condemn(1, self.interval, now.as_millis());
            self.at = from;
            return Step::Next;
        }
        self.rungs[self.at].failed = true;
        if let Some(below) = self.below(now) {
            self.at = below;
            return Step::Next;
        }
        // No transport works, so knowledge of a network where one did is of no use, and the
        // transport was not the reason for the last carrier's end.
        for rung in &mut self.rungs {
            rung.clear();
            if rung.failed {
                rung.strikes = 0;
            }
        }
        Step::BackOff
    }

    /// There is no server for now: the transport was not the reason for the last carrier's end.
    pub(crate) fn absent(&mut self) {
        self.rungs[self.at].strikes = 0;
    }

    /// The current transport received a welcome and was then lost. The client tries it again,
    /// unless its carriers have ended early twice in a row. One end in silence does not count:
    /// after two of them the server sends heartbeats before the silence is long enough, so a third
    /// carrier lasts, if there is one.
    pub(crate) fn lost(&mut self, death: Death, now: Time) -> Step {
        let patience = self.patience();
        let rung = &mut self.rungs[self.at];
        rung.lost(death);
        if death.is_old() {
            self.acquittals = 0;
        }
        let nowhere_to_go = rung.strikes >= patience && !self.leave(now);
        // The next carrier would be cut as soon.
        let is_futile = nowhere_to_go || self.acquittals > 0;
        if is_futile && death.age < GOOD_SERVICE { Step::BackOff } else { Step::Next }
    }

    /// How many carriers of the current transport may end early in a row. The first choice may lose
    /// more where every transport was found to be cut equally, and only one where it was judged for
    /// that already.
    fn patience(&self) -> u32 {
        if self.rungs[self.at].weight >= EARLY_DEATH {
            1
        } else if self.at == 0 {
            YOUNG_DEATHS << self.acquittals
        } else {
            YOUNG_DEATHS
        }
    }

    /// The carriers of the current transport end early: the next transport shows whether others
    /// last longer. Returns false if there is none; then the suspected transports are as good as
    /// any other.
    fn leave(&mut self, now: Time) -> bool {
        let below = self.below(now);
        if let Some(below) = below {
            self.rungs[self.at].suspect(now.as_millis());
            self.at = below;
        } else {
            self.acquit();
            self.begin(now);
        }
        below.is_some()
    }

    fn acquit(&mut self) {
        let mut acquittals = self.acquittals;
        for rung in self.rungs.iter_mut().filter(|rung| rung.doubt == Some(Doubt::DiedYoung)) {
            rung.clear();
            rung.strikes = 0;
            acquittals = (self.acquittals + 1).min(MOST_ACQUITTALS);
        }
        self.acquittals = acquittals;
    }

    /// The current transport opened, and was cut before its welcome. It would pass a trial, so this
    /// counts as an early end and not as a failure.
    pub(crate) fn cut_off(&mut self, now: Time) -> Step {
        let death = Death { age: 0, in_silence: false };
        if self.from.is_some() { self.failed(now) } else { self.lost(death, now) }
    }

    /// Judges a transport whose carriers ended early, when the present one has lasted so much
    /// longer that it is evidence against the other: the client avoids that one for a while.
    pub(crate) fn convict(&mut self, now: Time) -> Option<Transport> {
        let now = now.as_millis();
        let mut above = self.rungs.iter_mut().take(self.at);
        let rung = above.find(|r| r.doubt == Some(Doubt::DiedYoung) && r.is_due(now))?;
        rung.condemn(EARLY_DEATH, self.interval, now);
        Some(rung.transport)
    }

    /// The best transport above the current one that is due for a trial.
    pub(crate) fn due(&self, now: Time) -> Option<Transport> {
        self.above().find(|rung| rung.is_due(now.as_millis())).map(|rung| rung.transport)
    }

    /// When the next trial is due, if ever.
    pub(crate) fn next_due(&self) -> Time {
        let dates = self.above().map(|rung| rung.retry_at).filter(|at| *at > 0);
        dates.fold(Time::NEVER, |first, at| first.min(Time::from_millis(at)))
    }

    fn above(&self) -> impl Iterator<Item = &Rung> {
        self.rungs.iter().take(self.at)
    }

    /// A trial has shown that this transport does not work.
    pub(crate) fn trial_failed(&mut self, transport: Transport, now: Time) {
        let now = now.as_millis();
        if let Some(at) = self.place(transport)
            && !self.rungs[at].is_out(now)
        {
            self.rungs[at].condemn(1, self.interval, now);
        }
    }

    /// A trial has shown that this transport works: it becomes the current one.
    pub(crate) fn take_over(&mut self, transport: Transport) {
        if let Some(at) = self.place(transport) {
            self.from = Some(std::mem::replace(&mut self.at, at));
        }
    }

    /// The network may have changed: every transport that failed deserves a trial, however often it
    /// failed. But hosts wake more often than networks change, so a fresh verdict stays.
    pub(crate) fn reconsider(&mut self) {
        self.acquittals = 0;
        for rung in &mut self.rungs {
            if rung.doubt.is_none() {
                rung.retry_at = rung.retry_at.min(rung.judged.saturating_add(self.interval));
            }
        }
    }

    /// The application has chosen this transport: there are no trials of those above it.
    pub(crate) fn force(&mut self, transport: Transport) {
        self.from = None;
        self.rungs.iter_mut().for_each(Rung::clear);
        self.at = self.place(transport).unwrap_or_else(|| {
            self.rungs.push(Rung::new(transport));
            self.rungs.len() - 1
        });
    }

    /// The transport that serves because those above it do not, and how long this remains valid.
    pub(crate) fn verdict(&self, now: Time) -> Option<Verdict> {
        let is_doubtful = self.above().any(|rung| rung.doubt.is_some());
        let until = self.next_due();
        let holds = until > now && until < Time::NEVER && !is_doubtful;
        holds.then(|| Verdict { transport: self.current(), valid_for: until - now })
    }

    /// Starts with the verdict of an earlier client, as if it were this client's own.
    pub(crate) fn believe(&mut self, verdict: Verdict, now: Time) {
        let Some(at) = self.place(verdict.transport) else { return };
        self.at = at;
        let until = (now + verdict.valid_for).as_millis();
        for rung in self.rungs.iter_mut().take(at) {
            (rung.retry_at, rung.judged) = (until, now.as_millis());
        }
    }

    /// When the client tries this transport again, if there is a verdict on it.
    pub(crate) fn left_alone_until(&self, transport: Transport) -> Option<Time> {
        let rung = &self.rungs[self.place(transport)?];
        let is_judged = rung.retry_at > 0 && rung.doubt.is_none();
        is_judged.then(|| Time::from_millis(rung.retry_at))
    }

    /// The next rung down without a verdict.
    fn below(&self, now: Time) -> Option<usize> {
        self.first_from(self.at + 1, now)
    }

    /// The first rung from this one down without a verdict.
    fn first_from(&self, from: usize, now: Time) -> Option<usize> {
        (from..self.rungs.len()).find(|at| !self.rungs[*at].is_out(now.as_millis()))
    }

    fn place(&self, transport: Transport) -> Option<usize> {
        self.rungs.iter().position(|rung| rung.transport == transport)
    }
}

/// This is 16 where everything is cut.
const MOST_ACQUITTALS: u32 = 3;

#[cfg(test)]
mod tests;
