mod streams;
mod stuck;

use std::future::poll_fn;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use actix_web::test::TestRequest;
use bowline_protocol::{
    AnswerError, Attachment, Batch, Close, CloseCode, Encoded, Limits, Open, Payload, Token,
    Transmit,
};
use bytes::Bytes;
use tokio::sync::oneshot;

use super::Lent;
use super::{Downlink, Greeting, Intake, LiveSession, OpenPhase, Opened, Sink, Waiting, Worker};
use crate::config::Config;
use crate::node::{Handlers, Hooks, Node};
use crate::random::random;
use crate::turn::Turn;
use bowline_protocol::Transport;

#[test]
fn a_session_that_its_client_closes_leaves_its_rooms() {
    let node = Node::new(Config::default(), Handlers::default(), Hooks::default());
    let session = open(&node);
    node.rooms.join("room", &session).unwrap();
    receive(&session, 1, "x 1000");
    assert!(!node.rooms.contains("room", &session.id));
}

#[test]
fn a_session_leaves_its_rooms_even_if_its_disconnect_hook_completes_first() {
    let node = Node::new(Config::default(), Handlers::default(), Hooks::default());
    let session = open(&node);
    node.rooms.join("room", &session).unwrap();
    let mut state = session.lock();
    state.core.close(Close::new(CloseCode::NORMAL), node.now());
    let after = state.settle(&node.config, node.now());
    // The runner of another worker delivers the end before this thread continues.
    state.rooms.clear();
    drop(state);
    session.follow_up(after, super::dispatch::spawn);
    assert!(!node.rooms.contains("room", &session.id));
}

#[actix_web::test]
async fn a_connection_that_waits_for_handlers_is_woken_even_if_they_were_faster() {
    let mut handlers = Handlers::default();
    handlers.on::<&str, _>("now", async |(): ()| {});
    let node =
        Node::new(Config { inbox_limit: 0, ..Config::default() }, handlers, Hooks::default());
    Worker::enter(&node.common, &TestRequest::default().to_http_request());
    let session = open(&node);
    let mut downlink = attach(&session, 1);
    drain(&mut downlink, Waker::noop()).unwrap();
    let mut batch = batch("e now\ne now");
    let taken = downlink.receive(&mut 1, &Turn::new(), || batch.next_packet()).unwrap();
    assert_eq!(taken, Intake::Full);
    // Everything was handled in place, before the connection could store its waker.
    let woken = Arc::new(Woken::default());
    assert!(drain(&mut downlink, &Waker::from(woken.clone())).is_none());
    assert_eq!(woken.0.load(Ordering::SeqCst), 1);
    assert!(drain(&mut downlink, &Waker::from(woken.clone())).is_none());
    assert_eq!(woken.0.load(Ordering::SeqCst), 1, "there is nothing more to offer");
}

#[test]
fn a_session_that_moves_leaves_its_unsent_requests_behind() {
    let node = Node::new(Config::default(), Handlers::default(), Hooks::default());
    let session = open(&node);
    let (sender, mut answer) = oneshot::channel();
    let request = Encoded::request("pay", &Payload::default()).unwrap();
    session.request(request, Duration::from_secs(9), Waiting::One(sender)).unwrap();
    session.emit(&Encoded::event("news", &Payload::default()).unwrap()).unwrap();
    let mut packed = session.pack().unwrap();
    let parted = session.part(&mut packed).unwrap();
    let kept: Vec<_> = parted.kept.iter().map(Encoded::text_line).collect();
    assert_eq!(kept, ["e news"]);
    let outcome = answer.try_recv().expect("whoever waits is told");
    assert_eq!(outcome, Err(AnswerError::SessionLost { sent: false }));
}

