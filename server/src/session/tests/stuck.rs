//! Carriers whose peers do not read what the server writes.

use std::task::Waker;
use std::time::Duration;

use bowline_protocol::{Encoded, Packet, Payload};

use super::{attach, drain, open};
use crate::config::Config;
use crate::node::{Handlers, Hooks, Node};

#[test]
fn a_carrier_that_does_not_write_is_given_up_although_its_client_sends() {
    let node = Node::new(Config::default(), Handlers::default(), Hooks::default());
    let session = open(&node);
    let mut carrier = attach(&session, 1);
    drain(&mut carrier, Waker::noop()).unwrap();
    session.emit(&Encoded::event("news", &Payload::default()).unwrap()).unwrap();
    let begun = node.now();
    let given_up = (1..90).find(|&second| {
        let now = begun + Duration::from_secs(second);
        session.with(|state, _| {
            state.core.handle_packet(0, Packet::Alive("".into()), now).unwrap();
            while let Some(at) = state.scheduled.filter(|at| *at <= now) {
                state.tick(at, &node.config, now);
                let _ = state.settle(&node.config, now);
            }
        });
        session.look(|state| !state.core.is_attached())
    });
    let second = given_up.expect("it is given up");
    assert!((20..=25 + 20 + 1).contains(&second), "a heartbeat and the patience: {second} s");
    drop(carrier);
    let carrier = attach(&session, 2);
    assert_eq!(carrier.session().look(|state| state.core.unconfirmed()), 1, "nothing is lost");
}

#[test]
fn a_carrier_that_writes_now_and_then_is_slow_and_not_stuck() {
    for (patience, serves) in [(11, true), (9, false)] {
        let node = Node::new(Config::default(), Handlers::default(), Hooks::default());
        let session = open(&node);
        let mut carrier = attach(&session, 1);
        drain(&mut carrier, Waker::noop()).unwrap();
        for second in 0..50 {
            session.emit(&Encoded::event("news", &Payload::default()).unwrap()).unwrap();
            session.with(|state, now| {
                let patience = Duration::from_secs(patience);
                state.handle_stuck_carrier(patience, now + Duration::from_secs(second));
            });
            if second % 10 == 9 && session.look(|state| state.core.is_attached()) {
                drain(&mut carrier, Waker::noop()).unwrap();
            }
        }
        assert_eq!(session.look(|state| state.core.is_attached()), serves, "{patience} s");
    }
}
