//! Every scenario. The times are promises of the project; the faults are what people have met.

use std::time::Duration;

use super::scenario::{Fault, Middlebox, NOBODY_ELSE, NODE, Network, Scenario};
use crate::fault_proxy::Cut;

/// In the order of the printed table.
pub(crate) fn all() -> Vec<Scenario> {
    [upgrades(), answers(), links(), breaks(), middleboxes(), forward_proxies(), namespaces()]
        .concat()
}

/// What happens to WebSockets.
fn upgrades() -> Vec<Scenario> {
    let on = |name, words| Scenario::new(name, Network::Proxy(words));
    vec![
        on("clean", "--delay 25ms").ends_on(&["websocket"]).first(300).quick(),
        on("WebSocket refused with 400", "--delay 25ms --upgrade refuse=400")
            .ends_on(HTTP)
            .first(500),
        on("WebSocket refused with 403", "--delay 25ms --upgrade refuse=403")
            .ends_on(HTTP)
            .first(500)
            .quick(),
        on("WebSocket answered with a page", "--delay 25ms --upgrade refuse=200")
            .ends_on(HTTP)
            .first(500),
        on("Upgrade header stripped", "--delay 25ms --strip Upgrade --strip Connection")
            .ends_on(HTTP)
            .first(500),
        on("WebSocket black-holed", "--delay 25ms --upgrade swallow")
            .ends_on(HTTP)
            .first(1500)
            .quick(),
        on("WebSocket killed after 0.5 s", "--delay 25ms --upgrade kill=500ms,reset")
            .ends_on(HTTP)
            .settled(3000)
            .watch(60),
        on("WebSocket closed after 0.1 s", "--delay 25ms --upgrade kill=100ms,finish")
            .ends_on(HTTP)
            .settled(3000)
            .watch(10),
        on("WebSocket mute both ways", "--delay 25ms --upgrade mute=both")
            .ends_on(HTTP)
            .first(3000),
        on("WebSocket mute downwards", "--delay 25ms --upgrade mute=down")
            .ends_on(HTTP)
            .first(3000),
        on("WebSocket mute upwards", "--delay 25ms --upgrade mute=up").ends_on(HTTP).first(3000),
        on("a network that heals", "--delay 25ms --upgrade refuse=403")
            .fault(Fault::Heal)
            .ends_on(&["websocket"])
            .recover(RE_PROBE),
    ]
}

/// What happens to requests and their answers.
fn answers() -> Vec<Scenario> {
    let on = |name, words| Scenario::new(name, Network::Proxy(words));
    vec![
        on("answers buffered, no WebSocket", "--delay 25ms --upgrade refuse=403 --answers whole")
            .ends_on(&["polling"])
            .settled(3000)
            .quick(),
        on(
            "answers buffered to 8 kB, no WebSocket",
            "--delay 25ms --upgrade refuse=403 --answers buffer=8192",
        )
        .ends_on(&["polling"])
        .settled(3000),
        on(
            "each piece waits for the next, no WebSocket",
            "--delay 25ms --upgrade refuse=403 --answers hold-last",
        )
        // What is held comes with the next heartbeat.
        .heartbeat(2000, 1000)
        .ends_on(HTTP)
        .first(3000),
        on("only POST gets through", "--delay 25ms --only-posts refuse=403")
            .ends_on(HTTP)
            .settled(4000),
        on("only POST gets through, the rest in a hole", "--delay 25ms --only-posts swallow")
            .ends_on(HTTP)
            .settled(4000),
        on("only POST, answers buffered", "--delay 25ms --only-posts swallow --answers whole")
            .ends_on(&["polling"])
            .settled(4000),
        on("HTTP/1.0", "--delay 25ms --http-1.0").ends_on(&["polling"]).first(3000),
        on("cookies renamed", "--delay 25ms --rename-cookies x_").ends_on(&["websocket"]),
        on("POSTs repeated", "--delay 25ms --upgrade refuse=403 --replay-posts 40ms"),
        on("POSTs out of order", "--delay 25ms --upgrade refuse=403 --reorder-posts 150ms"),
        on("one connection at a time", "--delay 25ms --connections 1").ends_on(&["websocket"]),
    ]
}

