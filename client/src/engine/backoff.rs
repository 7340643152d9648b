//! How long to wait before the next round of attempts.

use std::time::Duration;

use bowline_protocol::{Millis, Time};

/// The back-off between rounds of attempts: exponential with full jitter, so that the clients of a
/// restarted server do not reconnect all at once.
///
/// Before round `k` the client waits a random time up to `base * 2^k`, at most `cap`, and never
/// less than 50 ms. The count restarts once a carrier has served for 5 seconds. Most outages after
/// that are short: for 10 seconds no wait exceeds one second, or `base` if that is more.
///
/// A server that is being replaced announces when to reconnect. From then on the client tries at
/// regular intervals instead: every 0.3 to 0.6 seconds, or every `cap / 2` to `cap` if that is
/// less, until 30 seconds after that moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The longest wait before the first retry. Defaults to 0.5 s.
    pub base: Duration,
    /// The longest of all waits. Defaults to 20 s.
    pub cap: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { base: Duration::from_millis(500), cap: Duration::from_secs(20) }
    }
}

/// The back-off of one client.
#[derive(Debug)]
pub(crate) struct Waits {
    /// Milliseconds.
    base: u64,
    cap: u64,
    /// The longest wait before the next round.
    longest: u64,
    /// Until then an outage may be a short one.
    brisk_until: Time,
    /// Until then a server that announced its replacement may still be absent.
    expected_until: Time,
    seed: u64,
}

impl Waits {
    pub(crate) fn new(backoff: Backoff, seed: u64) -> Self {
        let [base, cap] = [backoff.base, backoff.cap].map(|wait| Millis::from(wait).get());
        let never = Time::ZERO;
        Self { base, cap, longest: base, brisk_until: never, expected_until: never, seed }
    }

    /// The wait before the next round.
    pub(crate) fn next_round(&mut self, now: Time) -> Millis {
        let cap = if self.is_brisk(now) { self.cap.min(self.base.max(BRISK)) } else { self.cap };
        let longest = self.longest.min(cap);
        self.longest = longest.saturating_add(longest);
        Millis::new(self.up_to(longest).max(SHORTEST))
    }

    /// True while an outage may be a short one.
    pub(crate) fn is_brisk(&self, now: Time) -> bool {
        now < self.brisk_until
    }

    /// A server that is being replaced has stated that it returns at this moment.
    pub(crate) fn expect(&mut self, at: Time) {
        self.expected_until = at + REPLACEMENT;
    }

    /// The server has returned.
    pub(crate) const fn found(&mut self) {
        self.expected_until = Time::ZERO;
    }

    /// True while the server may not have returned yet.
    pub(crate) fn expects(&self, now: Time) -> bool {
        now < self.expected_until
    }

    /// The wait before the next attempt to find it.
    pub(crate) fn regular(&mut self) -> Millis {
        let half = self.cap.min(REGULAR) / 2;
        Millis::new((half + self.up_to(half)).max(SHORTEST))
    }

    /// A wait that only spreads clients over time.
    pub(crate) fn short(&mut self) -> Millis {
        Millis::new(self.up_to(SHORT - 1) + 1)
    }

    /// The wait that a server asked for, plus up to a quarter, so that not all clients return at
    /// once.
    pub(crate) fn spread(&mut self, asked: Millis) -> Millis {
        let more = self.up_to(asked.get() / 4).max(SHORTEST);
        Millis::new(asked.get().saturating_add(more))
    }

    /// A carrier that served well was lost, or an attempt is likely to succeed for another reason.
    pub(crate) fn reset(&mut self, now: Time) {
        self.longest = self.base;
        self.brisk_until = now + SHORT_OUTAGE;
    }

    /// The wait when a server asked for one without stating its length: this is no outage.
    pub(crate) fn unasked(&mut self, now: Time) -> Millis {
        self.brisk_until = now;
        self.next_round(now)
    }

    fn up_to(&mut self, longest: u64) -> u64 {
        // SplitMix64: a few lines, and sufficient to spread clients over time.
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.seed;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^= word >> 31;
        word % longest.saturating_add(1)
    }
}

