//! The record of one transport.

use super::Transport;

/// All times are in milliseconds.
#[derive(Debug)]
pub(super) struct Rung {
    pub(super) transport: Transport,
    /// It failed in this round of attempts.
    pub(super) failed: bool,
    /// It failed while a lower one served: when it may be tried again. 0 without such a verdict.
    pub(super) retry_at: u64,
    /// The client has left it without a verdict yet: at `retry_at` there is a verdict, or a second
    /// attempt.
    pub(super) doubt: Option<Doubt>,
    /// When the verdict was made.
    pub(super) judged: u64,
    /// The weight of the verdicts since it served well.
    pub(super) weight: u32,
    /// How many of its carriers in a row have ended early.
    pub(super) strikes: u32,
    /// How long the oldest of them lasted.
    lived: u64,
    /// One of them ended in silence, and was not counted.
    spared: bool,
    /// It has served well since the verdict.
    served: bool,
}

/// Why the client has left a transport without a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doubt {
    /// Its carriers ended early: those of another transport must last longer.
    DiedYoung,
    /// It had served well, and then failed in a round in which another worked: an outage may have
    /// ended between the two attempts.
    FailedOnce,
}

/// How an open carrier was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Death {
    /// How long it had served.
    pub(crate) age: u64,
    /// There was no traffic in either direction for a while: something cuts idle connections.
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

    /// True until the client may try it again.
    pub(super) const fn is_out(&self, now: u64) -> bool {
        self.retry_at > now
    }

    /// True if that time has come.
    pub(super) const fn is_due(&self, now: u64) -> bool {
        self.retry_at > 0 && self.retry_at <= now
    }

    /// The client may try it again.
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

    /// Its carriers end early: the client tries the next transport.
    pub(super) fn suspect(&mut self, now: u64) {
        // Until the welcome of the next transport, which sets the time of the verdict.
        (self.retry_at, self.doubt) = (now + LONG_COMPARISON, Some(Doubt::DiedYoung));
    }

    /// Its carriers end early, and a carrier of another transport starts to serve.
    pub(super) fn compare(&mut self, now: u64) {
        let longer = self.lived * COMPARISON;
        self.retry_at = now + longer.clamp(SHORT_COMPARISON, LONG_COMPARISON);
    }

    /// It failed, and another one that was tried after it serves.
    pub(super) fn failed_alone(&mut self, interval: u64, now: u64) {
        if std::mem::take(&mut self.served) {
            (self.retry_at, self.doubt) = (now + SECOND_LOOK, Some(Doubt::FailedOnce));
        } else {
            self.condemn(1, interval, now);
        }
    }

    /// The verdict: the client avoids it for a while.
    pub(super) fn condemn(&mut self, weight: u32, interval: u64, now: u64) {
        self.weight = (self.weight + weight).min(HEAVIEST);
        self.retry_at = now.saturating_add(interval << (self.weight - 1));
        (self.doubt, self.served, self.judged) = (None, false, now);
    }
}

impl Death {
    /// True if nothing on the way has cut the carrier because of its transport.
    pub(super) fn is_old(self) -> bool {
        self.age >= PROBATION
    }
}

/// A carrier that served this long proves that the network works.
pub(super) const GOOD_SERVICE: u64 = 5_000;
/// A carrier that lasted this long did not end early.
pub(super) const PROBATION: u64 = 30_000;
/// After this many carriers in a row that end early, the client tries the next transport.
pub(super) const YOUNG_DEATHS: u32 = 2;
/// To be better, the next transport must last this many times as long as the oldest of them,
const COMPARISON: u64 = 4;
/// at least this long,
const SHORT_COMPARISON: u64 = 2_000;
/// and at most this long: twice the limit of an early end.
const LONG_COMPARISON: u64 = 60_000;
/// When the client tries a transport again that had served well before it failed.
const SECOND_LOOK: u64 = 5_000;
/// The weight of early ends. A refusal weighs 1; each further one doubles the time to the next
/// trial.
pub(super) const EARLY_DEATH: u32 = 3;
/// The longest verdict is 2^(this - 1) intervals.
pub(super) const HEAVIEST: u32 = 5;
