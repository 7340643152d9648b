//! The way down the ladder, and up again.

use super::{Close, CloseCode, Duration, End, Host, Status, Transport, welcome};
use crate::engine::{Finding, Output, Verdict};

const ALL: [Transport; 3] = [Transport::WebSocket, Transport::Sse, Transport::Polling];
const SECOND: Duration = Duration::from_secs(1);

impl Host {
    fn with_all() -> Self {
        let mut host = Self::with(ALL.to_vec());
        host.engine.start(host.now);
        host.drain();
        host
    }

    fn lose(&mut self, why: &str) {
        self.engine.ended(End::Lost(why.into()), self.now);
        self.drain();
    }

    fn tried(&mut self, outcome: Result<(), &str>) {
        self.engine.tried(outcome.map_err(|why| End::Lost(why.into())), self.now);
        self.drain();
    }

    /// A client on SSE, because the WebSocket was refused.
    fn on_sse() -> Self {
        let mut host = Self::with_all();
        host.lose("403");
        host.receive(&welcome(0, true));
        host.take();
        host
    }

    /// Lets time pass in which the server sends its heartbeats, and receives the answers.
    fn serve(&mut self, seconds: u32) {
        for _ in 0..seconds {
            self.receive("h");
            self.engine.posted(self.now);
            self.pass(SECOND);
        }
    }

    fn has_tried(&mut self) -> bool {
        self.take().iter().any(|done| done.starts_with("try"))
    }

    fn transport(&self) -> Option<Transport> {
        match self.statuses.last() {
            Some(Status::Connected { transport, .. }) => Some(*transport),
            _ => None,
        }
    }
}

#[test]
fn a_websocket_that_is_refused_costs_no_time() {
    let host = Host::on_sse();
    assert_eq!((host.transport(), host.now.as_millis()), (Some(Transport::Sse), 0));
}

#[test]
fn a_slow_websocket_goes_on_beside_the_next_transport_and_takes_over_when_it_opens() {
    let mut host = Host::with_all();
    host.pass(SECOND);
    let done = host.take();
    assert_eq!(done[..2], ["open", "aside"]);
    assert!(done[2].starts_with("open v=1"), "{done:?}");
    host.receive(&welcome(0, true));
    assert_eq!(host.transport(), Some(Transport::Sse));
    host.pass(SECOND);
    host.take();
    host.tried(Ok(()));
    let done = host.take();
    assert_eq!(done[0], "adopt");
    assert!(done[1].starts_with("attach v=1") && done[1].contains(" n=2 "), "{done:?}");
    host.receive(&welcome(0, false));
    assert_eq!(host.transport(), Some(Transport::WebSocket));
    let between = host.statuses.iter().rev().nth(1);
    assert!(matches!(between, Some(Status::Connected { .. })), "nobody noticed: {between:?}");
}

#[test]
fn a_websocket_that_opens_before_the_next_transport_is_welcomed_takes_over_as_well() {
    let mut host = Host::with_all();
    host.pass(SECOND);
    host.take();
    host.tried(Ok(()));
    let done = host.take();
    assert_eq!(done[0], "adopt");
    assert!(done[1].starts_with("open v=1") && done[1].contains(" n=2"), "{done:?}");
}

#[test]
fn an_open_websocket_that_says_nothing_is_left_after_a_second_and_a_mute_stream_after_two() {
    let mut host = Host::with_all();
    host.open();
    host.pass(SECOND);
    assert!(host.take().iter().any(|done| done == "drop"));
    host.pass(SECOND);
    assert_eq!(host.take(), [""; 0], "a stream may take longer");
    host.pass(SECOND);
    let done = host.take();
    assert!(done[0] == "drop" && done[1].starts_with("open v=1"), "{done:?}");
    host.receive(&welcome(0, true));
    assert_eq!(host.transport(), Some(Transport::Polling));
}

#[test]
fn a_transport_that_failed_is_tried_again_beside_the_one_that_serves() {
    let mut host = Host::on_sse();
    host.serve(59);
    assert!(!host.has_tried());
    host.serve(1);
    assert!(host.take().contains(&"try websocket".to_owned()));
    host.tried(Err("403"));
    host.serve(119);
    assert!(!host.has_tried(), "it waits twice as long");
    host.serve(1);
    assert!(host.has_tried());
}

#[test]
fn a_trial_without_an_answer_is_given_up() {
    let mut host = Host::on_sse();
    host.serve(60);
    assert!(host.take().contains(&"try websocket".to_owned()));
    host.serve(10);
    assert!(host.take().contains(&"try no more".to_owned()));
}

#[test]
fn a_websocket_that_passed_its_trial_and_is_not_welcomed_is_left_for_what_served() {
    let mut host = Host::on_sse();
    host.serve(60);
    host.tried(Ok(()));
    host.take();
    host.pass(SECOND);
    let done = host.take();
    assert!(done[0] == "drop" && done[1].starts_with("attach v=1"), "{done:?}");
    host.receive(&welcome(0, false));
    assert_eq!(host.transport(), Some(Transport::Sse));
}

