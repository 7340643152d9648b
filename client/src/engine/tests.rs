//! Tests of an engine, with a clock that the test holds.

mod deploys;
mod instances;
mod slow;
mod trials;
mod weather;

use std::time::Duration;

use bowline_protocol::{
    Batch, Close, CloseCode, Encoded, Limits, OpenKey, Packet, Payload, Time, Transmit,
};

use super::{End, Engine, EngineConfig, FirstLine, Output, Route, Transport};
use crate::Status;

const SECRET: &str = "c2VjcmV0LXNlY3JldC0wMQ";
const SESSION: &str = "bm9kZTAx.c2Vzc2lvbi0wMDAx";

struct Host {
    engine: Engine,
    now: Time,
    /// The outputs of the engine, as text.
    done: Vec<String>,
    statuses: Vec<Status>,
}

impl Host {
    fn new(transport: Transport) -> Self {
        Self::with(vec![transport])
    }

    fn with(transports: Vec<Transport>) -> Self {
        let engine = Engine::new(EngineConfig::new(transports), 7, Time::ZERO);
        Self { engine, now: Time::ZERO, done: Vec::new(), statuses: Vec::new() }
    }

    /// A client that has received its welcome.
    fn connected(transport: Transport) -> Self {
        let mut host = Self::new(transport);
        host.engine.start(host.now);
        host.drain();
        host.open();
        host.receive(&welcome(0, true));
        host
    }

    /// Opens the WebSocket, if there is one.
    fn open(&mut self) {
        self.engine.sent();
        self.drain();
    }

    fn receive(&mut self, text: &str) {
        let body = bytes::Bytes::copy_from_slice(text.as_bytes());
        let mut batch = Batch::new(body, &Limits::default()).unwrap();
        while let Some(packet) = batch.next_packet() {
            self.engine.packet(packet, self.now);
        }
        self.drain();
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
        self.engine.handle_timeout(self.now);
        self.drain();
    }

    fn emit(&mut self, name: &str) {
        let packet = Encoded::event(name, &Payload::default()).unwrap();
        self.engine.emit(packet, self.now).unwrap();
        self.drain();
    }

    fn drain(&mut self) {
        loop {
            match self.engine.poll_output(self.now) {
                Output::Wait(_) => return,
                Output::Open => self.done.push("open".into()),
                Output::Drop => self.done.push("drop".into()),
                Output::Aside => self.done.push("aside".into()),
                Output::Adopt => self.done.push("adopt".into()),
                Output::Trial(Some(transport)) => self.done.push(format!("try {transport}")),
                Output::Trial(None) => self.done.push("try no more".into()),
                Output::Introduce => {
                    let key = OpenKey::from_bytes([1; 16]);
                    self.engine.introduce(key, Ok("".into()), self.now);
                }
                Output::Send(route, outgoing) => {
                    let line = outgoing.line.iter().map(FirstLine::reveal);
                    let lines: Vec<_> = line.chain(outgoing.packets.iter().map(text)).collect();
                    self.done.push(lines.join("\n"));
                    if route == Route::Socket {
                        self.engine.sent();
                    }
                }
                Output::Status(status) => self.statuses.push(status),
                Output::Message { message, .. } => self.done.push(format!("got {}", message.name)),
                Output::Answered { request, outcome } => {
                    let word = if outcome.is_ok() { "answered" } else { "not answered" };
                    self.done.push(format!("{word} {request}"));
                }
                Output::Over(_) => self.done.push("over".into()),
                _ => {}
            }
        }
    }

    fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.done)
    }
}

fn text(packet: &Transmit) -> String {
    let mut line = String::new();
    match packet {
        Transmit::Tracked { packet, .. } | Transmit::Volatile(packet) => {
            line.push_str(std::str::from_utf8(packet.text_line()).unwrap());
        }
        Transmit::Control(packet) => packet.write_line(&mut line).unwrap(),
    }
    line
}

fn welcome(received: u64, fresh: bool) -> String {
    let secret = if fresh { format!(" secret={SECRET}") } else { String::new() };
    format!(
        "welcome sid={SESSION}{secret} recv={received} next=1 heartbeat=25000 \
         grace=15000 window=120000"
    )
}

