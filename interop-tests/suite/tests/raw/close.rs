//! How sessions and carriers end. Spec: 07-close-codes, "Closing a session"; 02-carriers.

use std::sync::Arc;
use std::time::Duration;

use bowline_fixtures::app::Entry;
use bowline_raw_client::{Frame, masked_frame};
use bowline_server::{Close, CloseCode};
use tokio::sync::Semaphore;

use super::scene::{Scene, Session, open};

async fn assert_ended(scene: &Scene, session: &Session, code: u16) {
    let id = session.typed();
    let is_end = |entry: &Entry| matches!(entry, Entry::Disconnected(ended, why) if *ended == id && why.get() == code);
    scene.server.journal().wait_for(|entries| entries.iter().any(is_end)).await;
}

#[tokio::test]
async fn a_client_that_closes_a_websocket_is_confirmed_answered_and_forgotten() {
    let scene = Scene::start();
    let (session, mut socket) = scene.open().await;
    socket.say("e up 1\nx 1000").await;
    assert_eq!(socket.message().await, "c 1\nx 1000");
    let frame = socket.next_frame().await;
    assert_eq!((frame.opcode, &frame.payload[..]), (Frame::CLOSE, &[0x03, 0xE8][..]));
    // The server ends the connection, also without the client's leaving first.
    socket.frame(Frame::FIN | Frame::CLOSE, 1000_u16.to_be_bytes()).await;
    assert_eq!(socket.client.frame().await.unwrap(), None);
    assert_ended(&scene, &session, 1000).await;
    assert_eq!(scene.server.journal().numbers(session.typed()), [1]);
    scene.websocket(&session.attach("n=2 recv=0 next=2")).await.assert_closed("x 4100").await;
}

#[tokio::test]
async fn a_close_frame_right_behind_the_close_does_not_cost_its_answer() {
    let scene = Scene::start();
    let (_, mut socket) = scene.open().await;
    let mut both = masked_frame(Frame::FIN | Frame::TEXT, "e up 1\nx 1000");
    both.extend(masked_frame(Frame::FIN | Frame::CLOSE, 1000_u16.to_be_bytes()));
    socket.client.send(both).await.unwrap();
    assert_eq!(socket.message().await, "c 1\nx 1000");
    let frame = socket.next_frame().await;
    assert_eq!((frame.opcode, &frame.payload[..]), (Frame::CLOSE, &[0x03, 0xE8][..]));
}

#[tokio::test]
async fn a_client_that_closes_by_post_is_answered_there_and_on_its_stream() {
    let scene = Scene::start();
    let (session, mut stream) = scene.open_stream().await;
    let body = session.attach("recv=0 next=1") + "\ne up 1\nx 4501 \"enough\"";
    assert_eq!(scene.post("post", body).await.text(), "c 1\nx 4501 \"enough\"");
    assert_eq!(stream.line().await, "x 4501 \"enough\"");
    assert_eq!(stream.event().await, None);
    assert_ended(&scene, &session, 4501).await;
}

#[tokio::test]
async fn a_client_that_closes_beside_its_poll_is_answered_there_too() {
    let scene = Scene::start();
    let session = scene.open_polling().await;
    let mut waiting = scene.connect().await;
    let poll = session.attach("n=2 recv=0 next=1");
    waiting.request("POST", "/bowline/poll", &[], poll).await.unwrap();
    let body = session.attach("recv=0 next=1") + "\nx 1000";
    let answer = scene.post("post", body).await;
    assert_eq!(answer.text(), "c 0\nx 1000");
    let polled = waiting.response().await.unwrap();
    // The poll may have come after the close, to a session that is forgotten by then.
    let both = ["n 1\nx 1000", "x 1000", "x 4100"];
    assert!(both.contains(&polled.text()), "{}", polled.text());
    assert_ended(&scene, &session, 1000).await;
}

#[tokio::test]
async fn the_server_closes_after_all_that_waits_on_every_carrier() {
    let scene = Scene::start();
    let told = "x 4501 \"you asked\"";
    let asked = "\ne count-down 2\ne kick-me";

    let (session, mut socket) = scene.open().await;
    socket.say(&asked[1..]).await;
    assert_eq!(socket.line().await, "e down 1");
    assert_eq!(socket.line().await, "e down 2");
    socket.assert_closed(told).await;
    assert_ended(&scene, &session, 4501).await;

    let mut stream = scene.stream(&(open() + asked)).await;
    let session = Session::welcomed(&stream.line().await);
    assert_eq!(stream.line().await, "e down 1");
    assert_eq!(stream.line().await, "e down 2");
    assert_eq!(stream.line().await, told);
    assert_eq!(stream.event().await, None);
    assert_ended(&scene, &session, 4501).await;

    let polled = scene.post("poll", open() + asked).await;
    let session = Session::welcomed(polled.text());
    let rest = format!("e down 1\ne down 2\nc 2\n{told}");
    let (_, lines) = polled.text().split_once('\n').unwrap();
    assert_eq!(lines.replace("c 2\n", ""), rest.replace("c 2\n", ""));
    assert_ended(&scene, &session, 4501).await;
}