#[test]
fn a_carrier_that_waits_is_woken_once_and_not_while_it_is_at_work() {
    let node = Node::new(Config::default(), Handlers::default(), Hooks::default());
    let session = open(&node);
    let event = || Encoded::event("news", &Payload::default()).unwrap();
    let mut downlink = attach(&session, 1);
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(woken.clone());
    let count = || woken.0.load(Ordering::SeqCst);
    drain(&mut downlink, &waker).unwrap();
    // It has written everything, and is woken although it was not polled once more for nothing.
    session.emit(&event()).unwrap();
    session.emit(&event()).unwrap();
    assert_eq!(count(), 1);
    drain(&mut downlink, &waker).unwrap();
    assert!(drain(&mut downlink, &waker).is_none());
    // It reads, so it is about to write.
    let mut requests = batch("q nobody");
    downlink.receive(&mut 1, &Turn::new(), || requests.next_packet()).unwrap();
    session.emit(&event()).unwrap();
    assert_eq!(count(), 1);
    drain(&mut downlink, &waker).unwrap();
    session.emit(&event()).unwrap();
    assert_eq!(count(), 2);
}

#[actix_web::test]
async fn a_later_answer_wakes_the_carrier_that_waits() {
    let (begin, may_begin) = tokio::sync::oneshot::channel::<()>();
    let may_begin = Mutex::new(Some(may_begin));
    let mut handlers = Handlers::default();
    handlers.on::<&str, _>("later", move |(): ()| {
        let may_begin = may_begin.lock().unwrap().take().unwrap();
        async move { may_begin.await.unwrap() }
    });
    let node = Node::new(Config::default(), handlers, Hooks::default());
    Worker::enter(&node.common, &TestRequest::default().to_http_request());
    let session = open(&node);
    let mut downlink = attach(&session, 1);
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(woken.clone());
    drain(&mut downlink, &waker).unwrap();
    let mut request = batch("q later");
    downlink.receive(&mut 1, &Turn::new(), || request.next_packet()).unwrap();
    assert!(drain(&mut downlink, &waker).is_none());
    begin.send(()).unwrap();
    until(|| woken.0.load(Ordering::SeqCst) == 1).await;
}

#[test]
fn a_carrier_that_could_not_write_everything_is_woken_again() {
    let node = Node::new(Config::default(), Handlers::default(), Hooks::default());
    let session = open(&node);
    let mut downlink = attach(&session, 1);
    let woken = Arc::new(Woken::default());
    drain(&mut downlink, &Waker::from(woken.clone())).unwrap();
    session.serve(|state, now| {
        let event = Encoded::event("news", &Payload::default()).unwrap();
        state.core.emit(event, now).unwrap();
    });
    assert_eq!(woken.0.load(Ordering::SeqCst), 1);
}

#[test]
fn a_session_whose_close_was_sent_is_removed_in_time() {
    let mut config = Config::default();
    // Nothing else is due as early.
    Arc::make_mut(&mut config.session).heartbeat = Duration::from_secs(600);
    let node = Node::new(config, Handlers::default(), Hooks::default());
    let session = open(&node);
    let mut downlink = attach(&session, 1);
    drain(&mut downlink, Waker::noop()).unwrap();
    session.close(Close::new(CloseCode::NORMAL));
    assert_eq!(drain(&mut downlink, Waker::noop()).unwrap(), "x 1000\n");
    let due = session.look(|state| state.scheduled).expect("a deadline is filed");
    assert!(due <= node.now() + node.config.session.grace, "{due:?}");
}

#[test]
fn a_replaced_carrier_is_woken_although_another_waits() {
    let node = Node::new(Config::default(), Handlers::default(), Hooks::default());
    let session = open(&node);
    let (first, second) = (Arc::new(Woken::default()), Arc::new(Woken::default()));
    let mut old = attach(&session, 1);
    drain(&mut old, &Waker::from(first.clone())).unwrap();
    let mut new = attach(&session, 2);
    assert_eq!(first.0.load(Ordering::SeqCst), 1);
    drain(&mut new, &Waker::from(second.clone())).unwrap();
    let first = Waker::from(first);
    let mut lines = Lines(String::new());
    let gone = old.poll_drain(&mut Context::from_waker(&first), &mut lines);
    assert!(matches!(gone, Poll::Ready(Err(_))));
}