#[test]
fn a_host_that_slept_demands_a_proof_of_its_carrier() {
    let mut host = Host::connected(Transport::WebSocket);
    host.receive("a rtt");
    host.take();
    host.engine.wake(host.now);
    host.drain();
    assert_eq!(host.take(), ["h rtt"]);
    host.pass(Duration::from_millis(1700));
    assert_eq!(host.take(), [""; 0], "there is still time");
    host.receive("a rtt");
    host.pass(Duration::from_millis(1700));
    assert_eq!(host.take(), [""; 0], "it has proven itself");

    host.engine.wake(host.now);
    host.drain();
    host.pass(Duration::from_millis(1750));
    assert_eq!(host.take()[..2], ["h rtt", "drop"], "it has not");
    host.pass(Duration::from_millis(100));
    assert_eq!(host.take(), ["open"]);
}

#[test]
fn a_host_that_goes_to_sleep_keeps_its_session() {
    let mut host = Host::connected(Transport::WebSocket);
    host.take();
    host.engine.suspend(host.now);
    host.drain();
    assert_eq!(host.take(), ["drop"]);
    host.emit("asleep");
    host.pass(Duration::from_secs(60));
    assert_eq!(host.take(), [""; 0], "nothing is opened meanwhile");
    host.engine.wake(host.now);
    host.drain();
    host.open();
    let attach = format!("attach v=1 sid={SESSION} secret={SECRET} n=2 recv=0 next=1 by=7");
    assert_eq!(host.take(), ["open", &attach]);
    host.receive(&welcome(0, false));
    assert!(host.take()[0].starts_with("e asleep"), "it goes out after the welcome");
}

#[test]
fn a_wait_for_the_next_attempt_ends_with_the_waking() {
    let mut host = Host::new(Transport::WebSocket);
    host.engine.start(host.now);
    host.drain();
    host.engine.ended(End::Lost("refused".into()), host.now);
    host.drain();
    assert!(matches!(host.statuses.last(), Some(Status::Waiting { .. })));
    host.take();
    host.engine.wake(host.now);
    host.drain();
    assert_eq!(host.take(), ["open"]);
}

#[test]
fn a_host_that_wakes_before_its_network_asks_often_again() {
    let mut host = Host::new(Transport::WebSocket);
    host.engine.start(host.now);
    let waits = |host: &mut Host| {
        for _ in 0..12 {
            host.pass(Duration::from_secs(20));
            host.engine.ended(End::Lost("refused".into()), host.now);
            host.drain();
        }
        let waits = host.statuses.drain(..).filter_map(|status| match status {
            Status::Waiting { retry_in } => Some(retry_in),
            _ => None,
        });
        waits.collect::<Vec<_>>()
    };
    assert!(waits(&mut host).into_iter().max() > Some(Duration::from_secs(8)));
    host.engine.wake(host.now);
    assert!(waits(&mut host)[0] <= Duration::from_millis(500));
}

#[test]
fn a_session_of_an_earlier_process_goes_on() {
    let mut host = Host::new(Transport::WebSocket);
    let kept = ["fourth", "fifth"].map(|name| Encoded::event(name, &Payload::default()).unwrap());
    let (session, secret) = (SESSION.parse().unwrap(), SECRET.parse().unwrap());
    host.engine.restore(session, secret, 40, (8, 3), kept.into());
    host.emit("sixth");
    host.engine.start(host.now);
    host.drain();
    host.open();
    let attach = format!("attach v=1 sid={SESSION} secret={SECRET} n=41 recv=8 next=4 by=7");
    // Both packets may have been sent before.
    assert_eq!(host.take(), ["open", &format!("{attach} last=5")]);
    // The server had received the fourth packet; its own eighth is a duplicate.
    host.receive(&format!("{}\nn 8\ne old\ne new", welcome(4, false)));
    let sent = host.take();
    assert_eq!(sent[0], "got new");
    assert!(sent[1].starts_with("n 5\ne fifth\ne sixth"), "{sent:?}");
}

#[test]
fn requests_of_an_earlier_process_are_answered() {
    let mut host = Host::new(Transport::WebSocket);
    let kept = ["fourth", "fifth"].map(|name| Encoded::request(name, &Payload::default()).unwrap());
    let (session, secret) = (SESSION.parse().unwrap(), SECRET.parse().unwrap());
    host.engine.restore(session, secret, 40, (0, 3), kept.into());
    for request in [2, 4, 5] {
        host.engine.expect_answer(request, host.now + Duration::from_secs(9));
    }
    host.engine.start(host.now);
    host.drain();
    host.open();
    host.receive(&format!("{}\nr 2\nr 4", welcome(5, false)));
    assert_eq!(host.take()[2..4], ["answered 2", "answered 4"]);
    host.pass(Duration::from_secs(9));
    assert!(host.take().contains(&"not answered 5".into()), "its deadline has passed");
}

