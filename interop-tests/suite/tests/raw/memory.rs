//! What a client can make the server keep. Spec: 09-security, "Memory"; 08-limits, "Outboxes".

use std::sync::{Arc, Mutex};

use bowline_fixtures::nodes::eventually;
use bowline_raw_client::{Frame, masked_frame};
use bowline_server::{EmitError, Socket};
use tokio::sync::Semaphore;

use super::journal;
use super::scene::{Scene, Session};

/// More than all buffers between two processes hold.
const FLOOD: usize = 24 * 1024 * 1024;
const PIECE: usize = 64 * 1024;

/// Emits until the session has enough. Returns how many pieces it took.
fn emit_until_full(socket: &Socket) -> usize {
    let piece = "a".repeat(PIECE);
    let mut taken = 0;
    loop {
        match socket.emit("piece", &piece) {
            Ok(()) => taken += 1,
            Err(EmitError::Full { .. }) => break taken,
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn a_websocket_that_is_never_read_is_a_slow_consumer() {
    let scene = Scene::with(|builder| builder.outbox_limit(FLOOD));
    let mut innocent = scene.innocent().await;
    let (session, mut socket) = scene.open().await;
    let taken = emit_until_full(&scene.socket(&session));
    assert_eq!(taken, FLOOD / (PIECE + "e piece \"\"".len() + 64), "bounded in bytes");
    innocent.assert_served().await;
    assert!(matches!(scene.socket(&session).emit("more", &()), Err(EmitError::Closed)));
    journal::assert_logged(&[&session.id, "ended: 4103"]);

    // What was on its way arrives, in order; what was not is gone, and the client is told.
    let pieces = |line: &String| line.starts_with("e piece ");
    let mut arrived = 0;
    let last = loop {
        let line = socket.line().await;
        if !pieces(&line) {
            break line;
        }
        arrived += 1;
    };
    assert_eq!(last, "x 4103");
    assert!(arrived < taken, "the outbox was dropped");
    let again = scene.websocket(&session.attach("n=2 recv=0 next=1")).await;
    { again }.assert_closed("x 4103").await;
    innocent.assert_served().await;
}

#[tokio::test]
async fn a_stream_that_is_never_read_is_a_slow_consumer() {
    let scene = Scene::with(|builder| builder.outbox_limit(FLOOD));
    let mut innocent = scene.innocent().await;
    let (session, mut stream) = scene.open_stream().await;
    let taken = emit_until_full(&scene.socket(&session));
    assert_eq!(taken, FLOOD / (PIECE + "e piece \"\"".len() + 64), "bounded in bytes");
    innocent.assert_served().await;
    let mut arrived = 0;
    loop {
        let line = stream.line().await;
        if line == "x 4103" {
            break;
        }
        assert!(line.starts_with("e piece "));
        arrived += 1;
    }
    assert!(arrived < taken, "the outbox was dropped");
    assert_eq!(stream.event().await, None);
    innocent.assert_served().await;
}

#[tokio::test]
async fn a_client_that_is_away_or_only_never_confirms_is_one_too() {
    let scene = Scene::with(|builder| builder.outbox_limit(4 * PIECE));
    let mut innocent = scene.innocent().await;
    let session = scene.open_polling().await;
    assert_eq!(emit_until_full(&scene.socket(&session)), 3);
    let polled = scene.post("poll", session.attach("n=2 recv=0 next=1")).await;
    assert_eq!(polled.text(), "n 1\nx 4103");

    let (session, mut socket) = scene.open().await;
    let sender = scene.socket(&session);
    let piece = "a".repeat(PIECE);
    for _ in 0..3 {
        sender.emit("piece", &piece).unwrap();
        assert!(socket.line().await.starts_with("e piece "));
    }
    assert!(sender.emit("piece", &piece).is_err());
    socket.assert_closed("x 4103").await;
    innocent.assert_served().await;

    // One that confirms may go on for ever.
    let (session, mut socket) = scene.open().await;
    let sender = scene.socket(&session);
    for number in 1..=20 {
        sender.emit("piece", &piece).unwrap();
        assert!(socket.line().await.starts_with("e piece "));
        socket.say(&format!("c {number}\nh {number}")).await;
        assert_eq!(socket.line().await, format!("a {number}"));
    }
}

#[tokio::test]
async fn all_together_keep_no_more_than_the_server_may() {
    let scene = Scene::with(|builder| builder.memory_limit(2 << 20));
    let stats = || scene.server.bowline().stats();
    let say = |session: &Session, pieces: usize| {
        let sender = scene.socket(session);
        (0..pieces).for_each(|_| sender.emit("piece", &"a".repeat(PIECE)).unwrap());
    };
    let mut innocent = scene.innocent().await;
    let (away, socket) = scene.open().await;
    drop(socket);
    eventually(|| stats().carriers == 1).await;
    say(&away, 1);
    let mut slow = Vec::new();
    for _ in 0..3 {
        let (session, socket) = scene.open().await;
        // Nobody confirms, and nothing is over the limit of one session.
        say(&session, 10);
        slow.push((session, socket));
    }
    assert!((1_900_000..=2 << 20).contains(&stats().kept_bytes), "{:?}", stats());
    let (session, mut last) = scene.open().await;
    say(&session, 2);
    eventually(|| stats().closed_for_memory == 2).await;
    assert!(stats().kept_bytes < 1_600_000, "{:?}", stats());

    let late = scene.websocket(&away.attach("n=2 recv=0 next=1")).await;
    { late }.assert_closed("x 4100 \"memory_limit is reached\"").await;
    let is_closed = |session: &Session| {
        matches!(scene.socket(session).emit("more", &()), Err(EmitError::Closed))
    };
    slow.retain(|(session, _)| is_closed(session));
    assert_eq!(slow.len(), 1, "one of the fullest");
    assert!(!is_closed(&session));
    let line = loop {
        let line = slow[0].1.line().await;
        if !line.starts_with("e piece ") {
            break line;
        }
    };
    assert_eq!(line, "x 4103 \"memory_limit is reached\"");
    assert!(last.line().await.starts_with("e piece "));
    journal::assert_logged(&["WARN", "memory_limit of 2097152 bytes", "2 were closed"]);
    innocent.assert_served().await;
}

#[tokio::test]
async fn volatile_events_wait_in_little_room() {
    let scene = Scene::start();
    let (session, mut socket) = scene.open().await;
    let sender = scene.socket(&session);
    let piece = "a".repeat(PIECE / 4);
    for number in 0..FLOOD / piece.len() {
        assert!(sender.emit_volatile("number", &(number, &piece)).unwrap());
    }
    sender.emit("last", &()).unwrap();
    let (mut arrived, mut before) = (0, None);
    loop {
        let line = socket.line().await;
        if line == "e last" {
            break;
        }
        let number = line.strip_prefix("v number [").and_then(|rest| rest.split(',').next());
        let number: usize = number.and_then(|number| number.parse().ok()).expect("a number");
        assert!(before < Some(number), "in order");
        (arrived, before) = (arrived + 1, Some(number));
    }
    assert!(arrived < FLOOD / piece.len(), "the oldest were dropped");
    assert_eq!(before, Some(FLOOD / piece.len() - 1), "and not the newest");
}

/// A server one of whose handlers waits at a gate, and what comes through after it.
fn gated() -> (Scene, Arc<Semaphore>, Arc<Mutex<Vec<usize>>>) {
    let (gate, seen) = (Arc::new(Semaphore::new(0)), Arc::<Mutex<Vec<usize>>>::default());
    let (waiting, noted) = (Arc::clone(&gate), Arc::clone(&seen));
    let scene = Scene::with(|builder| {
        builder
            .inbox_limit(4 * PIECE)
            .on("gate", move |(): ()| {
                let gate = Arc::clone(&waiting);
                async move { gate.acquire().await.expect("the gate stays").forget() }
            })
            .on("piece", move |(number, _): (usize, String)| {
                noted.lock().unwrap().push(number);
                async {}
            })
    });
    (scene, gate, seen)
}

fn pieces() -> impl Iterator<Item = String> {
    let piece = "a".repeat(PIECE);
    (0..FLOOD / PIECE).map(move |number| format!("e piece [{number},\"{piece}\"]"))
}

#[tokio::test]
async fn a_websocket_that_floods_a_handler_is_not_read() {
    let (scene, _gate, seen) = gated();
    let (_, mut socket) = scene.open().await;
    socket.say("q gate\nh asked").await;
    assert_eq!(socket.line().await, "a asked");
    let flood = async {
        for piece in pieces() {
            socket.client.send(masked_frame(Frame::FIN | Frame::TEXT, piece)).await.unwrap();
        }
    };
    // The server has the time to take as much from somebody else.
    let other = async {
        let (_, mut other) = scene.open().await;
        for piece in pieces() {
            other.say(&piece.replacen("e piece", "e nobody-listens", 1)).await;
        }
        other.say("q echo \"all of it\"").await;
        assert_eq!(other.line().await, format!("r {} \"all of it\"", FLOOD / PIECE + 1));
    };
    tokio::select! {
        () = flood => panic!("the server kept all of it"),
        () = other => {}
    }
    assert!(seen.lock().unwrap().is_empty(), "in order: nothing passes the gate");
}

#[tokio::test]
async fn a_flood_goes_on_where_it_stopped() {
    let (scene, gate, seen) = gated();
    let (_, mut socket) = scene.open().await;
    socket.say("q gate\nh asked").await;
    assert_eq!(socket.line().await, "a asked");
    // Half of what would fit between the two processes, so that all of it can be sent at once.
    let some = 32;
    for piece in pieces().take(some) {
        socket.say(&piece).await;
    }
    socket.say("q echo \"behind it\"").await;
    scene.innocent().await.assert_served().await;
    gate.add_permits(1);
    assert_eq!(socket.line().await, "r 1");
    assert_eq!(socket.line().await, format!("r {} \"behind it\"", some + 2));
    assert!(seen.lock().unwrap().iter().copied().eq(0..some));
}

#[tokio::test]
async fn a_post_that_floods_a_handler_is_taken_in_part() {
    let (scene, gate, seen) = gated();
    let (session, mut stream) = scene.open_stream().await;
    let post = async |next: usize, recv: usize| {
        let first = session.attach(&format!("recv={recv} next={next}"));
        let packets = std::iter::once("q gate".to_owned()).chain(pieces()).skip(next - 1).take(12);
        let body = packets.fold(first, |body, packet| body + "\n" + &packet);
        let answer = scene.post("post", body).await;
        let received = answer.text().strip_prefix("c ").expect("a confirmation");
        received.parse::<usize>().expect("a number")
    };
    let received = post(1, 0).await;
    assert!((4..8).contains(&received), "{received} of 12: no more than the limit and one");
    assert_eq!(post(received + 1, 0).await, received, "still full");

    // Its confirmations and its signs of life count even so.
    scene.socket(&session).emit("one", &()).unwrap();
    assert_eq!(stream.line().await, "e one");
    assert_eq!(post(received + 1, 1).await, received, "still full");
    let mut resumed =
        scene.stream(&session.attach(&format!("n=2 recv=0 next={}", received + 1))).await;
    assert!(resumed.line().await.contains(" next=2 "), "the POST has confirmed the first");

    gate.add_permits(1);
    assert_eq!(resumed.line().await, "r 1");
    let more = post(received + 1, 1).await;
    assert!(more > received);
    let answer = scene
        .post("post", session.attach(&format!("recv=1 next={}", more + 1)) + "\nq echo \"end\"")
        .await;
    assert_eq!(answer.text(), format!("c {}", more + 1));
    assert!(resumed.line().await.ends_with(" \"end\""));
    assert!(seen.lock().unwrap().iter().copied().eq(0..more - 1), "each once and in order");
}

#[tokio::test]
async fn many_sessions_that_ask_for_nothing_are_forgotten_when_they_close() {
    let scene = Scene::start();
    for _ in 0..50 {
        let (session, _) = scene.open().await;
        let answer = scene.post("post", session.attach("recv=0 next=1") + "\nx 1000").await;
        assert_eq!(answer.text(), "c 0\nx 1000");
        let over = scene.post("poll", session.attach("n=2 recv=0 next=1")).await;
        assert!(over.text().contains("x "), "{}", over.text());
        let _: Session = session;
    }
    scene.innocent().await.assert_served().await;
}