#[actix_web::test]
async fn an_emit_runs_no_hook_in_the_middle_of_its_caller() {
    let table = Arc::new(Mutex::new(0));
    let mut hooks = Hooks::default();
    let known = table.clone();
    hooks.disconnect(move |_: Close| {
        let in_peace = known.try_lock().map(|mut told| *told += 1);
        assert!(in_peace.is_ok(), "the caller still holds its lock");
        std::future::ready(())
    });
    let mut config = Config::default();
    Arc::make_mut(&mut config.session).outbox_limit = 0;
    let node = Node::new(config, Handlers::default(), hooks);
    Worker::enter(&node.common, &TestRequest::default().to_http_request());
    let session = open(&node);
    let held = table.lock().unwrap();
    let event = || Encoded::event("news", &Payload::default()).unwrap();
    session.emit(&event()).unwrap();
    session.emit(&event()).unwrap_err();
    drop(held);
    until(|| *table.lock().unwrap() == 1).await;
}

#[actix_web::test]
async fn a_handler_that_panics_before_its_first_await_stops_no_other() {
    let handled = Arc::new(AtomicUsize::new(0));
    let counted = handled.clone();
    let mut handlers = Handlers::default();
    handlers.on::<&str, _>("bad", |(): ()| -> std::future::Ready<()> { panic!("on purpose") });
    handlers.on::<&str, _>("good", move |(): ()| {
        counted.fetch_add(1, Ordering::SeqCst);
        std::future::ready(())
    });
    let node = Node::new(Config::default(), handlers, Hooks::default());
    Worker::enter(&node.common, &TestRequest::default().to_http_request());
    let session = open(&node);
    receive(&session, 1, "e bad\ne good");
    until(|| handled.load(Ordering::SeqCst) == 1).await;
}

#[test]
fn a_carrier_that_comes_while_the_server_drains_is_sent_away() {
    let node = Node::new(Config::default(), Handlers::default(), Hooks::default());
    let session = open(&node);
    // Its first line was read before the drain.
    node.start_draining(Duration::ZERO);
    let mut downlink = attach(&session, 1);
    let told = drain(&mut downlink, Waker::noop()).unwrap();
    assert!(told.contains("x 4000"), "{told}");
}

#[test]
fn a_value_that_panics_when_it_is_dropped_does_not_stop_the_timers() {
    struct Bad;
    impl Drop for Bad {
        fn drop(&mut self) {
            panic!("on purpose");
        }
    }
    let mut config = Config::default();
    Arc::make_mut(&mut config.session).window = Duration::from_millis(20);
    let node = Node::new(config, Handlers::default(), Hooks::default());
    for _ in 0..2 {
        let session = open(&node);
        session.set_extension(Bad);
        // On a slow machine this thread may be the last to drop it.
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(session)));
        let begun = std::time::Instant::now();
        while node.registry.len() > 0 {
            assert!(begun.elapsed() < Duration::from_secs(20), "the timers have stopped");
            std::thread::yield_now();
        }
    }
}

#[test]
fn an_expired_session_keeps_no_packets_while_references_to_it_exist() {
    let node = Node::new(Config::default(), Handlers::default(), Hooks::default());
    let session = open(&node);
    session.emit(&Encoded::event("news", &Payload::default()).unwrap()).unwrap();
    let window = node.config.session.window;
    session.with(|state, now| state.core.handle_timeout(now + window));
    assert_eq!(session.look(|state| (state.core.unconfirmed(), state.core.outbox_bytes())), (0, 0));
}

