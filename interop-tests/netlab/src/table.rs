//! Every scenario. The times are promises of the project; the faults are what people have met.

use std::time::Duration;

use crate::scenario::{Fault, Middlebox, NOBODY_ELSE, NODE, Network, OURS, Proof, Scenario};
use bowline_fault_proxy::Cut;

/// In the order of the printed table.
pub(crate) fn all() -> Vec<Scenario> {
    [upgrades(), answers(), links(), breaks(), middleboxes(), forward_proxies(), namespaces()]
        .concat()
}

/// What happens to WebSockets.
fn upgrades() -> Vec<Scenario> {
    let refused = |name, words| Scenario::new(name, Network::Proxy(words), REFUSED);
    let killed = |name, words| Scenario::new(name, Network::Proxy(words), CUT);
    let mute = |name, words| Scenario::new(name, Network::Proxy(words), MUTED);
    vec![
        Scenario::new("clean", Network::Proxy("--delay 25ms"), PASSED)
            .ends_on(&["websocket"])
            .first(CLEAN)
            .quick(),
        refused("WebSocket refused with 400", "--delay 25ms --upgrade refuse=400")
            .ends_on(HTTP)
            .first(500),
        refused("WebSocket refused with 403", "--delay 25ms --upgrade refuse=403")
            .ends_on(HTTP)
            .first(500)
            .quick(),
        refused("WebSocket answered with a page", "--delay 25ms --upgrade refuse=200")
            .ends_on(HTTP)
            .first(500),
        Scenario::new(
            "Upgrade header stripped",
            Network::Proxy("--delay 25ms --strip Upgrade --strip Connection"),
            NOT_UPGRADED,
        )
        .ends_on(HTTP)
        .first(500),
        refused("WebSocket black-holed", "--delay 25ms --upgrade swallow")
            .ends_on(HTTP)
            .first(1500)
            .quick(),
        killed("WebSocket killed after 0.5 s", "--delay 25ms --upgrade kill=500ms,reset")
            .ends_on(HTTP)
            .watch(60),
        killed("WebSocket closed after 0.1 s", "--delay 25ms --upgrade kill=100ms,finish")
            .ends_on(HTTP)
            .watch(60),
        mute("WebSocket mute both ways", "--delay 25ms --upgrade mute=both")
            .ends_on(HTTP)
            .first(3000),
        mute("WebSocket mute downwards", "--delay 25ms --upgrade mute=down")
            .ends_on(HTTP)
            .first(3000),
        mute("WebSocket mute upwards", "--delay 25ms --upgrade mute=up").ends_on(HTTP).first(3000),
        refused("a network that heals", "--delay 25ms --upgrade refuse=403")
            .fault(Fault::Heal)
            .ends_on(&["websocket"])
            .recover(RE_PROBE),
    ]
}