#[test]
fn a_websocket_that_dies_young_twice_is_left_for_minutes() {
    let mut host = Host::with_all();
    for opened in [true, false] {
        host.open();
        host.receive(&welcome(0, opened));
        host.pass(SECOND);
        host.lose("killed");
        host.pass(SECOND / 10);
    }
    host.receive(&welcome(0, false));
    assert_eq!(host.transport(), Some(Transport::Sse));
    host.take();
    host.serve(3);
    assert_eq!(host.engine.verdict(host.now), None, "it was not compared for long enough");
    host.serve(1);
    let verdict = Verdict { transport: Transport::Sse, valid_for: 240 * SECOND };
    assert_eq!(host.engine.verdict(host.now), Some(verdict));
    host.serve(239);
    assert!(!host.has_tried());
    host.serve(1);
    assert!(host.has_tried());
}

#[test]
fn a_websocket_that_something_cuts_when_it_is_silent_is_given_a_third_chance() {
    let mut host = Host::with_all();
    for opened in [true, false] {
        host.open();
        host.receive(&welcome(0, opened));
        host.pass(5 * SECOND);
        host.lose("idle");
        host.pass(SECOND / 10);
    }
    host.open();
    host.receive(&welcome(0, false));
    assert_eq!(host.transport(), Some(Transport::WebSocket));
    host.pass(5 * SECOND);
    host.lose("idle");
    host.pass(SECOND / 10);
    host.receive(&welcome(0, false));
    assert_eq!(host.transport(), Some(Transport::Sse));
}

#[test]
fn a_lower_transport_is_no_verdict_while_nothing_else_has_failed() {
    let host = Host::on_sse();
    let verdict = Verdict { transport: Transport::Sse, valid_for: 60 * SECOND };
    assert_eq!(host.engine.verdict(host.now), Some(verdict));
    let mut host = Host::with_all();
    host.open();
    host.receive(&welcome(0, true));
    assert_eq!(host.engine.verdict(host.now), None);
    // An engine with a verdict tries no other transport first.
    let mut host = Host::with(ALL.to_vec());
    host.engine.believe(verdict, host.now);
    host.engine.start(host.now);
    host.drain();
    assert!(host.take()[0].starts_with("open v=1"), "a body, not a WebSocket");
}

#[test]
fn no_trial_outlives_its_client_or_a_forced_transport() {
    let mut host = Host::on_sse();
    host.serve(60);
    host.take();
    host.engine.switch(Transport::Polling, host.now);
    host.drain();
    assert_eq!(host.take()[0], "try no more");
    let mut host = Host::on_sse();
    host.serve(60);
    host.take();
    host.engine.close(host.now);
    // A successful trial is too late now.
    host.tried(Ok(()));
    assert!(host.take().contains(&"try no more".to_owned()));
}

#[test]
fn what_was_found_is_noted_with_its_reason() {
    let mut host = Host::with_all();
    host.engine.ended(End::Close(Close::new(CloseCode::INTERNAL)), host.now);
    let mut notes = Vec::new();
    loop {
        match host.engine.poll_output(host.now) {
            Output::Wait(_) => break,
            Output::Noted(note) => notes.push((note.transport, note.finding)),
            _ => {}
        }
    }
    let failed = (Transport::WebSocket, Finding::Failed);
    assert_eq!(notes, [failed, (Transport::Sse, Finding::Tried)]);
    let why = host.engine.last_failure().unwrap().to_string();
    assert_eq!(why, "4004: something failed on the server");
}

#[test]
fn an_origin_that_is_refused_on_one_transport_does_not_end_a_session_that_another_has_served() {
    let refused = || End::Close(Close::new(CloseCode::ORIGIN_REFUSED));
    let mut host = Host::with_all();
    host.open();
    host.receive(&welcome(0, true));
    for _ in 0..2 {
        host.engine.switch(Transport::Sse, host.now);
        host.drain();
        assert_eq!(host.engine.ladder.current(), Transport::Sse);
        host.engine.ended(refused(), host.now);
        host.drain();
        assert_eq!(host.engine.ladder.current(), Transport::Polling);
        host.engine.ended(refused(), host.now);
        // All transports of a round have failed, and the next round starts at the top.
        host.pass(Duration::from_secs(60));
        host.open();
        host.receive(&welcome(0, false));
        assert_eq!(host.transport(), Some(Transport::WebSocket));
    }
    assert!(!host.take().contains(&"over".to_owned()));
    // Refused where it was accepted before, the client treats the refusal as the server's own.
    host.engine.ended(refused(), host.now);
    host.drain();
    assert!(host.take().contains(&"over".to_owned()));
}

#[test]
fn an_origin_that_was_never_let_in_ends_the_client_at_once() {
    let mut host = Host::with_all();
    host.lose("refused");
    assert_eq!(host.engine.ladder.current(), Transport::Sse);
    host.engine.ended(End::Close(Close::new(CloseCode::ORIGIN_REFUSED)), host.now);
    host.drain();
    assert!(host.take().contains(&"over".to_owned()));
}
