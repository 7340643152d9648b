//! Hours in unreliable networks, with a server that broadcasts twice a second.

use bowline_protocol::{Batch, Limits, OpenKey, Time, Transmit};
use fastrand::Rng;

use super::{
    Duration, End, Engine, EngineConfig, FirstLine, Output, Route, SECRET, SESSION, Transport, text,
};
use crate::engine::Verdict;

const ALL: [Transport; 3] = [Transport::WebSocket, Transport::Sse, Transport::Polling];
const TICK: u64 = 10;
const BROADCAST: u64 = 500;

/// The faults of a network; times in milliseconds.
#[derive(Default, Clone)]
struct Weather {
    /// Every carrier is cut at an age between these, whatever its transport.
    cuts: Option<(u64, u64)>,
    /// How long nothing works after a cut.
    outage: u64,
    /// Attempts in an outage are not refused, but wait for its end.
    hangs: bool,
    /// The network cuts carriers of these transports at this age; at 0, before their welcome.
    kills: Vec<(Transport, u64)>,
    /// The transports that are refused.
    refuses: Vec<Transport>,
    /// How long a WebSocket takes to open.
    slow: u64,
    /// The only transport that the client may use, if not all.
    only: Option<Transport>,
}

/// A client, its network and its server.
struct World {
    engine: Engine,
    now: Time,
    weather: Weather,
    rng: Rng,
    down_until: u64,
    carrier: Option<Carrier>,
    trial: Option<(Transport, u64)>,
    published: Vec<u64>,
    /// How long each message was on its way.
    delays: Vec<u64>,
    /// Which transport served, and since when.
    served: Vec<(u64, Transport)>,
    /// When the client tried something while nothing worked.
    vain: Vec<u64>,
    verdicts: Vec<Verdict>,
}

struct Carrier {
    transport: Transport,
    stage: Stage,
    began: u64,
    cut_at: u64,
    /// Messages that the server has sent on it.
    sent: usize,
    /// A poll waits, or there is a stream.
    open: bool,
}

#[derive(PartialEq)]
enum Stage {
    Opening,
    Silent,
    Greeting { fresh: bool },
    Serving,
}

impl World {
    fn new(weather: Weather, seed: u64) -> Self {
        let transports = weather.only.map_or_else(|| ALL.to_vec(), |transport| vec![transport]);
        let engine = Engine::new(EngineConfig::new(transports), seed, Time::ZERO);
        let mut world = Self {
            engine,
            now: Time::ZERO,
            weather,
            rng: Rng::with_seed(seed),
            down_until: 0,
            carrier: None,
            trial: None,
            published: Vec::new(),
            delays: Vec::new(),
            served: Vec::new(),
            vain: Vec::new(),
            verdicts: Vec::new(),
        };
        world.engine.start(world.now);
        world
    }