/// What happens to requests and their answers.
fn answers() -> Vec<Scenario> {
    let held = |name, words| Scenario::new(name, Network::Proxy(words), HELD);
    let refused = |name, words| Scenario::new(name, Network::Proxy(words), REFUSED);
    let counted =
        |name, words, counted| Scenario::new(name, Network::Proxy(words), Proof::Counted(counted));
    vec![
        held("answers buffered, no WebSocket", "--delay 25ms --upgrade refuse=403 --answers whole")
            .ends_on(&["polling"])
            .quick(),
        held(
            "answers buffered to 8 kB, no WebSocket",
            "--delay 25ms --upgrade refuse=403 --answers buffer=8192",
        )
        .ends_on(&["polling"]),
        held(
            "each piece waits for the next, no WebSocket",
            "--delay 25ms --upgrade refuse=403 --answers hold-last",
        )
        // What is held comes with the next heartbeat.
        .heartbeat(2000, 1000)
        .ends_on(HTTP)
        .first(3000),
        refused("only POST gets through", "--delay 25ms --only-posts refuse=403")
            .ends_on(HTTP)
            .settled(4000),
        refused("only POST gets through, the rest in a hole", "--delay 25ms --only-posts swallow")
            .ends_on(HTTP)
            .settled(4000),
        refused("only POST, answers buffered", "--delay 25ms --only-posts swallow --answers whole")
            .ends_on(&["polling"])
            .settled(4000),
        counted("HTTP/1.0", "--delay 25ms --http-1.0", |all| all.rewritten > 0)
            .ends_on(&["polling"])
            .first(3000),
        counted("POSTs repeated", "--delay 25ms --upgrade refuse=403 --replay-posts 40ms", |all| {
            all.replayed > 0
        }),
        // One POST is under way at a time, so only a poll and a POST can overtake each other.
        // Others poll with GET.
        counted(
            "polls and POSTs out of order",
            "--delay 25ms --upgrade refuse=403 --answers whole --reorder-posts 150ms",
            |all| all.reordered > 0,
        )
        .ends_on(&["polling"])
        .with(&OURS),
        counted("one connection at a time", "--delay 25ms --connections 1", |all| all.busiest == 1)
            .ends_on(&["websocket"]),
    ]
}

/// Slow and unsteady links.
fn links() -> Vec<Scenario> {
    let on = |name, words, proof| Scenario::new(name, Network::Proxy(words), proof);
    vec![
        on("20 kB a second", "--delay 150ms --rate 20000", LATE),
        on("jitter of 300 ms", "--delay 25ms --jitter 300ms", LATE),
        on("idle connections cut after 5 s", "--delay 25ms --idle 5s,reset", CUT)
            .quiet(40)
            .ends_on(&["websocket"])
            .settled(IDLE),
    ]
}

/// What breaks once all is well.
fn breaks() -> Vec<Scenario> {
    let on = |name, proof| Scenario::new(name, Network::Proxy("--delay 25ms"), proof);
    let over_http = |name, proof| {
        Scenario::new(name, Network::Proxy("--delay 25ms --upgrade refuse=403"), proof)
    };
    let (muted, refused) = ("--delay 25ms --mute both", "--delay 25ms --refuse-connections");
    let a_moment = Duration::from_millis(400);
    vec![
        on("connections reset", Proof::Fault).fault(Fault::Cut(Cut::Reset)).recover(2000).quick(),
        on("connections closed", Proof::Fault).fault(Fault::Cut(Cut::Finish)).recover(2000),
        on("dead but open", MUTED)
            .heartbeat(2000, 1000)
            .fault(Fault::Moment(muted, a_moment))
            .noticed(4000)
            .recover(4000)
            .quick(),
        on("half-open: the server's end is gone", Proof::Fault)
            .heartbeat(2000, 1000)
            .fault(Fault::Cut(Cut::Vanish))
            .noticed(4000)
            .recover(4000),
        on("half-open, everybody's own heartbeat", Proof::Fault)
            .fault(Fault::Cut(Cut::Vanish))
            .noticed(50_000)
            .recover(50_000),
        on("mute downwards", MUTED)
            .heartbeat(2000, 1000)
            .fault(Fault::Moment("--delay 25ms --mute down", a_moment))
            .noticed(4000)
            .recover(4000),
        on("client asleep for 5 s", Proof::Fault)
            .fault(Fault::Sleep(Duration::from_secs(5)))
            .noticed(2000)
            // A connection more has to be made.
            .recover(2000 + CLEAN)
            .with(&NODE),
        on("no network for 5 s", Proof::Counted(|all| all.refused_connections > 0))
            .fault(Fault::Outage(refused, Duration::from_secs(5)))
            .recover(8000),
        over_http("connections reset, no WebSocket", Proof::Fault)
            .fault(Fault::Cut(Cut::Reset))
            .recover(2000),
        over_http("dead but open, no WebSocket", MUTED)
            .heartbeat(2000, 1000)
            .fault(Fault::Moment("--delay 25ms --upgrade refuse=403 --mute both", a_moment))
            .noticed(4000)
            .recover(4000),
    ]
}

