//! Which transport comes next, and which ones are worth another trial.

use bowline_protocol::{Millis, Time, Transport};

use super::Verdict;
use super::rung::{Death, Doubt, EARLY_DEATH, GOOD_SERVICE, HEAVIEST, Rung, YOUNG_DEATHS};

/// The transports in order of preference, and where the client stands among them.
///
/// A failure says nothing by itself: the network may be down. Only when a lower rung works is there a
/// verdict on those above it, and every verdict expires. A transport whose carriers die young is left
/// for the next one, and condemned when that has lived several times as long: a network that cuts
/// everything says nothing about any transport.
#[derive(Debug)]
pub(crate) struct Ladder {
    rungs: Vec<Rung>,
    at: usize,
    /// How often the carriers of every transport have died alike, since one lived long.
    acquittals: u32,
    /// Where to go back to if the rung that a trial has recommended does not serve after all.
    from: Option<usize>,
    /// How long the first verdict on a rung holds, in milliseconds.
    interval: u64,
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
    pub(crate) fn new(transports: &[Transport], interval: Millis) -> Self {
        let rungs = transports.iter().copied().map(Rung::new).collect();
        // So that doubling it does not overflow.
        let interval = interval.get().min(u64::MAX >> HEAVIEST);
        Self { rungs, at: 0, acquittals: 0, from: None, interval }
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
        self.at = self.first_from(0, now).unwrap_or(0);
    }

    /// The current transport was welcomed: those above it that were not are left alone for a while.
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

    /// The current transport did not get as far as a welcome.
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
        // Nothing works, so what is known of a network where something did is of no use, and the last
        // carrier did not die of its transport.
        for rung in &mut self.rungs {
            rung.clear();
            if rung.failed {
                rung.strikes = 0;
            }
        }
        Step::BackOff
    }

    /// There is no server for now: the last carrier did not die of its transport.
    pub(crate) fn absent(&mut self) {
        self.rungs[self.at].strikes = 0;
    }

    /// The current transport was welcomed and was then lost. It is tried again, unless it died young
    /// for the second time in a row. One death in silence is spared: after two of them the server
    /// speaks before the silence is long enough, so the third carrier lives, if there is one.
    pub(crate) fn lost(&mut self, death: Death, now: Time) -> Step {
        let patience = self.patience();
        let rung = &mut self.rungs[self.at];
        rung.lost(death);
        if death.is_old() {
            self.acquittals = 0;
        }
        let nowhere_to_go = rung.strikes >= patience && !self.leave(now);
        // The next one would be cut as soon.
        let is_futile = nowhere_to_go || self.acquittals > 0;
        if is_futile && death.age < GOOD_SERVICE { Step::BackOff } else { Step::Next }
    }

    /// How many carriers of the current transport may die young in a row. One of the first choice may be
    /// lost more often where every transport was found to be cut alike, and only once where it was
    /// condemned for that already.
    fn patience(&self) -> u32 {
        if self.rungs[self.at].weight >= EARLY_DEATH {
            1
        } else if self.at == 0 {
            YOUNG_DEATHS << self.acquittals
        } else {
            YOUNG_DEATHS
        }
    }

    /// The carriers of the current transport die young: the next one is to show whether others live
    /// longer. False if there is none; then the suspected ones are as good as any other.
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

    /// The current transport was opened, and cut before its welcome. It would pass a trial, so it is not one
    /// that failed but one that died young.
    pub(crate) fn cut_off(&mut self, now: Time) -> Step {
        let death = Death { age: 0, in_silence: false };
        if self.from.is_some() { self.failed(now) } else { self.lost(death, now) }
    }

    /// A transport whose carriers died young, when the present one has lived for so much longer that this
    /// speaks against the other: it is left alone for a while.
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

    /// When there will be one, if ever.
    pub(crate) fn next_due(&self) -> Time {
        let dates = self.above().map(|rung| rung.retry_at).filter(|at| *at > 0);
        dates.fold(Time::NEVER, |first, at| first.min(Time::from_millis(at)))
    }

    fn above(&self) -> impl Iterator<Item = &Rung> {
        self.rungs.iter().take(self.at)
    }

    /// A trial says that this transport does not work.
    pub(crate) fn trial_failed(&mut self, transport: Transport, now: Time) {
        let now = now.as_millis();
        if let Some(at) = self.place(transport)
            && !self.rungs[at].is_out(now)
        {
            self.rungs[at].condemn(1, self.interval, now);
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
        self.acquittals = 0;
        for rung in &mut self.rungs {
            if rung.doubt.is_none() {
                rung.retry_at = rung.retry_at.min(rung.judged.saturating_add(self.interval));
            }
        }
    }

    /// The application knows better: there will be no trials of those above.
    pub(crate) fn force(&mut self, transport: Transport) {
        self.from = None;
        self.rungs.iter_mut().for_each(Rung::clear);
        self.at = self.place(transport).unwrap_or_else(|| {
            self.rungs.push(Rung::new(transport));
            self.rungs.len() - 1
        });
    }

    /// The transport that serves because those above it do not, and for how long that is to be believed.
    pub(crate) fn verdict(&self, now: Time) -> Option<Verdict> {
        let is_doubtful = self.above().any(|rung| rung.doubt.is_some());
        let until = self.next_due();
        let holds = until > now && until < Time::NEVER && !is_doubtful;
        holds.then(|| Verdict { transport: self.current(), valid_for: until - now })
    }

    /// Begins with the verdict of an earlier client, which is as fresh as one of its own.
    pub(crate) fn believe(&mut self, verdict: Verdict, now: Time) {
        let Some(at) = self.place(verdict.transport) else { return };
        self.at = at;
        let until = (now + verdict.valid_for).as_millis();
        for rung in self.rungs.iter_mut().take(at) {
            (rung.retry_at, rung.judged) = (until, now.as_millis());
        }
    }

    /// When this transport is tried again, if there is a verdict on it.
    pub(crate) fn left_alone_until(&self, transport: Transport) -> Option<Time> {
        let rung = &self.rungs[self.place(transport)?];
        let is_judged = rung.retry_at > 0 && rung.doubt.is_none();
        is_judged.then(|| Time::from_millis(rung.retry_at))
    }

    /// The next rung down that is not known to fail.
    fn below(&self, now: Time) -> Option<usize> {
        self.first_from(self.at + 1, now)
    }

    /// The first rung from this one down that is not known to fail.
    fn first_from(&self, from: usize, now: Time) -> Option<usize> {
        (from..self.rungs.len()).find(|at| !self.rungs[*at].is_out(now.as_millis()))
    }

    fn place(&self, transport: Transport) -> Option<usize> {
        self.rungs.iter().position(|rung| rung.transport == transport)
    }
}

/// That is 16 where everything is cut.
const MOST_ACQUITTALS: u32 = 3;

#[cfg(test)]
mod tests;