    fn after(weather: &Weather, seed: u64, time: Duration) -> Self {
        let mut world = Self::new(weather.clone(), seed);
        world.run(time);
        world
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.now = self.now + Duration::from_millis(TICK);
            if self.at().is_multiple_of(BROADCAST) {
                self.published.push(self.at());
            }
            self.strike();
            self.engine.handle_timeout(self.now);
            self.drain();
            while self.progress() {
                self.drain();
            }
            self.verdicts.extend(self.engine.verdict(self.now));
        }
    }

    const fn at(&self) -> u64 {
        self.now.as_millis()
    }

    const fn is_up(&self) -> bool {
        self.at() >= self.down_until
    }

    /// Nothing works for a while.
    fn break_down(&mut self, outage: u64) {
        self.down_until = self.at() + outage;
        self.lose();
    }

    fn strike(&mut self) {
        let serving = self.carrier.as_ref().filter(|carrier| carrier.stage == Stage::Serving);
        let Some(carrier) = serving else { return };
        let age = self.at() - carrier.began;
        if self.at() >= carrier.cut_at {
            self.break_down(self.weather.outage);
        } else if self.kill_age(carrier.transport).is_some_and(|at| age >= at) {
            self.lose();
        }
    }

    fn kill_age(&self, transport: Transport) -> Option<u64> {
        self.weather.kills.iter().find(|(kind, _)| *kind == transport).map(|(_, age)| *age)
    }

    fn lose(&mut self) {
        if self.carrier.take().is_some() {
            self.engine.ended(End::Lost("cut".into()), self.now);
            self.drain();
        }
    }

    /// The next step of the network and the server. False if there is none now.
    fn progress(&mut self) -> bool {
        if let Some((transport, began)) = self.trial
            && self.at() >= began + self.weather.slow
            && (self.is_up() || !self.weather.hangs)
        {
            self.trial = None;
            let works = self.is_up() && !self.weather.refuses.contains(&transport);
            let outcome = if works { Ok(()) } else { Err(End::Lost("refused".into())) };
            self.engine.tried(outcome, self.now);
            return true;
        }
        let Some(carrier) = &self.carrier else { return false };
        if carrier.stage == Stage::Serving {
            return self.deliver();
        }
        let refused = self.weather.refuses.contains(&carrier.transport);
        let is_opening = carrier.stage == Stage::Opening;
        if is_opening && self.is_up() && self.at() < carrier.began + self.weather.slow {
            return false;
        }
        if carrier.stage == Stage::Silent || (!self.is_up() && self.weather.hangs) {
            return false;
        } else if refused || !self.is_up() {
            if !self.is_up() {
                self.vain.push(self.at());
            }
            self.lose();
        } else {
            self.go_on();
        }
        true
    }

    fn go_on(&mut self) {
        let Some(carrier) = &mut self.carrier else { return };
        let transport = carrier.transport;
        let Stage::Greeting { fresh } = carrier.stage else {
            carrier.stage = Stage::Silent;
            return self.engine.sent();
        };
        if self.kill_age(transport) == Some(0) {
            return self.lose();
        }
        let (low, high) = self.weather.cuts.unwrap_or((u64::MAX, u64::MAX));
        let cut_at = self.now.as_millis().saturating_add(self.rng.u64(low..=high));
        let Some(carrier) = &mut self.carrier else { return };
        (carrier.stage, carrier.cut_at) = (Stage::Serving, cut_at);
        let secret = if fresh { format!(" secret={SECRET}") } else { String::new() };
        let next = carrier.sent + 1;
        self.served.push((self.now.as_millis(), transport));
        self.receive(&format!(
            "welcome sid={SESSION}{secret} recv=0 next={next} heartbeat=25000 \
         grace=15000 window=120000"
        ));
        self.answered(transport);
    }

    fn deliver(&mut self) -> bool {
        let waiting = self.published.len();
        let Some(carrier) = &mut self.carrier else { return false };
        let (sent, transport) = (carrier.sent, carrier.transport);
        if sent == waiting || !carrier.open {
            return false;
        }
        carrier.sent = waiting;
        let position = if transport == Transport::Polling {
            format!("n {}\n", sent + 1)
        } else {
            String::new()
        };
        let events: Vec<_> = (sent..waiting).map(|number| format!("e m{number}")).collect();
        self.receive(&format!("{position}{}", events.join("\n")));
        self.answered(transport);
        true
    }

    /// A poll has its response.
    fn answered(&mut self, transport: Transport) {
        if transport == Transport::Polling {
            if let Some(carrier) = &mut self.carrier {
                carrier.open = false;
            }
            self.engine.polled(false, self.now);
        }
    }

    fn receive(&mut self, lines: &str) {
        let body = bytes::Bytes::copy_from_slice(lines.as_bytes());
        let mut batch = Batch::new(body, &Limits::default()).unwrap();
        while let Some(packet) = batch.next_packet() {
            self.engine.packet(packet, self.now);
        }
    }

    fn drain(&mut self) {
        loop {
            match self.engine.poll_output(self.now) {
                Output::Wait(_) => return,
                Output::Open => self.use_carrier(Transport::WebSocket, Stage::Opening, 0),
                Output::Drop => self.carrier = None,
                Output::Aside => {
                    let carrier = self.carrier.take().expect("a WebSocket is being opened");
                    self.trial = Some((carrier.transport, carrier.began));
                }
                Output::Adopt => self.use_carrier(Transport::WebSocket, Stage::Silent, 0),
                Output::Trial(trial) => self.trial = trial.map(|transport| (transport, self.at())),
                Output::Introduce => {
                    self.engine.introduce(OpenKey::from_bytes([1; 16]), Ok("".into()), self.now);
                }
                Output::Send(route, outgoing) => {
                    let line = outgoing.line.as_ref().map_or_else(String::new, FirstLine::reveal);
                    self.send(route, &line, &outgoing.packets);
                }
                Output::Message { message, .. } => {
                    let number = self.delays.len();
                    assert_eq!(message.name.to_string(), format!("m{number}"), "in order, once");
                    self.delays.push(self.at() - self.published[number]);
                }
                _ => {}
            }
        }
    }

    fn use_carrier(&mut self, transport: Transport, stage: Stage, sent: usize) {
        let began = self.at();
        self.carrier = Some(Carrier { transport, stage, began, cut_at: 0, sent, open: true });
    }

    fn send(&mut self, route: Route, line: &str, packets: &[Transmit]) {
        let transport = match route {
            Route::Socket => Transport::WebSocket,
            Route::Stream => Transport::Sse,
            Route::Poll => Transport::Polling,
            Route::Post => {
                self.answer(packets);
                return self.engine.posted(self.now);
            }
        };
        if line.is_empty() {
            self.answer(packets);
        } else if let Some(carrier) = &mut self.carrier
            && carrier.stage == Stage::Serving
        {
            carrier.open = true;
        } else {
            let fresh = line.starts_with("open");
            let received = line.split(' ').find_map(|pair| pair.strip_prefix("recv="));
            let received = received.map_or(0, |number| number.parse().unwrap());
            self.use_carrier(transport, Stage::Greeting { fresh }, received);
        }
        if route == Route::Socket {
            self.engine.sent();
        }
    }

    fn answer(&mut self, packets: &[Transmit]) {
        if packets.iter().any(|packet| text(packet) == "h rtt") {
            self.receive("a rtt");
        }
    }

    fn share_of(&self, transport: Transport) -> f64 {
        let ends = self.served.iter().skip(1).map(|(at, _)| *at).chain([self.at()]);
        let spans = self.served.iter().zip(ends).map(|((at, kind), end)| (*kind, end - at));
        let of_it: u64 = spans.filter(|(kind, _)| *kind == transport).map(|(_, span)| span).sum();
        of_it as f64 / self.at() as f64
    }

    fn transports(&self) -> Vec<Transport> {
        self.served.iter().map(|(_, transport)| *transport).collect()
    }
}

