//! Streams of sessions that move, and of clients that do not confirm.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bowline_protocol::{Encoded, Payload, Window};

use super::{Config, Handlers, Hooks, LiveSession, Node, OpenPhase, attach, open};
use crate::session::Parted;

const WINDOW: Window = Window { items: 1_000, bytes: 1_000_000 };

fn node() -> Arc<Node> {
    Node::new(Config::default(), Handlers::default(), Hooks::default())
}

fn begin(session: &Arc<LiveSession>, number: u64) {
    session.with(|state, _| drop(state.open_stream(number, WINDOW, 9).unwrap()));
}

/// The session continues on another node.
fn arrive(from: &Arc<LiveSession>, parted: &Parted) -> Arc<LiveSession> {
    let node = node();
    let secrets = (from.secret, from.key);
    let around = node.surroundings();
    let arrived =
        LiveSession::arrive(&node.common, around, from.id, secrets, None, parted, Vec::new());
    arrived.unwrap()
}

#[test]
fn streams_do_not_move_with_their_session_and_their_client_is_notified_when_it_attaches() {
    let session = open(&node());
    begin(&session, 3);
    begin(&session, 5);
    session.with(|state, _| assert!(state.close_stream(3)));
    let parted = session.part(&mut session.pack().unwrap()).unwrap();
    assert_eq!(parted.streams, [5]);
    let arrived = arrive(&session, &parted);
    // It moves once more before its client has come.
    arrived.with(|state, _| state.set_phase(OpenPhase::Open));
    let parted = arrived.part(&mut arrived.pack().unwrap()).unwrap();
    let arrived = arrive(&session, &parted);
    arrived.with(|state, _| state.set_phase(OpenPhase::Open));
    let kept = || {
        let line = |packet: &Encoded| packet.text_line().clone();
        arrived.look(|state| state.core.kept().map(line).collect::<Vec<_>>())
    };
    assert!(kept().is_empty());
    for counter in 1..=2 {
        let _downlink = attach(&arrived, counter);
        let end = r#"e bowline.end {"stream":5,"failure":{"code":"interrupted"}}"#;
        assert_eq!(kept(), [end.as_bytes()], "carrier {counter}");
    }
}

#[test]
fn a_checkpoint_has_the_streams_and_the_session_keeps_them() {
    let session = open(&node());
    begin(&session, 1);
    let copy = session.copy(session.pack().unwrap()).unwrap();
    assert_eq!((copy.streams.as_slice(), copy.is_stale), (&[1][..], true));
    assert!(session.with(|state, _| state.close_stream(1)), "it is still open");
}

#[test]
fn items_wait_for_a_client_that_confirms_nothing() {
    let session = open(&node());
    begin(&session, 1);
    let item = Payload::default().with_bytes(vec![0; 100_000].into());
    let context = Context::from_waker(Waker::noop());
    let send = || session.with(|state, now| state.poll_send_item(1, &item, now, &context));
    let sent = (0..10).take_while(|_| send().is_ready()).count();
    assert_eq!(sent, 10, "the window is larger");
    let mut others = 0;
    begin(&session, 2);
    while session.with(|state, now| state.poll_send_item(2, &item, now, &context)).is_ready() {
        others += 1;
    }
    let (kept, limit) =
        session.look(|state| (state.core.outbox_bytes(), state.core.outbox_limit()));
    assert!(kept <= limit / 2 && kept + 200_000 > limit / 2, "{others}: {kept} of {limit}");
    // What else the application sends has room.
    session.emit(&Encoded::event("news", &Payload::default()).unwrap()).unwrap();
    assert_eq!(session.with(|state, _| state.poll_room(2, &context)), Poll::Pending);
}
