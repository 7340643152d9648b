//! The addresses that open sessions: how many each has, and how fast it opens more.

use std::collections::HashMap;
use std::sync::Arc;

use bowline_protocol::Time;

use super::neighbors::Neighbors;
use crate::address::AddressKey;
use crate::config::Config;

/// The addresses that have sessions, or have opened some recently.
#[derive(Debug, Default)]
pub(super) struct Visitors {
    by_address: HashMap<AddressKey, Visitor>,
    /// The number of addresses at which those without sessions and recent opens are forgotten.
    sweep_at: usize,
}

#[derive(Debug, Default)]
struct Visitor {
    sessions: usize,
    /// When all its opens count no more, in microseconds of the node's clock: each open moves this
    /// by the time in which one more is allowed.
    clear: u64,
    neighbors: Arc<Neighbors>,
}

/// The address may open another session; if it is full, one of its sessions has to end for it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Room {
    pub(super) is_full: bool,
}

impl Visitors {
    /// Checks whether the address may open another session.
    ///
    /// # Errors
    /// The name of the limit that is reached.
    pub(super) fn may_open(
        &self,
        address: AddressKey,
        config: &Config,
        now: Time,
    ) -> Result<Room, &'static str> {
        let Some(visitor) = self.by_address.get(&address) else {
            return Ok(Room { is_full: config.max_sessions_per_address == 0 });
        };
        // An address may open at once as many sessions as it may have.
        let burst = u64::try_from(config.max_sessions_per_address).unwrap_or(u64::MAX);
        let reserve = spacing(config).saturating_mul(burst.saturating_sub(1));
        if visitor.clear.saturating_sub(micros(now)) > reserve {
            return Err("max_opens_per_address");
        }
        Ok(Room { is_full: visitor.sessions >= config.max_sessions_per_address })
    }

    pub(super) fn neighbors(&self, address: AddressKey) -> Option<&Arc<Neighbors>> {
        self.by_address.get(&address).map(|visitor| &visitor.neighbors)
    }

    /// The address has opened a session.
    pub(super) fn open(
        &mut self,
        address: AddressKey,
        config: &Config,
        now: Time,
    ) -> &Arc<Neighbors> {
        self.sweep(now);
        let visitor = self.by_address.entry(address).or_default();
        visitor.sessions += 1;
        visitor.clear = visitor.clear.max(micros(now)).saturating_add(spacing(config));
        &visitor.neighbors
    }

    /// A session of this address has arrived from another node.
    pub(super) fn adopt(&mut self, address: AddressKey, now: Time) -> &Arc<Neighbors> {
        self.sweep(now);
        let visitor = self.by_address.entry(address).or_default();
        visitor.sessions += 1;
        &visitor.neighbors
    }

    /// A session of this address has ended.
    pub(super) fn leave(&mut self, address: AddressKey, now: Time) {
        if let Some(visitor) = self.by_address.get_mut(&address) {
            visitor.sessions -= 1;
            if visitor.is_gone(now) {
                self.by_address.remove(&address);
            }
        }
    }

    /// Forgets idle addresses when twice as many are known as after the last sweep.
    fn sweep(&mut self, now: Time) {
        if self.by_address.len() >= self.sweep_at.max(FEW) {
            self.by_address.retain(|_, visitor| !visitor.is_gone(now));
            self.by_address.shrink_to_fit();
            self.sweep_at = self.by_address.len() * 2;
        }
    }
}

impl Visitor {
    const fn is_gone(&self, now: Time) -> bool {
        self.sessions == 0 && self.clear <= micros(now)
    }
}

/// The time in which an address may open one more session, in microseconds.
fn spacing(config: &Config) -> u64 {
    1_000_000 / u64::from(config.max_opens_per_address.max(1))
}

const fn micros(time: Time) -> u64 {
    time.as_millis().saturating_mul(1000)
}

/// The number of addresses below which no sweep is worth its cost.
const FEW: usize = 1024;

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::time::Duration;

    use super::{AddressKey, Config, FEW, Room, Time, Visitors};

    fn address(number: u32) -> AddressKey {
        AddressKey::of(IpAddr::V4(Ipv4Addr::from_bits(number)))
    }

    fn config(sessions: usize, opens: u32) -> Config {
        Config {
            max_sessions_per_address: sessions,
            max_opens_per_address: opens,
            ..Config::default()
        }
    }

    /// Opens and closes sessions of one address as often as that is allowed.
    fn churn(visitors: &mut Visitors, address: AddressKey, config: &Config, now: Time) -> usize {
        let mut opened = 0;
        while visitors.may_open(address, config, now) == Ok(Room { is_full: false }) {
            visitors.open(address, config, now);
            visitors.leave(address, now);
            opened += 1;
        }
        opened
    }

    #[test]
    fn an_address_opens_as_many_sessions_at_once_as_it_may_have_and_then_at_the_rate() {
        let (mut visitors, config, now) = (Visitors::default(), config(100, 20), Time::ZERO);
        assert_eq!(churn(&mut visitors, address(1), &config, now), 100);
        assert_eq!(
            visitors.may_open(address(1), &config, now),
            Err("max_opens_per_address"),
            "the limit is named"
        );
        assert_eq!(churn(&mut visitors, address(2), &config, now), 100, "others open theirs");
        let later = now + Duration::from_millis(500);
        assert_eq!(churn(&mut visitors, address(1), &config, later), 10);
        let much_later = now + Duration::from_secs(60);
        assert_eq!(churn(&mut visitors, address(1), &config, much_later), 100);
    }

    #[test]
    fn open_sessions_are_counted_and_those_of_another_node_do_not_count_as_opens() {
        let (mut visitors, config, now) = (Visitors::default(), config(3, 20), Time::ZERO);
        for _ in 0..3 {
            visitors.adopt(address(1), now);
        }
        let full = visitors.may_open(address(1), &config, now);
        assert_eq!(full, Ok(Room { is_full: true }));
        (0..3).for_each(|_| visitors.leave(address(1), now));
        assert_eq!(churn(&mut visitors, address(1), &config, now), 3);
    }

    #[test]
    fn an_address_is_forgotten_when_its_opens_are() {
        let (mut visitors, config) = (Visitors::default(), config(100, 1000));
        for number in 0..50_000 {
            let now = Time::from_millis(u64::from(number));
            visitors.open(address(number), &config, now);
            visitors.leave(address(number), now);
        }
        assert!(visitors.by_address.len() <= FEW, "{}", visitors.by_address.len());
    }
}