/// Real proxies in front of the server.
fn middleboxes() -> Vec<Scenario> {
    let front = |name, program, config, proof| {
        let middlebox = Middlebox { program, config };
        let network = Network::Front { middlebox, words: "--delay 25ms", servers: 1, tls: false };
        Scenario::new(name, network, proof)
    };
    let two = |name, program, config, proof| {
        let middlebox = Middlebox { program, config };
        let network = Network::Front { middlebox, words: "--delay 25ms", servers: 2, tls: false };
        Scenario::new(name, network, proof).with(&NODE)
    };
    let tls = |name, program, config| {
        let middlebox = Middlebox { program, config };
        let network = Network::Front { middlebox, words: "--delay 25ms", servers: 1, tls: true };
        Scenario::new(name, network, PASSED).with(&NODE)
    };
    vec![
        front("nginx as documented", "nginx", "documented.conf", UPGRADED)
            .ends_on(&["websocket"])
            .first(CLEAN),
        tls("nginx as documented, TLS", "nginx", "documented-tls.conf")
            .ends_on(&["websocket"])
            // The handshake is a round trip more, and keys.
            .first(CLEAN + 100),
        front("nginx, Upgrade stripped", "nginx", "plain.conf", NOT_UPGRADED)
            .ends_on(HTTP)
            .first(500),
        front("nginx, WebSocket forbidden, buffering", "nginx", "forbidden.conf", NOT_UPGRADED)
            .ends_on(HTTP)
            .first(500),
        front("nginx, idle timeout 5 s", "nginx", "idle.conf", CLOSED)
            .quiet(40)
            .ends_on(&["websocket"])
            .settled(IDLE),
        front("haproxy as documented", "haproxy", "documented.cfg", UPGRADED)
            .ends_on(&["websocket"])
            .first(CLEAN),
        front("haproxy, Upgrade stripped", "haproxy", "stripped.cfg", NOT_UPGRADED)
            .ends_on(HTTP)
            .first(500),
        front("haproxy, wait-for-body", "haproxy", "wait-for-body.cfg", NOT_UPGRADED)
            .ends_on(&["polling"]),
        front("haproxy, idle timeout 5 s", "haproxy", "idle.cfg", CLOSED)
            .quiet(40)
            .ends_on(&["websocket"])
            .settled(IDLE),
        front("haproxy, idle timeout 5 s, no WebSocket", "haproxy", "idle-http.cfg", CLOSED)
            .quiet(40)
            .ends_on(HTTP)
            .settled(IDLE),
        two("haproxy, two processes by source address", "haproxy", "two-by-source.cfg", UPGRADED)
            .ends_on(&["websocket"]),
        two("haproxy, two processes in turn, no WebSocket", "haproxy", IN_TURN, NOT_UPGRADED)
            .ends_on(HTTP)
            .first(500),
        front("caddy as documented", "caddy", "documented.Caddyfile", UPGRADED)
            .ends_on(&["websocket"])
            .first(CLEAN),
    ]
}

/// Proxies that the client is told of.
fn forward_proxies() -> Vec<Scenario> {
    let through = |name, program, config| {
        let middlebox = Middlebox { program, config };
        Scenario::new(name, Network::Forward { middlebox, words: "--delay 25ms" }, PASSED)
            .with(&NOBODY_ELSE)
    };
    vec![
        through("squid, forward proxy", "squid", "open.conf").ends_on(&["websocket"]).first(500),
        through("squid, no CONNECT to this port", "squid", "no-connect.conf")
            .ends_on(HTTP)
            .first(500),
        through("tinyproxy, CONNECT only", "tinyproxy", "connect.conf")
            .ends_on(&["websocket"])
            .first(500),
    ]
}

