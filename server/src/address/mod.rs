//! The addresses of clients, and which addresses count as one for limits.

mod forwarded;
mod proxies;

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

pub(crate) use proxies::{Client, Proxies};

/// What every limit for one address counts by: an IPv4 address, or the first 64 bits of an IPv6
/// address, because the owner of one address of such a network has all of them. An IPv4 address
/// that is written as an IPv6 address is the IPv4 address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct AddressKey(IpAddr);

impl AddressKey {
    pub(crate) const fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => {
                IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)))
            }
            address => address,
        })
    }
}

impl fmt::Display for AddressKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(address) => address.fmt(f),
            IpAddr::V6(network) => write!(f, "{network}/64"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::AddressKey;

    fn key(address: &str) -> String {
        AddressKey::of(address.parse().unwrap()).to_string()
    }

    #[test]
    fn addresses_of_one_network_of_64_bits_are_one_and_a_mapped_address_is_the_one_it_maps() {
        assert_eq!(key("192.0.2.1"), "192.0.2.1");
        assert_eq!(key("::ffff:192.0.2.1"), "192.0.2.1");
        assert_eq!(key("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
        assert_eq!(key("2001:db8:1:2::"), "2001:db8:1:2::/64");
        assert_ne!(key("2001:db8:1:3::1"), key("2001:db8:1:2::1"));
        assert_ne!(key("192.0.2.1"), key("192.0.2.2"));
    }
}
