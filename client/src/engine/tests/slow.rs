//! A server that takes long to decide whether it accepts a session.

use super::{Duration, End, Host, SECRET, SESSION, Status, Transport, welcome};
use crate::engine::{Finding, Output};

const ALL: [Transport; 3] = [Transport::WebSocket, Transport::Sse, Transport::Polling];
const SECOND: Duration = Duration::from_secs(1);

impl Host {
    /// A client that has asked for a session on this transport, while those above it are refused.
    fn asking(transport: Transport) -> Self {
        let mut host = Self::with(ALL.to_vec());
        host.engine.start(host.now);
        host.drain();
        for _ in ALL.iter().take_while(|better| **better != transport) {
            host.engine.ended(End::Lost("403".into()), host.now);
            host.drain();
        }
        host.open();
        host.take();
        host
    }

    fn polled(&mut self, body: &str) {
        self.receive(body);
        self.engine.polled(body.is_empty(), self.now);
        self.drain();
    }

    fn is_on(&self, transport: Transport) -> bool {
        let last = self.statuses.last();
        matches!(last, Some(Status::Connected { transport: on, .. }) if *on == transport)
    }
}

#[test]
fn a_carrier_whose_server_says_that_it_is_there_is_not_left() {
    for transport in [Transport::WebSocket, Transport::Sse] {
        let mut host = Host::asking(transport);
        host.receive("a");
        host.pass(39 * SECOND);
        assert_eq!(host.take(), [""; 0], "{transport}: it waits");
        host.receive("a");
        host.pass(39 * SECOND);
        assert_eq!(host.take(), [""; 0], "{transport}: it waits on");
        host.receive(&welcome(0, true));
        assert!(host.is_on(transport), "{:?}", host.statuses);
        if transport == Transport::WebSocket {
            assert_eq!(host.engine.verdict(host.now), None);
        }
    }
}

#[test]
fn a_carrier_whose_server_was_there_and_is_silent_is_left_after_the_ordinary_time() {
    let mut host = Host::asking(Transport::WebSocket);
    host.receive("a");
    host.pass(40 * SECOND);
    assert_eq!(host.take()[0], "drop");
}

#[test]
fn an_attachment_may_be_decided_slowly_as_well() {
    let mut host = Host::connected(Transport::WebSocket);
    host.engine.ended(End::Lost("cut".into()), host.now);
    host.drain();
    host.pass(SECOND / 10);
    host.open();
    host.receive("a");
    host.pass(20 * SECOND);
    host.receive(&welcome(0, false));
    assert!(host.is_on(Transport::WebSocket));
}

#[test]
fn a_poll_that_is_answered_without_a_decision_asks_again_with_the_next_number() {
    let mut host = Host::asking(Transport::Polling);
    host.emit("early");
    for number in 3..6 {
        host.pass(SECOND * 3 / 2);
        host.polled("a");
        let open = format!("open v=1 key=AQEBAQEBAQEBAQEBAQEBAQ n={number} by=7\ne early");
        assert_eq!(host.take(), [open], "with all that waits");
    }
    host.polled(&welcome(1, true));
    assert!(host.is_on(Transport::Polling));
    let poll = format!("attach v=1 sid={SESSION} secret={SECRET} ");
    assert!(host.take().iter().any(|sent| sent.starts_with(&poll)), "and it polls");
}

#[test]
fn a_poll_that_is_answered_at_once_without_a_decision_is_not_repeated_in_a_tight_loop() {
    let mut host = Host::asking(Transport::Polling);
    for _ in 0..5 {
        host.polled("a");
        host.pass(SECOND * 99 / 100);
        assert_eq!(host.take(), [""; 0]);
        host.pass(SECOND / 100);
        assert_eq!(host.take().len(), 1);
    }
    host.pass(39 * SECOND);
    assert_eq!(host.take(), [""; 0], "it may be held for as long as any poll");
    host.pass(SECOND);
    assert_eq!(host.take()[0], "drop");
}

#[test]
fn a_poll_that_greets_again_is_decided_slowly_as_well() {
    let mut host = Host::connected(Transport::Polling);
    host.engine.ended(End::Lost("cut".into()), host.now);
    host.drain();
    host.pass(SECOND / 10);
    host.take();
    host.pass(SECOND * 2);
    host.polled("a");
    let sent = host.take();
    assert!(sent.len() == 1 && sent[0].contains(" greet=1"), "{sent:?}");
    host.polled(&welcome(0, false));
    assert!(host.is_on(Transport::Polling));
}

#[test]
fn a_slow_decision_is_no_finding_about_the_network() {
    let mut host = Host::with(ALL.to_vec());
    host.engine.start(host.now);
    let mut notes = Vec::new();
    for step in 0..4 {
        loop {
            match host.engine.poll_output(host.now) {
                Output::Wait(_) => break,
                Output::Noted(note) => notes.push(note.finding),
                Output::Introduce => {
                    let key = bowline_protocol::OpenKey::from_bytes([1; 16]);
                    host.engine.introduce(key, Ok("".into()), host.now);
                }
                _ => {}
            }
        }
        match step {
            0 => host.engine.sent(),
            1 => _ = host.engine.packet(bowline_protocol::Packet::parse(&"a".into()), host.now),
            2 => {
                host.now = host.now + 8 * SECOND;
                host.engine.handle_timeout(host.now);
                let welcome = bowline_protocol::Packet::parse(&welcome(0, true).into());
                host.engine.packet(welcome, host.now);
            }
            _ => {}
        }
    }
    assert_eq!(notes, [Finding::Tried, Finding::Serves]);
}