/// Faults below TCP.
fn namespaces() -> Vec<Scenario> {
    let on = |name, commands, proof| {
        Scenario::new(name, Network::Namespaces(commands), proof).with(&NODE)
    };
    let seconds = Duration::from_secs;
    vec![
        on("black hole for 3 s", &[], CAUGHT)
            .fault(Fault::Commands(&[DROP], seconds(3), &[FLUSH]))
            .recover(8000),
        on("RST for 2 s", &[], CAUGHT)
            .fault(Fault::Commands(&[RESET], seconds(2), &[FLUSH]))
            .recover(8000),
        on(
            "cable pulled for 5 s",
            &[],
            Proof::Command("ip -n $C link show vc | grep -q 'state DOWN'"),
        )
        .fault(Fault::Commands(
            &["ip -n $C link set vc down"],
            seconds(5),
            &["ip -n $C link set vc up"],
        ))
        .recover(10_000),
        on("10 % loss", &[LOSS], CAUGHT),
        on("32 kbit/s", &[RATE], Proof::Command(LIMITED)),
        on(
            "the client's address changes",
            &[],
            Proof::Command("! ip -n $C addr | grep -q 10.99.0.1/"),
        )
        .heartbeat(2000, 1000)
        .fault(Fault::Commands(
            &["ip -n $C addr del 10.99.0.1/24 dev vc", "ip -n $C addr add 10.99.0.3/24 dev vc"],
            Duration::from_millis(1),
            &[],
        ))
        .recover(5000),
        on("the server's sockets killed", &[], Proof::Fault)
            .fault(Fault::KillSockets)
            .recover(3000),
    ]
}

/// Something came through the fault proxy, which is not asked for more.
const PASSED: Proof = Proof::Counted(|all| all.bytes_up > 0 && all.bytes_down > 0);
const REFUSED: Proof = Proof::Counted(|all| all.refused_upgrades + all.refused_requests > 0);
const UPGRADED: Proof = Proof::Counted(|all| all.upgraded > 0);
/// WebSockets were asked for, and what stands behind the fault proxy let none through.
const NOT_UPGRADED: Proof = Proof::Counted(|all| all.upgrades > 0 && all.upgraded == 0);
const CUT: Proof = Proof::Counted(|all| all.cut > 0);
const CLOSED: Proof = Proof::Counted(|all| all.closed_by_server > 0);
const MUTED: Proof = Proof::Counted(|all| all.bytes_muted > 0);
const HELD: Proof = Proof::Counted(|all| all.held > 0);
const LATE: Proof = Proof::Counted(|all| all.late > 0);

/// A rule has caught packets.
const CAUGHT: Proof =
    Proof::Command("ip netns exec $S nft list chain inet f in | grep -q 'packets [1-9]'");

/// Where there is no WebSocket.
const HTTP: &[&str] = &["sse", "polling"];

/// Milliseconds after which a better transport has been tried again.
const RE_PROBE: u64 = 65_000;

/// Milliseconds up to the first message where nothing is in the way: four round trips of 50 ms to
/// be connected and welcomed and to have an answer, and the machine.
const CLEAN: u64 = 250;

const IN_TURN: &str = "two-in-turn.cfg";

/// Milliseconds after which an idle timeout of 5 s has been found out.
const IDLE: u64 = 20_000;

const DROP: &str = "ip netns exec $S nft add rule inet f in tcp dport 9130 counter drop";
const RESET: &str =
    "ip netns exec $S nft add rule inet f in tcp dport 9130 counter reject with tcp reset";
const FLUSH: &str = "ip netns exec $S nft flush chain inet f in";
const LOSS: &str = "ip netns exec $S nft 'add rule inet f in tcp dport 9130 numgen random mod \
    100 < 10 counter drop'";
const RATE: &str = "tc -n $C qdisc add dev vc root tbf rate 32kbit burst 2kb latency 500ms";
const LIMITED: &str = "tc -n $C -s qdisc show dev vc | grep -q 'overlimits [1-9]'";

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