#[test]
fn an_open_of_an_earlier_process_goes_on() {
    let mut host = Host::new(Transport::WebSocket);
    let key = OpenKey::from_bytes([2; 16]);
    host.engine.restore_open(key, 40, Vec::new());
    host.emit("first");
    host.engine.start(host.now);
    host.drain();
    host.open();
    let sent = host.take().pop().unwrap();
    let open = format!("open v=1 key={} n=41", key.reveal());
    assert!(sent.starts_with(&open) && sent.contains("\ne first"), "{sent}");
    host.receive(&welcome(1, true));
    assert!(matches!(host.statuses.last(), Some(Status::Connected { .. })));
}

#[test]
fn a_session_whose_earlier_process_died_before_it_kept_everything_is_lost() {
    let mut host = Host::new(Transport::WebSocket);
    let (session, secret) = (SESSION.parse().unwrap(), SECRET.parse().unwrap());
    host.engine.restore(session, secret, 40, (0, 3), Vec::new());
    host.engine.start(host.now);
    host.drain();
    host.open();
    host.receive(&welcome(4, false));
    let gap = CloseCode::SESSION_GAP;
    let lost = |is: &Status| matches!(is, Status::SessionLost { code, .. } if *code == gap);
    assert!(host.statuses.iter().any(lost), "{:?}", host.statuses);
    host.pass(Duration::from_secs(1));
    host.open();
    assert!(host.take().pop().unwrap().starts_with("open v=1"), "a new one is opened");
}

#[test]
fn a_session_that_others_take_over_again_and_again_is_given_up() {
    let mut host = Host::connected(Transport::WebSocket);
    host.take();
    for times in 1..=3 {
        host.engine.ended(End::Close(Close::new(CloseCode::REPLACED)), host.now);
        host.drain();
        let lost = host.statuses.iter().any(|status| matches!(status, Status::SessionLost { .. }));
        assert_eq!(lost, times == 3, "after {times} times");
        // After two carriers in a row that end early, the client would try the next transport.
        host.pass(Duration::from_secs(1));
        host.open();
        host.receive(&welcome(0, lost));
    }
    let opened = host.take().iter().filter(|line| line.starts_with("open v=1")).count();
    assert_eq!(opened, 1, "and a new one is opened");
}

#[test]
fn an_attachment_that_something_between_sent_twice_contests_nothing() {
    let mut host = Host::connected(Transport::WebSocket);
    host.engine.ended(End::Lost("cut".into()), host.now);
    for _ in 0..10 {
        host.drain();
        host.pass(Duration::from_secs(120));
        host.open();
        host.engine.ended(End::Close(Close::new(CloseCode::REPLACED)), host.now);
    }
    host.drain();
    let lost = |status: &Status| matches!(status, Status::SessionLost { .. });
    assert!(!host.statuses.iter().any(lost), "{:?}", host.statuses);
}

#[test]
fn a_client_that_has_said_good_bye_does_not_come_back_for_a_session_that_is_gone() {
    let mut host = Host::connected(Transport::Polling);
    host.engine.close(host.now);
    host.drain();
    host.take();
    host.engine.ended(End::Close(Close::new(CloseCode::SESSION_EXPIRED)), host.now);
    host.drain();
    assert_eq!(host.take().last().unwrap(), "over");
    let connecting = |status: &&Status| matches!(status, Status::Connecting { .. });
    assert_eq!(host.statuses.iter().filter(connecting).count(), 1, "{:?}", host.statuses);
}

#[test]
fn events_received_before_the_end_are_passed_on() {
    let mut host = Host::connected(Transport::Polling);
    host.take();
    let packets = ["e last", "x 4300"].map(|line| Packet::parse(&line.into()));
    for packet in packets {
        host.engine.packet(packet, host.now);
    }
    host.drain();
    assert_eq!(host.take()[0], "got last");
    assert!(host.statuses.iter().all(|status| !matches!(status, Status::SessionLost { .. })));
}
