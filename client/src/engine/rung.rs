//! What is known of one transport.

use super::Transport;

/// All times are in milliseconds.
#[derive(Debug)]
pub(super) struct Rung {
    pub(super) transport: Transport,
    /// It did not serve in this round of attempts.
    pub(super) failed: bool,
    /// It did not serve where a lower one did: when it may be tried again. 0 if it serves for all we know.
    pub(super) retry_at: u64,
    /// It was left, and there is no verdict on it yet: at `retry_at` there is, or a second look.
    pub(super) doubt: Option<Doubt>,
    /// When it was found not to serve.
    pub(super) judged: u64,
    /// The weight of the verdicts since it served well.
    pub(super) weight: u32,
    /// How many of its carriers in a row have died young.
    pub(super) strikes: u32,
    /// How long the oldest of them lived.
    lived: u64,
    /// One of them died in silence, and was not counted.
    spared: bool,
    /// It has served well since it was condemned.
    served: bool,
}

/// Why a transport is left without a verdict on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doubt {
    /// Its carriers died young: those of another have to live longer.
    DiedYoung,
    /// It had served well, and then failed in a round in which another worked: an outage may have ended
    /// between the two attempts.
    FailedOnce,
}

/// How a carrier that was opened was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Death {
    /// How long it had served.
    pub(crate) age: u64,
    /// Nothing was said either way for a while: something cuts what is idle.
    pub(crate) in_silence: bool,
}

impl Rung {
    pub(super) const fn new(transport: Transport) -> Self {
        Self {
            transport,
            failed: false,
            retry_at: 0,
            doubt: None,
            judged: 0,
            weight: 0,
            strikes: 0,
            lived: 0,
            spared: false,
            served: false,
        }
    }

    /// True until it may be tried again.
    pub(super) const fn is_out(&self, now: u64) -> bool {
        self.retry_at > now
    }

    /// True if that time has come.
    pub(super) const fn is_due(&self, now: u64) -> bool {
        self.retry_at > 0 && self.retry_at <= now
    }

    /// It may be tried again.
    pub(super) const fn clear(&mut self) {
        (self.retry_at, self.doubt) = (0, None);
    }

    /// Its carrier was lost.
    pub(super) fn lost(&mut self, death: Death) {
        let Death { age, in_silence } = death;
        self.served |= age >= GOOD_SERVICE;
        if death.is_old() {
            (self.strikes, self.weight, self.spared) = (0, 0, false);
        } else if in_silence && !self.spared {
            self.spared = true;
        } else {
            self.lived = if self.strikes == 0 { age } else { self.lived.max(age) };
            self.strikes += 1;
        }
    }

    /// Its carriers die young: the next transport is tried.
    pub(super) fn suspect(&mut self, now: u64) {
        // Up to the welcome of the next one, which says when there is a verdict.
        (self.retry_at, self.doubt) = (now + LONG_COMPARISON, Some(Doubt::DiedYoung));
    }

    /// Its carriers die young, and a carrier of another transport begins to serve.
    pub(super) fn compare(&mut self, now: u64) {
        let longer = self.lived * COMPARISON;
        self.retry_at = now + longer.clamp(SHORT_COMPARISON, LONG_COMPARISON);
    }

    /// It did not serve, and another one that was tried after it does.
    pub(super) fn failed_alone(&mut self, interval: u64, now: u64) {
        if std::mem::take(&mut self.served) {
            (self.retry_at, self.doubt) = (now + SECOND_LOOK, Some(Doubt::FailedOnce));
        } else {
            self.condemn(1, interval, now);
        }
    }

    /// The verdict: it is left alone for a while.
    pub(super) fn condemn(&mut self, weight: u32, interval: u64, now: u64) {
        self.weight = (self.weight + weight).min(HEAVIEST);
        self.retry_at = now.saturating_add(interval << (self.weight - 1));
        (self.doubt, self.served, self.judged) = (None, false, now);
    }
}

impl Death {
    /// True if the carrier was not cut by something that does not like its transport.
    pub(super) fn is_old(self) -> bool {
        self.age >= PROBATION
    }
}

/// A carrier that served this long proves that the network is well.
pub(super) const GOOD_SERVICE: u64 = 5_000;
/// One that served this long is old.
pub(super) const PROBATION: u64 = 30_000;
/// So many carriers in a row that die young leave a transport for the next one.
pub(super) const YOUNG_DEATHS: u32 = 2;
/// So many times as long as the oldest of them the next one has to live to be the better one.
const COMPARISON: u64 = 4;
/// This long at least.
const SHORT_COMPARISON: u64 = 2_000;
/// This long at most: twice what is young.
const LONG_COMPARISON: u64 = 60_000;
/// When a transport is tried again that had served well before it failed.
const SECOND_LOOK: u64 = 5_000;
/// The weight of such an end. A refusal weighs 1; each further one doubles the time to the next trial.
pub(super) const EARLY_DEATH: u32 = 3;
/// The longest verdict is 2^(this - 1) intervals.
pub(super) const HEAVIEST: u32 = 5;