/// Slow and unsteady links.
fn links() -> Vec<Scenario> {
    let on = |name, words| Scenario::new(name, Network::Proxy(words));
    vec![
        on("20 kB a second", "--delay 150ms --rate 20000"),
        on("jitter of 300 ms", "--delay 25ms --jitter 300ms"),
        on("idle connections cut after 5 s", "--delay 25ms --idle 5s,reset")
            .quiet(40)
            .settled(20_000),
    ]
}

/// What breaks once all is well.
fn breaks() -> Vec<Scenario> {
    let on = |name| Scenario::new(name, Network::Proxy("--delay 25ms"));
    let (muted, refused) = ("--delay 25ms --mute both", "--delay 25ms --refuse-connections");
    vec![
        on("connections reset").fault(Fault::Cut(Cut::Reset)).recover(2000).quick(),
        on("connections closed").fault(Fault::Cut(Cut::Finish)).recover(2000),
        on("dead but open")
            .heartbeat(2000, 1000)
            .fault(Fault::Moment(muted, Duration::from_millis(400)))
            .recover(4000)
            .quick(),
        on("half-open: the server's end is gone")
            .heartbeat(2000, 1000)
            .fault(Fault::Cut(Cut::Vanish))
            .recover(4000),
        on("mute downwards")
            .heartbeat(2000, 1000)
            .fault(Fault::Moment("--delay 25ms --mute down", Duration::from_millis(400)))
            .recover(4000),
        on("client asleep for 5 s")
            .fault(Fault::Sleep(Duration::from_secs(5)))
            // Noticed within 2 s; then a connection is made.
            .recover(2500)
            .with(&NODE),
        on("no network for 5 s")
            .fault(Fault::Outage(refused, Duration::from_secs(5)))
            .recover(8000),
        Scenario::new(
            "connections reset, no WebSocket",
            Network::Proxy("--delay 25ms --upgrade refuse=403"),
        )
        .fault(Fault::Cut(Cut::Reset))
        .recover(2000),
        Scenario::new(
            "dead but open, no WebSocket",
            Network::Proxy("--delay 25ms --upgrade refuse=403"),
        )
        .heartbeat(2000, 1000)
        .fault(Fault::Moment(
            "--delay 25ms --upgrade refuse=403 --mute both",
            Duration::from_millis(400),
        ))
        .recover(4000),
    ]
}

/// Real proxies in front of the server.
fn middleboxes() -> Vec<Scenario> {
    let front = |name, program, config| {
        let middlebox = Middlebox { program, config };
        Scenario::new(
            name,
            Network::Front { middlebox, words: "--delay 25ms", servers: 1, tls: false },
        )
    };
    let two = |name, program, config| {
        let middlebox = Middlebox { program, config };
        Scenario::new(
            name,
            Network::Front { middlebox, words: "--delay 25ms", servers: 2, tls: false },
        )
        .with(&NODE)
    };
    let tls = |name, program, config| {
        let middlebox = Middlebox { program, config };
        Scenario::new(
            name,
            Network::Front { middlebox, words: "--delay 25ms", servers: 1, tls: true },
        )
        .with(&NODE)
    };
    vec![
        front("nginx as documented", "nginx", "documented.conf").ends_on(&["websocket"]).first(400),
        tls("nginx as documented, TLS", "nginx", "documented-tls.conf")
            .ends_on(&["websocket"])
            .first(600),
        front("nginx, Upgrade stripped", "nginx", "plain.conf").ends_on(HTTP).first(700),
        front("nginx, WebSocket forbidden, buffering", "nginx", "forbidden.conf")
            .ends_on(HTTP)
            .first(700),
        front("nginx, idle timeout 5 s", "nginx", "idle.conf").quiet(40).settled(20_000),
        front("haproxy as documented", "haproxy", "documented.cfg")
            .ends_on(&["websocket"])
            .first(400),
        front("haproxy, Upgrade stripped", "haproxy", "stripped.cfg").ends_on(HTTP).first(700),
        front("haproxy, wait-for-body", "haproxy", "wait-for-body.cfg")
            .ends_on(&["polling"])
            .settled(6000),
        front("haproxy, idle timeout 5 s", "haproxy", "idle.cfg").quiet(40).settled(20_000),
        front("haproxy, idle timeout 5 s, no WebSocket", "haproxy", "idle-http.cfg")
            .quiet(40)
            .settled(20_000),
        two("haproxy, two processes by source address", "haproxy", "two-by-source.cfg")
            .ends_on(&["websocket"]),
        two("haproxy, two processes in turn, no WebSocket", "haproxy", "two-in-turn.cfg")
            .not_yet("sessions live in one process: two need stickiness until there is a broker"),
        front("caddy as documented", "caddy", "documented.Caddyfile")
            .ends_on(&["websocket"])
            .first(400),
    ]
}

