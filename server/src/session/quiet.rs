//! Detects that a proxy between server and client cuts connections that are quiet.
//!
//! Spec: 02-carriers, "Heartbeats".

use std::time::Duration;

use bowline_protocol::Time;

/// How long nothing had been written when the carriers of one session died.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Quiet {
    /// When something was last written.
    since: Time,
    /// The silence after which the previous carrier died.
    before: Option<Duration>,
}

impl Quiet {
    pub(super) const fn new(now: Time) -> Self {
        Self { since: now, before: None }
    }

    pub(crate) const fn wrote(&mut self, now: Time) {
        self.since = now;
    }

    /// When something was last written.
    pub(super) const fn last_written(&self) -> Time {
        self.since
    }

    /// A carrier that had nothing to write has died. If it is the second in a row after the same
    /// silence, returns the heartbeat interval that would have kept both.
    pub(super) fn died(&mut self, heartbeat: Duration, now: Time) -> Option<Duration> {
        let silence = now - self.since;
        let before = self.before.take();
        if !(SHORTEST..heartbeat).contains(&silence) {
            return None;
        }
        if let Some(before) = before
            && silence.abs_diff(before) <= TOLERANCE.max(silence / 10)
        {
            return Some(silence.min(before) / 2);
        }
        self.before = Some(silence);
        None
    }
}

/// No proxy cuts connections sooner: a carrier that dies younger has another reason.
const SHORTEST: Duration = Duration::from_secs(1);

/// The tolerance between two silences: a client needs a moment to come back, and timers of proxies
/// are coarse.
const TOLERANCE: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::{Duration, Quiet, Time};

    const HEARTBEAT: Duration = Duration::from_secs(25);

    /// Lets carriers die after silences of these milliseconds.
    fn deaths(silences: &[u64]) -> Option<Duration> {
        let (mut quiet, mut now) = (Quiet::new(Time::ZERO), Time::ZERO);
        let mut last = None;
        for silence in silences {
            quiet.wrote(now);
            now = now + Duration::from_millis(*silence);
            last = quiet.died(HEARTBEAT, now);
        }
        last
    }

    #[test]
    fn two_deaths_after_the_same_silence_yield_half_of_it() {
        assert_eq!(deaths(&[5000, 5100]), Some(Duration::from_millis(2500)));
        assert_eq!(deaths(&[300, 20_000, 18_500]), Some(Duration::from_millis(9250)));
    }

    #[test]
    fn one_death_or_different_ones_yield_nothing() {
        assert_eq!(deaths(&[5000]), None);
        assert_eq!(deaths(&[5000, 8000]), None);
        assert_eq!(deaths(&[5000, 300, 5000]), None);
    }

    #[test]
    fn young_carriers_and_those_that_received_a_heartbeat_have_another_reason() {
        assert_eq!(deaths(&[900, 900]), None);
        assert_eq!(deaths(&[25_000, 25_000]), None);
    }
}