/// Milliseconds: the shortest wait between two rounds.
const SHORTEST: u64 = 50;
/// Milliseconds: the longest wait in a short outage.
const BRISK: u64 = 1000;
/// How long an outage counts as short.
const SHORT_OUTAGE: Millis = Millis::from_secs(10);
/// Milliseconds: the longest wait while a server is being replaced.
const REGULAR: u64 = 600;
/// How long the replacement of a server may take.
const REPLACEMENT: Millis = Millis::from_secs(30);
/// Milliseconds: the longest wait after a working carrier was cut.
const SHORT: u64 = 100;

#[cfg(test)]
mod tests {
    use super::{Backoff, Duration, Millis, SHORT, SHORTEST, Time, Waits};

    #[test]
    fn waits_grow_to_the_cap_and_are_never_zero() {
        let mut longest_seen = Millis::ZERO;
        for seed in 0..200 {
            let mut waits = Waits::new(Backoff::default(), seed);
            for round in 0..40 {
                let longest = Millis::new(500 << round.min(10)).min(Backoff::default().cap.into());
                let wait = waits.next_round(Time::ZERO);
                let shortest = Millis::new(SHORTEST);
                assert!((shortest..=longest).contains(&wait), "round {round}: {wait:?}");
                longest_seen = longest_seen.max(wait);
            }
        }
        assert!(longest_seen > Millis::from_secs(19), "{longest_seen:?}");
    }

    /// The longest waits of each of the next rounds, in milliseconds.
    fn longest(
        backoff: Backoff,
        seconds: &[u64],
        then: fn(&mut Waits, Time) -> Millis,
    ) -> Vec<u64> {
        let mut longest = vec![0; seconds.len()];
        for seed in 0..500 {
            let mut waits = Waits::new(backoff, seed);
            (0..20).for_each(|_| _ = waits.next_round(Time::ZERO));
            waits.reset(Time::ZERO);
            for (longest, second) in longest.iter_mut().zip(seconds) {
                let wait = then(&mut waits, Time::from_millis(second * 1000));
                *longest = wait.get().max(*longest);
            }
        }
        longest.iter().map(|wait| wait.next_multiple_of(500)).collect()
    }

    #[test]
    fn after_good_service_the_waits_start_over_and_are_short_for_ten_seconds() {
        let longest = |base, cap| {
            let [base, cap] = [base, cap].map(Duration::from_millis);
            longest(Backoff { base, cap }, &[0, 3, 5, 9, 10, 14, 20], Waits::next_round)
        };
        assert_eq!(longest(500, 20_000), [500, 1000, 1000, 1000, 2000, 4000, 8000]);
        assert_eq!(longest(3000, 20_000), [3000, 3000, 3000, 3000, 6000, 12_000, 20_000]);
        assert_eq!(longest(500, 500), [500; 7], "what was set is a limit");
    }

    #[test]
    fn a_server_that_asks_for_some_time_is_not_asked_again_as_often_as_a_network() {
        let longest = longest(Backoff::default(), &[0, 1, 2, 3], Waits::unasked);
        assert_eq!(longest, [500, 1000, 2000, 4000]);
    }

    #[test]
    fn a_server_that_asks_for_time_gets_it_and_its_clients_do_not_come_together() {
        let (mut waits, asked) = (Waits::new(Backoff::default(), 1), Millis::from_secs(4));
        let all: Vec<_> = (0..100).map(|_| waits.spread(asked).get()).collect();
        assert!(all.iter().all(|wait| *wait > 4000 && *wait <= 5000));
        assert!(all.iter().max().unwrap() - all.iter().min().unwrap() > 800);
    }

    #[test]
    fn a_cut_is_answered_soon_but_not_at_once() {
        let mut waits = Waits::new(Backoff::default(), 1);
        let longest = Millis::new(SHORT);
        let soon = |wait| wait > Millis::ZERO && wait <= longest;
        assert!((0..500).map(|_| waits.short()).all(soon));
    }
}