fn percentile(worlds: &[World], percent: usize) -> u64 {
    let mut delays: Vec<_> = worlds.iter().flat_map(|world| world.delays.iter().copied()).collect();
    delays.sort_unstable();
    delays[(delays.len() * percent / 100).min(delays.len() - 1)]
}

/// Several clients that have spent an hour there.
fn hours(weather: &Weather) -> Vec<World> {
    const HOUR: Duration = Duration::from_secs(3600);
    (1..=4).map(|seed| World::after(weather, seed, HOUR)).collect()
}

fn assert_swift(worlds: &[World], weather: &Weather) {
    for world in worlds {
        let late = world.published.iter().filter(|at| **at + 4000 < world.at()).count();
        assert!(world.delays.len() >= late, "{} of {late} arrived", world.delays.len());
    }
    let figures = [50, 95, 99, 100].map(|percent| percentile(worlds, percent));
    assert!(figures[0] <= TICK, "{figures:?}");
    assert!(figures[2] <= weather.outage + 1000, "{figures:?}");
    assert!(figures[3] <= weather.outage + 1200, "{figures:?}");
}

#[test]
fn an_hour_of_cuts_and_outages_delays_nothing_by_more_than_an_outage_and_a_second() {
    let weather = Weather { cuts: Some((15_000, 20_000)), outage: 2000, ..Weather::default() };
    let worlds = hours(&weather);
    assert_swift(&worlds, &weather);
    for world in worlds {
        assert_eq!(world.verdicts, [], "a cut that every transport suffers is no verdict");
        let share = world.share_of(Transport::WebSocket);
        assert!(share > 0.95, "{share}");
    }
}

#[test]
fn a_client_of_one_transport_is_back_as_soon() {
    for transport in ALL {
        let only = Some(transport);
        let cuts = Some((15_000, 20_000));
        let weather = Weather { cuts, outage: 2000, only, ..Weather::default() };
        assert_swift(&hours(&weather), &weather);
    }
}

#[test]
fn attempts_that_hang_in_an_outage_are_no_verdict_either() {
    let weather =
        Weather { cuts: Some((15_000, 20_000)), outage: 2000, hangs: true, ..Weather::default() };
    let worlds = hours(&weather);
    assert_swift(&worlds, &weather);
    for world in worlds {
        assert_eq!(world.verdicts, []);
        let share = world.share_of(Transport::WebSocket);
        assert!(share > 0.7, "{share}");
    }
}

#[test]
fn an_hour_of_cuts_without_outages_condemns_nothing() {
    let weather = Weather { cuts: Some((12_000, 20_000)), ..Weather::default() };
    let worlds = hours(&weather);
    assert_swift(&worlds, &weather);
    for world in worlds {
        assert_eq!(world.verdicts, []);
        let share = world.share_of(Transport::WebSocket);
        assert!(share > 0.7, "most of the time it is where it would be without the cuts: {share}");
    }
}

