//! Messages that wait for handlers, and what happens to them when a session ends.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use actix_web::test::TestRequest;
use bowline_protocol::{Batch, Close, Limits, Open, Token};
use bytes::Bytes;

use super::{Delivery, OpenPhase};
use crate::config::Config;
use crate::node::{Handlers, Hooks, Node};
use crate::random::random;
use crate::session::tests::{attach, open, receive, receive_turn, until};
use crate::session::{Intake, LiveSession, Opened, Worker};
use crate::turn::Turn;

/// Counts when it is dropped.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Advances the time until the session has something to do.
fn let_time_pass(session: &Arc<LiveSession>) {
    let config = &session.common.config;
    let tick = |state: &mut super::State, _| {
        let at = state.scheduled.expect("it has a deadline");
        state.tick(at, config, at);
    };
    session.with(tick);
}

fn node_with(handlers: Handlers, hooks: Hooks) -> Arc<Node> {
    let node = Node::new(Config::default(), handlers, hooks);
    Worker::enter(&node.common, &TestRequest::default().to_http_request());
    node
}

#[actix_web::test]
async fn a_handler_that_never_completes_is_dropped_after_the_session_and_the_disconnect_hook_runs()
{
    let (dropped, told) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
    let (mut handlers, mut hooks) = (Handlers::default(), Hooks::default());
    let count = Arc::clone(&dropped);
    handlers.on::<&str, _>("stay", move |(): ()| {
        let guard = Counted(Arc::clone(&count));
        async move {
            std::future::pending::<()>().await;
            drop(guard);
        }
    });
    let tell = Arc::clone(&told);
    hooks.disconnect(move |close: Close| {
        tell.lock().unwrap().push(close.code.get());
        std::future::ready(())
    });
    let node = node_with(handlers, hooks);
    let session = open(&node);
    receive(&session, 1, "e stay\ne stay\ne stay\nx 1000");
    assert_eq!(dropped.load(Ordering::SeqCst), 0, "what was begun goes on");
    assert_eq!(node.registry.len(), 1, "and its session counts");
    let_time_pass(&session);
    until(|| !told.lock().unwrap().is_empty()).await;
    assert_eq!(*told.lock().unwrap(), [1000]);
    assert_eq!(dropped.load(Ordering::SeqCst), 1, "the others had not begun");
    until(|| node.registry.len() == 0).await;
}

#[actix_web::test]
async fn a_session_that_has_ended_is_removed_after_its_last_handler() {
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let mut handlers = Handlers::default();
    let waits = Arc::clone(&gate);
    handlers.on::<&str, _>("wait", move |(): ()| {
        let gate = Arc::clone(&waits);
        async move { drop(gate.acquire().await) }
    });
    let node = node_with(handlers, Hooks::default());
    let session = open(&node);
    let mut downlink = attach(&session, 1);
    let mut batch = Batch::new(Bytes::from_static(b"e wait\nx 1000"), &Limits::default()).unwrap();
    downlink.receive(&mut 1, &Turn::new(), || batch.next_packet()).unwrap();
    // The client is between two polls.
    downlink.keep_attached();
    drop(downlink);
    assert_eq!(node.registry.len(), 1);
    gate.add_permits(1);
    until(|| node.registry.len() == 0).await;
}

#[actix_web::test]
async fn a_disconnect_hook_that_never_completes_is_dropped_and_keeps_no_session() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let mut hooks = Hooks::default();
    let count = Arc::clone(&dropped);
    hooks.disconnect(move |_: Close| {
        let guard = Counted(Arc::clone(&count));
        async move {
            std::future::pending::<()>().await;
            drop(guard);
        }
    });
    let node = node_with(Handlers::default(), hooks);
    let session = open(&node);
    receive(&session, 1, "x 1000");
    assert_eq!(node.registry.len(), 1);
    let_time_pass(&session);
    until(|| dropped.load(Ordering::SeqCst) == 1).await;
    assert_eq!(node.registry.len(), 0);
    let gone = Arc::downgrade(&session);
    drop(session);
    until(|| gone.strong_count() == 0).await;
}

#[test]
fn before_a_session_is_let_in_the_server_accepts_little_from_its_client_and_the_rest_later() {
    let node = Node::new(Config::default(), Handlers::default(), Hooks::default());
    let open = Open {
        key: Token::from_bytes(random()),
        counter: 1,
        instance: 0,
        take: None,
        auth: "".into(),
    };
    let Ok(Opened::New(session)) = node.open(&open, None) else { panic!("it is new") };
    let lines = format!("e news \"{}\"\n", "a".repeat(10_000)).repeat(50);
    let mut batch = Batch::new(lines.trim_end().to_owned().into(), &Limits::default()).unwrap();
    let mut next = 1;
    let mut receive = || receive_turn(&session, &mut next, &mut batch);
    assert_eq!(receive(), Intake::Full);
    let kept = session.look(|state| state.inbox_bytes);
    assert!((60_000..80_000).contains(&kept), "{kept}");
    session.with(|state, _| state.set_phase(OpenPhase::Open));
    assert_eq!(receive(), Intake::Done);
    assert_eq!(session.look(|state| state.inbox.len()), 50, "nothing is lost");
}

#[test]
fn a_message_that_waits_for_a_handler_does_not_keep_the_body_in_which_it_arrived() {
    let node = Node::new(Config::default(), Handlers::default(), Hooks::default());
    let session = open(&node);
    let body = Bytes::from("e small \"payload\"\na".to_owned());
    let mut batch = Batch::new(body.clone(), &Limits::default()).unwrap();
    let mut next = 1;
    // A runner has the first, but no worker polls it; the second waits.
    receive(&session, 1, "e first");
    next += 1;
    receive_turn(&session, &mut next, &mut batch);
    drop(batch);
    let waiting = session.look(|state| state.inbox.len());
    assert_eq!(waiting, 2);
    assert!(body.is_unique(), "nobody else keeps it");
    session.look(|state| {
        let Some(Delivery::Message { message, .. }) = state.inbox.back() else { panic!() };
        assert_eq!((&*message.name, &*message.payload.json), ("small", "\"payload\""));
    });
}