#[test]
fn a_closed_session_whose_carrier_is_stuck_keeps_no_packets_after_its_window() {
    let node = Node::new(Config::default(), Handlers::default(), Hooks::default());
    let session = open(&node);
    // Its body is never polled, like that of a peer that reads nothing.
    let _stuck = attach(&session, 1);
    session.emit(&Encoded::event("news", &Payload::default()).unwrap()).unwrap();
    session.close(Close::new(CloseCode::NORMAL));
    session.with(|state, _| {
        while let Some(at) = state.core.poll_timeout().filter(|_| state.core.unconfirmed() > 0) {
            state.core.handle_timeout(at);
        }
    });
    assert_eq!(session.look(|state| state.core.outbox_bytes()), 0);
}

#[test]
fn a_client_from_which_the_server_does_not_read_does_not_count_as_dead() {
    let config = Config { inbox_limit: 0, ..Config::default() };
    let node = Node::new(config, Handlers::default(), Hooks::default());
    let session = open(&node);
    let mut carrier = attach(&session, 1);
    // No worker is known, so no handler receives the first of them.
    assert_eq!(receive(&session, 1, "e now\ne now"), Intake::Full);
    for _ in 0..10 {
        let _ = drain(&mut carrier, Waker::noop());
        session.with(|state, _| {
            let at = state.scheduled.unwrap();
            state.tick(at, &node.config, at);
        });
    }
    assert!(session.look(|state| state.core.is_attached()));
}

#[test]
fn a_volatile_event_to_a_client_that_is_away_is_dropped_and_counted() {
    let node = Node::new(Config::default(), Handlers::default(), Hooks::default());
    let socket = crate::Socket::new(Arc::clone(&node), open(&node));
    assert!(!socket.emit_volatile("news", "late").unwrap());
    assert_eq!(socket.dropped_volatile(), 1);
}

pub(super) fn open(node: &Arc<Node>) -> Arc<LiveSession> {
    let key = Token::from_bytes(random());
    let open = Open { key, counter: 1, instance: 0, take: None, auth: "".into() };
    let Ok(Opened::New(session)) = node.open(&open, None) else {
        panic!("a new key opens a new session")
    };
    session.with(|state, _| state.set_phase(OpenPhase::Open));
    session
}

pub(super) fn attach(session: &Arc<LiveSession>, counter: u64) -> Downlink {
    let attachment = Attachment { counter, ..Attachment::default() };
    let greeting = Greeting::Welcome { with_secret: false };
    session.attach(attachment, Transport::WebSocket, greeting).unwrap()
}

pub(super) fn receive(session: &Arc<LiveSession>, mut next: u64, lines: &'static str) -> Intake {
    let mut batch = batch(lines);
    receive_turn(session, &mut next, &mut batch)
}

/// What the server receives in one turn of a POST.
pub(super) fn receive_turn(
    session: &Arc<LiveSession>,
    next: &mut u64,
    batch: &mut Batch,
) -> Intake {
    session.drive(|state, now| session.take_body(state, next, batch, now)).unwrap()
}

pub(super) fn batch(lines: &'static str) -> Batch {
    Batch::new(Bytes::from_static(lines.as_bytes()), &Limits::default()).unwrap()
}

/// Returns what the carrier writes now.
pub(super) fn drain(downlink: &mut Downlink, waker: &Waker) -> Option<String> {
    let mut lines = Lines(String::new());
    match downlink.poll_drain(&mut Context::from_waker(waker), &mut lines) {
        Poll::Ready(outcome) => {
            outcome.unwrap();
            Some(lines.0)
        }
        Poll::Pending => None,
    }
}

/// Lets other tasks run until the condition holds.
pub(super) async fn until(condition: impl Fn() -> bool) {
    for _ in 0..100 {
        if condition() {
            return;
        }
        let mut yielded = false;
        poll_fn(|cx| {
            cx.waker().wake_by_ref();
            if std::mem::replace(&mut yielded, true) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
    panic!("it did not happen");
}

struct Lines(String);

impl Sink for Lines {
    fn write(&mut self, transmit: &Lent<'_>) -> ControlFlow<()> {
        if let Transmit::Control(packet) = transmit {
            packet.write_line(&mut self.0).unwrap();
            self.0.push('\n');
        }
        ControlFlow::Continue(())
    }
}

#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}