#[test]
fn a_network_that_kills_websockets_is_found_out_after_two_and_a_comparison() {
    use Transport::{Sse, WebSocket};
    for age in [0, 500, 3000, 13_000, 25_000] {
        let weather = Weather { kills: vec![(WebSocket, age)], ..Weather::default() };
        let mut world = World::after(&weather, 1, Duration::from_secs(62));
        let killed = if age == 0 { vec![Sse] } else { vec![WebSocket, WebSocket, Sse] };
        let served = world.transports();
        assert_eq!(served, killed, "killed after {age} ms");
        world.run(Duration::from_secs(70));
        let verdict = world.engine.verdict(world.now).expect("it was compared");
        assert_eq!(verdict.transport, Sse);
        world.run(Duration::from_secs(3600));
        let share = world.share_of(Sse);
        assert!(share > 0.95, "killed after {age} ms: {share}");
        assert!(world.served.len() < 15, "{:?}", world.served);
    }
}

#[test]
fn websockets_that_open_slowly_and_are_killed_are_left_as_well() {
    use Transport::{Sse, WebSocket};
    for age in [500, 3000, 13_000] {
        let weather = Weather { kills: vec![(WebSocket, age)], slow: 1300, ..Weather::default() };
        let world = World::after(&weather, 1, Duration::from_secs(200));
        assert_eq!(world.transports(), [Sse, WebSocket, Sse, WebSocket, Sse], "after {age} ms");
    }
}

#[test]
fn a_network_that_kills_streams_as_well_is_found_out_after_two_of_each() {
    use Transport::{Polling, Sse, WebSocket};
    for age in [300, 3000, 13_000] {
        let kills = vec![(WebSocket, age), (Sse, age)];
        let weather = Weather { kills, ..Weather::default() };
        let mut world = World::after(&weather, 1, Duration::from_secs(62));
        assert_eq!(world.transports(), [WebSocket, WebSocket, Sse, Sse, Polling]);
        world.run(Duration::from_secs(3600));
        assert!(world.share_of(Polling) > 0.9, "{}", world.share_of(Polling));
    }
}

#[test]
fn a_network_that_kills_everything_is_not_hammered() {
    let kills = ALL.map(|transport| (transport, 300)).into();
    let mut world = World::new(Weather { kills, ..Weather::default() }, 1);
    world.run(Duration::from_secs(600));
    world.served.clear();
    world.run(Duration::from_secs(600));
    assert!(world.served.len() < 120, "{} carriers in ten minutes", world.served.len());
    assert_eq!(world.verdicts, []);
}

#[test]
fn a_websocket_that_served_and_is_refused_when_another_works_is_tried_again_within_seconds() {
    use Transport::{Sse, WebSocket};
    let mut world = World::after(&Weather::default(), 1, Duration::from_secs(60));
    // The outage ends between an attempt over WebSocket and the next one over SSE.
    world.weather.refuses = vec![WebSocket];
    world.lose();
    world.run(Duration::from_secs(1));
    world.weather.refuses.clear();
    assert_eq!(world.transports(), [WebSocket, Sse]);
    world.run(Duration::from_secs(6));
    assert_eq!(world.transports(), [WebSocket, Sse, WebSocket]);
    assert_eq!(world.verdicts, []);
    // The WebSocket is refused from now on: that is a verdict, after the second attempt.
    world.weather.refuses = vec![WebSocket];
    world.lose();
    world.run(Duration::from_secs(7));
    let verdict = world.engine.verdict(world.now).unwrap();
    assert!(verdict.valid_for > Duration::from_secs(50), "{verdict:?}");
}

#[test]
fn a_long_outage_after_good_service_is_asked_about_often_and_then_seldom() {
    let mut world = World::after(&Weather::default(), 1, Duration::from_secs(6));
    let began = world.at();
    world.break_down(600_000);
    world.run(Duration::from_secs(600));
    let rounds = |from: u64, to: u64| {
        let vain = world.vain.iter().map(|at| at - began).filter(|at| (from..to).contains(at));
        // A round is one attempt with each transport.
        vain.count() / ALL.len()
    };
    assert!((10..=40).contains(&rounds(0, 10_000)), "{}", rounds(0, 10_000));
    assert!((20..=120).contains(&rounds(60_000, 600_000)), "{}", rounds(60_000, 600_000));
}

#[test]
fn the_clients_of_a_server_that_restarts_do_not_come_together() {
    let mut worlds: Vec<_> = (0..400)
        .map(|seed| World::after(&Weather::default(), seed, Duration::from_secs(6)))
        .collect();
    let mut back = [0; 10];
    for world in &mut worlds {
        world.break_down(5000);
        let began = world.at();
        world.run(Duration::from_secs(7));
        let at = world.served.last().unwrap().0 - began - 5000;
        back[(at / 100) as usize] += 1;
    }
    let all: u32 = back.iter().sum();
    assert!(all == 400 && back.iter().all(|count| *count < 120), "in each 100 ms: {back:?}");
}