/// Proxies that the client is told of.
fn forward_proxies() -> Vec<Scenario> {
    let through = |name, program, config| {
        let middlebox = Middlebox { program, config };
        Scenario::new(name, Network::Forward { middlebox, words: "--delay 25ms" })
            .with(&NOBODY_ELSE)
    };
    vec![
        through("squid, forward proxy", "squid", "open.conf").ends_on(&["websocket"]).first(1000),
        through("squid, no CONNECT to this port", "squid", "no-connect.conf").ends_on(HTTP),
        through("tinyproxy, CONNECT only", "tinyproxy", "connect.conf").ends_on(&["websocket"]),
    ]
}

/// Faults below TCP.
fn namespaces() -> Vec<Scenario> {
    let on = |name| Scenario::new(name, Network::Namespaces(&[])).with(&NODE);
    let seconds = Duration::from_secs;
    vec![
        on("black hole for 3 s")
            .fault(Fault::Commands(&[DROP], seconds(3), &[FLUSH]))
            .recover(8000),
        on("RST for 2 s").fault(Fault::Commands(&[RESET], seconds(2), &[FLUSH])).recover(8000),
        on("cable pulled for 5 s")
            .fault(Fault::Commands(
                &["ip -n $C link set vc down"],
                seconds(5),
                &["ip -n $C link set vc up"],
            ))
            .recover(10_000),
        Scenario::new("10 % loss", Network::Namespaces(&[LOSS])).with(&NODE),
        Scenario::new(
            "256 kbit/s",
            Network::Namespaces(&[
                "tc -n $C qdisc add dev vc root tbf rate 256kbit burst 5kb latency 100ms",
            ]),
        )
        .with(&NODE),
        on("the client's address changes")
            .heartbeat(2000, 1000)
            .fault(Fault::Commands(
                &["ip -n $C addr del 10.99.0.1/24 dev vc", "ip -n $C addr add 10.99.0.3/24 dev vc"],
                Duration::from_millis(1),
                &[],
            ))
            .recover(5000),
        on("the server's sockets killed")
            .fault(Fault::Commands(
                &["ip netns exec $S ss -K state established '( sport = :9130 )' >/dev/null 2>&1"],
                Duration::from_millis(1),
                &[],
            ))
            .recover(3000),
    ]
}

/// Where there is no WebSocket.
const HTTP: &[&str] = &["sse", "polling"];

/// Milliseconds after which a better transport has been tried again.
const RE_PROBE: u64 = 65_000;

const DROP: &str = "ip netns exec $S nft add rule inet f in tcp dport 9130 drop";
const RESET: &str = "ip netns exec $S nft add rule inet f in tcp dport 9130 reject with tcp reset";
const FLUSH: &str = "ip netns exec $S nft flush chain inet f in";
const LOSS: &str =
    "ip netns exec $S nft 'add rule inet f in tcp dport 9130 numgen random mod 100 < 10 drop'";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::scenario::{Fault, Network, faults};
    use super::all;

    #[test]
    fn the_words_of_every_scenario_can_be_read() {
        for scenario in all() {
            match scenario.network {
                Network::Proxy(words)
                | Network::Front { words, .. }
                | Network::Forward { words, .. } => drop(faults(words)),
                Network::Namespaces(_) => {}
            }
            if let Fault::Moment(words, _) | Fault::Outage(words, _) = scenario.fault {
                drop(faults(words));
            }
        }
    }

    #[test]
    fn no_two_scenarios_have_one_name() {
        let names: BTreeSet<&str> = all().iter().map(|scenario| scenario.name).collect();
        assert_eq!(names.len(), all().len());
    }
}