#[tokio::test]
async fn a_close_that_was_lost_is_told_again() {
    let scene = Scene::start();
    let session = scene.open_polling().await;
    let socket = scene.socket(&session);
    socket.emit("last", &()).unwrap();
    socket.disconnect();
    for n in 2..4 {
        let polled = scene.post("poll", session.attach(&format!("n={n} recv=0 next=1"))).await;
        assert_eq!(polled.text(), "n 1\ne last\nx 1000");
    }
    // A POST is no attachment, but learns of it.
    let answer = scene.post("post", session.attach("recv=1 next=1") + "\nx 1000").await;
    assert_eq!(answer.text(), "c 0\nx 1000");
    let polled = scene.post("poll", session.attach("n=9 recv=1 next=1")).await;
    assert_eq!((polled.head.status, polled.text()), (404, "x 4100"));
}

#[tokio::test]
async fn a_bare_close_frame_is_answered_and_loses_only_the_carrier() {
    let scene = Scene::start();
    let (session, _) = scene.open().await;
    for (n, sent, answer) in [
        (2, &[0x03, 0xE8][..], [0x03, 0xE8]),
        (3, &[], [0x03, 0xE8]),
        (4, b"\x0F\xA0bye", [0x0F, 0xA0]),
    ] {
        let first = session.attach(&format!("n={n} recv=0 next=1"));
        let mut socket = scene.websocket(&first).await;
        assert!(socket.line().await.starts_with("welcome "));
        socket.frame(Frame::FIN | Frame::CLOSE, sent).await;
        let frame = socket.next_frame().await;
        assert_eq!((frame.opcode, &frame.payload[..]), (Frame::CLOSE, &answer[..]));
        socket.client.finish().await.unwrap();
        assert_eq!(socket.client.frame().await.unwrap(), None);
    }
    let mut resumed = scene.websocket(&session.attach("n=5 recv=0 next=1")).await;
    assert!(resumed.line().await.starts_with("welcome "));
}

#[tokio::test]
async fn a_client_that_only_leaves_its_carrier_keeps_its_session() {
    let scene = Scene::start();
    let (session, mut socket) = scene.open().await;
    // Of class Attach: it wants to be elsewhere, and closes behind it.
    socket.say("e up 1\nx 4004").await;
    socket.frame(Frame::FIN | Frame::CLOSE, 4004_u16.to_be_bytes()).await;
    let frame = socket.next_frame().await;
    assert_eq!(frame.close_code(), Some(4004), "no answer but the close frame: {frame:?}");
    let mut resumed = scene.websocket(&session.attach("n=2 recv=0 next=2")).await;
    assert!(resumed.line().await.contains(" recv=1 "));
}

#[tokio::test]
async fn a_connection_that_is_reset_or_half_closed_loses_only_the_carrier() {
    let scene = Scene::start();
    let (session, socket) = scene.open().await;
    socket.client.reset().unwrap();
    let mut second = scene.websocket(&session.attach("n=2 recv=0 next=1")).await;
    assert!(second.line().await.starts_with("welcome "));
    second.client.finish().await.unwrap();
    second.client.rest().await.unwrap();
    let mut third = scene.websocket(&session.attach("n=3 recv=0 next=1")).await;
    assert!(third.line().await.starts_with("welcome "));
}

#[tokio::test]
async fn a_client_between_two_polls_gets_its_answer_before_it_is_sent_away() {
    let (begun, permit) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let handler = {
        let (begun, permit) = (begun.clone(), permit.clone());
        move |(): ()| {
            let (begun, permit) = (begun.clone(), permit.clone());
            async move {
                begun.add_permits(1);
                drop(permit.acquire().await);
            }
        }
    };
    let scene = Scene::with(|builder| builder.on("slow", handler));
    let session = scene.open_polling().await;
    scene.post("post", session.attach("recv=0 next=1") + "\nq slow").await;
    drop(begun.acquire().await);
    let bowline = scene.server.bowline().clone();
    let drained = tokio::spawn(async move { bowline.shutdown(Duration::from_secs(20)).await });
    while scene.request("GET", "/bowline/health", &[]).await.head.status == 200 {}
    permit.add_permits(1);
    let poll = scene.post("poll", session.attach("n=2 recv=0 next=2")).await;
    let lines: Vec<_> = poll.text().lines().collect();
    assert!(lines.contains(&"r 1"), "{lines:?}");
    assert!(lines.last().is_some_and(|last| last.starts_with("x 4000 ")), "{lines:?}");
    assert_eq!(drained.await.unwrap(), 0);
}

#[tokio::test]
async fn what_an_application_says_of_a_close_stays_on_its_line() {
    let scene = Scene::start();
    let code = CloseCode::application(4777).expect("it is an application's");
    let close = Close::with_reason(code, "first\nx 1000\r\n\u{1}\"");
    let line = "x 4777 \"first\\u000ax 1000\\u000d\\u000a\\u0001\\\"\"";
    let (session, mut socket) = scene.open().await;
    scene.socket(&session).disconnect_with(close.clone());
    socket.assert_closed(line).await;
    let (session, mut stream) = scene.open_stream().await;
    scene.socket(&session).disconnect_with(close.clone());
    assert_eq!(stream.line().await, line);
    assert_eq!(stream.event().await, None);
    let session = scene.open_polling().await;
    scene.socket(&session).disconnect_with(close);
    let poll = scene.post("poll", session.attach("n=2 recv=0 next=1")).await;
    assert_eq!(poll.text(), format!("n 1\n{line}"));
}
