//! The trusted proxies, and what they state about a client.

use std::net::IpAddr;

use actix_web::dev::RequestHead;
use actix_web::http::header::HeaderName;
use ipnet::{IpNet, Ipv4Net};

use super::forwarded::{self, Hop};

/// The trusted proxies: none unless the application names some.
#[derive(Debug, Default)]
pub(crate) struct Proxies {
    networks: Vec<IpNet>,
    /// Whoever connects over a Unix socket, and has no address.
    unix: bool,
}

/// What is known of the client of a request.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Client {
    pub(crate) address: Option<IpAddr>,
    /// It came over TLS, or did not; `None` if no proxy that is believed has said so.
    pub(crate) https: Option<bool>,
    /// The hosts that it has asked for, as the proxies that are believed have it. Mostly one.
    pub(crate) hosts: Vec<String>,
    /// The two headers disagree about the address.
    pub(crate) is_disputed: bool,
}

/// The outermost proxy that is believed.
struct Outermost {
    /// How many proxies that are believed are between it and this server.
    distance: usize,
    /// Where its request came from; the proxy itself if it does not say.
    address: Option<IpAddr>,
    said: Hop,
}

impl Proxies {
    /// Believes these too: an address, a network such as `10.0.0.0/8`, or `unix`.
    ///
    /// # Errors
    /// What to write instead.
    pub(crate) fn add(&mut self, network: &str) -> Result<(), String> {
        if network == "unix" {
            self.unix = true;
            return Ok(());
        }
        let network = match (network.parse::<IpNet>(), network.parse::<IpAddr>()) {
            (Ok(network), _) => network,
            (_, Ok(address)) => address.into(),
            _ => return Err("write an address, a network such as 10.0.0.0/8, or unix".to_owned()),
        };
        self.networks.push(canonical(network));
        Ok(())
    }

    /// What is known of the client of a request: the peer of the connection, or the client that
    /// trusted proxies name.
    pub(crate) fn client(&self, request: &RequestHead) -> Client {
        let peer = request.peer_addr.map(|peer| peer.ip().to_canonical());
        if !self.believes(peer) {
            return Client { address: peer, ..Client::default() };
        }
        let headers = request.headers();
        let standard = self.outermost(peer, forwarded::forwarded(headers));
        let from = |from| Hop { from, ..Hop::default() };
        let older = self.outermost(peer, forwarded::x_forwarded_for(headers).map(from));
        let both = standard.as_ref().zip(older.as_ref());
        let is_disputed = both.is_some_and(|(one, other)| one.address != other.address);
        let either = older.as_ref().or(standard.as_ref());
        let distance = either.map_or(0, |outermost| outermost.distance);
        let address = either.filter(|_| !is_disputed).map_or(peer, |outermost| outermost.address);
        let item = |name| forwarded::item(headers, &HeaderName::from_static(name), distance);
        let Hop { proto, host, .. } = standard.map(|outermost| outermost.said).unwrap_or_default();
        let protos: Vec<_> = proto.into_iter().chain(item("x-forwarded-proto")).collect();
        Client {
            address,
            https: (!protos.is_empty()).then(|| protos.iter().any(|proto| proto == "https")),
            hosts: host.into_iter().chain(item("x-forwarded-host")).collect(),
            is_disputed,
        }
    }

    fn believes(&self, peer: Option<IpAddr>) -> bool {
        match peer {
            None => self.unix,
            Some(peer) => self.networks.iter().any(|network| network.contains(&peer)),
        }
    }

    /// Goes from one proxy to the next for as long as they are believed. `None` if none has said
    /// anything.
    fn outermost(
        &self,
        peer: Option<IpAddr>,
        hops: impl Iterator<Item = Hop>,
    ) -> Option<Outermost> {
        let mut outermost = None;
        let mut address = peer;
        for (distance, said) in hops.take(MAX_PROXIES).enumerate() {
            let from = said.from;
            address = from.or(address);
            outermost = Some(Outermost { distance, address, said });
            if from.is_none_or(|from| !self.believes(Some(from))) {
                break;
            }
        }
        outermost
    }
}

