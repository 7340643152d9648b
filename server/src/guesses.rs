//! Wrong tokens, by the address that has presented them: the server refuses an address with too
//! many for a while.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bowline_protocol::Time;

use crate::address::AddressKey;

#[derive(Debug, Default)]
pub(crate) struct Guesses {
    /// Since when, and how many. Addresses beyond the limit are counted together, without an
    /// address.
    wrong: Mutex<HashMap<Option<AddressKey>, (Time, u32)>>,
}

impl Guesses {
    /// Counts a try until [`Self::was_right`]. False if there were too many wrong ones from this
    /// address.
    pub(crate) fn may_try(&self, address: Option<AddressKey>, now: Time) -> bool {
        let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        let is_current = |since: Time| now < since + PERIOD;
        let mut key = address;
        if !wrong.contains_key(&key) && wrong.len() >= ADDRESSES {
            wrong.retain(|_, (since, _)| is_current(*since));
            key = key.filter(|_| wrong.len() < ADDRESSES);
        }
        let (since, count) = wrong.entry(key).or_insert((now, 0));
        if !is_current(*since) {
            (*since, *count) = (now, 0);
        }
        *count = count.saturating_add(1);
        *count <= WRONG
    }

    pub(crate) fn was_right(&self, address: Option<AddressKey>) {
        let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, count)) = wrong.get_mut(&address) {
            *count = count.saturating_sub(1);
        }
    }
}

/// Wrong tokens in a period.
const WRONG: u32 = 10;
pub(crate) const PERIOD: Duration = Duration::from_secs(60);
/// The most addresses that are counted separately.
const ADDRESSES: usize = 4096;

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use super::{ADDRESSES, AddressKey, Guesses, PERIOD, Time, WRONG};

    fn address(number: u32) -> Option<AddressKey> {
        Some(AddressKey::of(Ipv4Addr::from_bits(number).into()))
    }

    #[test]
    fn whoever_guesses_has_few_tries_in_a_minute_and_others_are_not_concerned() {
        let (guesses, now) = (Guesses::default(), Time::ZERO);
        let tries = |address, now| (0..100).filter(|_| guesses.may_try(address, now)).count();
        assert_eq!(tries(address(1), now), WRONG as usize);
        assert_eq!(tries(address(1), now + (PERIOD - Duration::from_millis(1))), 0);
        assert_eq!(tries(address(2), now), WRONG as usize);
        assert_eq!(tries(address(1), now + PERIOD), WRONG as usize);
    }

    #[test]
    fn a_right_token_is_no_guess() {
        let (guesses, now) = (Guesses::default(), Time::ZERO);
        for _ in 0..1_000 {
            assert!(guesses.may_try(address(1), now));
            guesses.was_right(address(1));
        }
    }

    #[test]
    fn many_addresses_take_bounded_room_and_have_few_tries_between_them() {
        let (guesses, now) = (Guesses::default(), Time::ZERO);
        let tries = (0..50_000).filter(|number| guesses.may_try(address(*number), now)).count();
        assert_eq!(tries, ADDRESSES + WRONG as usize);
        assert!(guesses.wrong.lock().unwrap().len() <= ADDRESSES + 1);
    }
}