/// IPv4 networks that are written as IPv6 networks are IPv4 networks, as addresses are.
fn canonical(network: IpNet) -> IpNet {
    let IpNet::V6(mapped) = network else { return network };
    let address = mapped.addr().to_ipv4_mapped();
    let length = mapped.prefix_len().checked_sub(96);
    let mapped =
        address.zip(length).and_then(|(address, length)| Ipv4Net::new(address, length).ok());
    mapped.map_or(network, IpNet::V4)
}

/// Proxies in a row that are asked at most: a client can write down as many as it likes.
const MAX_PROXIES: usize = 16;

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::{Client, Proxies};

    fn proxies(networks: &[&str]) -> Proxies {
        let mut proxies = Proxies::default();
        for network in networks {
            proxies.add(network).unwrap();
        }
        proxies
    }

    fn client(proxies: &Proxies, peer: &str, headers: &[(&str, &str)]) -> Client {
        let mut request = TestRequest::default();
        if !peer.is_empty() {
            request = request.peer_addr(peer.parse().unwrap());
        }
        let request =
            headers.iter().fold(request, |request, header| request.append_header(*header));
        proxies.client(request.to_http_request().head())
    }

    fn address(proxies: &Proxies, peer: &str, headers: &[(&str, &str)]) -> String {
        client(proxies, peer, headers)
            .address
            .map_or_else(String::new, |address| address.to_string())
    }

    const FOR: &str = "x-forwarded-for";

    #[test]
    fn only_configured_proxies_are_trusted() {
        let said: &[_] =
            &[(FOR, "192.0.2.1"), ("forwarded", "for=192.0.2.1;proto=https;host=a.test")];
        let own = Client { address: Some([10, 0, 0, 1].into()), ..Client::default() };
        assert_eq!(client(&proxies(&[]), "10.0.0.1:5", said), own);
        assert_eq!(client(&proxies(&["10.0.0.2", "10.1.0.0/16"]), "10.0.0.1:5", said), own);
        let believed = client(&proxies(&["10.0.0.0/8"]), "10.0.0.1:5", said);
        assert_eq!(believed.address, Some([192, 0, 2, 1].into()));
        assert_eq!(believed.https, Some(true));
        assert_eq!(believed.hosts, ["a.test"]);
    }

    #[test]
    fn the_last_address_that_is_no_proxy_of_ours_is_the_client() {
        let ours = proxies(&["10.0.0.0/8", "fd00::/8", "::ffff:172.16.0.0/108"]);
        let at = |peer, text: &str| address(&ours, peer, &[(FOR, text)]);
        assert_eq!(at("10.0.0.1:5", "192.0.2.1"), "192.0.2.1");
        assert_eq!(at("10.0.0.1:5", "203.0.113.9, 192.0.2.1, 10.0.0.7, fd00::1"), "192.0.2.1");
        assert_eq!(at("[::ffff:10.0.0.1]:5", "192.0.2.1, ::ffff:172.16.0.9"), "192.0.2.1");
        assert_eq!(at("10.0.0.1:5", "10.0.0.9"), "10.0.0.9", "a client within the network");
        assert_eq!(at("192.0.2.5:5", "192.0.2.1"), "192.0.2.5", "it is no proxy");
    }

    #[test]
    fn who_is_not_named_counts_as_the_proxy_that_does_not_name_it() {
        let ours = proxies(&["10.0.0.0/8"]);
        for unnamed in ["unknown", "_hidden", "garbage", "1.2.3.4.5", "\"192.0.2.1\""] {
            let text = format!("192.0.2.1, {unnamed}, 10.0.0.7");
            assert_eq!(address(&ours, "10.0.0.1:5", &[(FOR, &text)]), "10.0.0.7", "{unnamed}");
        }
        for unnamed in ["for=unknown", "for=_hidden", "for=garbage", "proto=https", "for=\"", "x"] {
            let text = format!("for=192.0.2.1, {unnamed}");
            assert_eq!(
                address(&ours, "10.0.0.1:5", &[("forwarded", &text)]),
                "10.0.0.1",
                "{unnamed}"
            );
        }
        assert_eq!(address(&ours, "10.0.0.1:5", &[]), "10.0.0.1");
        assert_eq!(address(&ours, "10.0.0.1:5", &[(FOR, "")]), "10.0.0.1");
    }

    #[test]
    fn two_headers_that_disagree_name_nobody() {
        let ours = proxies(&["10.0.0.0/8"]);
        let said: &[_] = &[(FOR, "192.0.2.1"), ("forwarded", "for=192.0.2.2")];
        let found = client(&ours, "10.0.0.1:5", said);
        assert_eq!((found.address, found.is_disputed), (Some([10, 0, 0, 1].into()), true));
        let said: &[_] = &[(FOR, "192.0.2.1"), ("forwarded", "for=\"192.0.2.1:99\"")];
        let found = client(&ours, "10.0.0.1:5", said);
        assert_eq!((found.address, found.is_disputed), (Some([192, 0, 2, 1].into()), false));
    }

    #[test]
    fn peers_of_a_unix_socket_are_trusted_only_if_configured() {
        let said: &[_] = &[(FOR, "192.0.2.1")];
        assert_eq!(address(&proxies(&["10.0.0.0/8"]), "", said), "");
        assert_eq!(address(&proxies(&["unix"]), "", said), "192.0.2.1");
        assert_eq!(address(&proxies(&["unix"]), "10.0.0.1:5", said), "10.0.0.1");
    }

    #[test]
    fn the_scheme_and_the_host_are_those_of_the_request_to_the_outermost_proxy() {
        let ours = proxies(&["10.0.0.0/8"]);
        let told = |headers: &[(&str, &str)]| {
            let found = client(&ours, "10.0.0.1:5", headers);
            (found.https, found.hosts)
        };
        let two =
            "for=192.0.2.1;proto=https;host=outer.test, for=10.0.0.7;proto=http;host=inner.test";
        assert_eq!(told(&[("forwarded", two)]), (Some(true), vec!["outer.test".to_owned()]));
        let forged = format!("for=192.0.2.9;proto=http;host=evil.test, {two}");
        assert_eq!(told(&[("forwarded", &forged)]), (Some(true), vec!["outer.test".to_owned()]));
        let old: &[_] = &[
            (FOR, "192.0.2.1, 10.0.0.7"),
            ("x-forwarded-proto", "https, http"),
            ("x-forwarded-host", "outer.test, inner.test"),
        ];
        assert_eq!(told(old), (Some(true), vec!["outer.test".to_owned()]));
        let replaced: &[_] = &[(FOR, "192.0.2.1, 10.0.0.7"), ("x-forwarded-proto", "https")];
        assert_eq!(told(replaced), (Some(true), vec![]));
        assert_eq!(told(&[("x-forwarded-proto", "http")]), (Some(false), vec![]));
        assert_eq!(told(&[]), (None, vec![]));
    }

    #[test]
    fn a_client_that_writes_down_many_proxies_costs_no_more() {
        let ours = proxies(&["10.0.0.0/8"]);
        let text = format!("192.0.2.1{}", ", 10.0.0.9".repeat(5_000));
        assert_eq!(address(&ours, "10.0.0.1:5", &[(FOR, &text)]), "10.0.0.9");
    }

    #[test]
    fn an_invalid_network_is_an_error_with_the_correct_form() {
        for wrong in ["", "localhost", "10.0.0.0/33", "10.0.0", "*", "10.0.0.1:80", "[::1]"] {
            let error = Proxies::default().add(wrong).expect_err(wrong);
            assert!(error.contains("10.0.0.0/8"), "{wrong}: {error}");
        }
    }
}
