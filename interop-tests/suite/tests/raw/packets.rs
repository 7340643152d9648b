//! Packets that are refused, on every carrier. Spec: 04-packets; 05-delivery-and-resume, "Gaps".

use bowline_raw_client::Frame;

use super::journal;
use super::scene::{Scene, Session, assert_refused, open};

/// Asserts that packets which hold an error end the session of whoever sends them, however they
/// come, and nobody else's.
async fn assert_all_refuse(scene: &Scene, packets: &str, code: u16) {
    let status = if code == 4305 { 413 } else { 400 };
    let mut innocent = scene.innocent().await;

    let (session, mut socket) = scene.open().await;
    socket.say(packets).await;
    socket.assert_closed_with(code).await;
    journal::assert_logged(&[&format!("session {} ended: {code}", session.id)]);
    let told_again = scene.websocket(&session.attach("n=2 recv=0 next=1")).await;
    { told_again }.assert_closed_with(code).await;
    innocent.assert_served().await;

    let (session, mut stream) = scene.open_stream().await;
    let body = session.attach("recv=0 next=1") + "\n" + packets;
    assert_refused(&scene.post("post", body).await, status, code);
    stream.assert_closed_with(code).await;
    innocent.assert_served().await;

    let session = scene.open_polling().await;
    let body = session.attach("recv=0 next=1") + "\n" + packets;
    assert_refused(&scene.post("post", body).await, status, code);
    let polled = scene.post("poll", session.attach("n=2 recv=0 next=1")).await;
    let last = polled.text().lines().last().unwrap();
    assert!(last.starts_with(&format!("x {code}")), "{last}");
    innocent.assert_served().await;

    let body = || open() + "\n" + packets;
    scene.websocket(&body()).await.assert_closed_with(code).await;
    assert_refused(&scene.post("sse", body()).await, status, code);
    assert_refused(&scene.post("poll", body()).await, status, code);
    innocent.assert_served().await;
}

#[tokio::test]
async fn lines_that_do_not_follow_the_grammar() {
    let scene = Scene::start();
    let long = "n".repeat(129);
    for line in MALFORMED {
        assert_all_refuse(&scene, line, 4303).await;
    }
    for line in
        [format!("e {long}"), format!("f 1 {long}"), format!("h {long}"), format!("E {long} -")]
    {
        assert_all_refuse(&scene, &line, 4303).await;
    }
}

#[tokio::test]
async fn types_that_were_not_agreed_on() {
    let scene = Scene::start();
    for line in [
        "b",
        "ee up 1",
        "j room",
        "l room",
        "/chat e up 1",
        "i 1",
        "I 1 -",
        "w 1",
        "k 1",
        "d 1",
        "C 1",
        "H",
        "X 1000",
        "Open v=1",
        "é",
        "{}",
        "\u{feff}e up 1",
    ] {
        assert_all_refuse(&scene, line, 4304).await;
    }
}

#[tokio::test]
async fn packets_that_may_not_stand_there() {
    let scene = Scene::start();
    let session = scene.open_polling().await;
    for line in [
        open(),
        session.attach("n=2 recv=0 next=1"),
        format!("welcome sid={} recv=0 next=1 {}", session.id, super::scene::DEFAULTS),
        format!("ticket {}.AAAAAAAAAAAAAAAAAAAAAA", session.id),
        "n 3\ne up 3".to_owned(),
        "c 1".to_owned(),
        "c 9007199254740991".to_owned(),
    ] {
        assert_all_refuse(&scene, &line, 4307).await;
    }
}

#[tokio::test]
async fn the_packets_before_an_error_count_and_the_rest_does_not() {
    let scene = Scene::start();
    let (session, mut socket) = scene.open().await;
    socket.say("e up 1\ne up 2\nnonsense\ne up 3").await;
    assert_eq!(socket.message().await, "c 2\nx 4304");
    assert_eq!(scene.server.journal().numbers(session.typed()), [1, 2]);
    let session = scene.open_polling().await;
    let body = session.attach("recv=0 next=1") + "\ne up 1\nnonsense\ne up 2";
    assert_refused(&scene.post("post", body).await, 400, 4304);
    assert_eq!(scene.server.journal().numbers(session.typed()), [1]);
}

#[tokio::test]
async fn a_gap_on_a_websocket_ends_the_session() {
    let scene = Scene::start();
    let mut innocent = scene.innocent().await;
    let (session, _) = scene.open().await;
    let message = session.attach("n=2 recv=0 next=5") + "\ne up 5";
    let mut socket = scene.websocket(&message).await;
    socket.assert_closed("x 4307 \"a number was left out\"").await;
    assert_eq!(scene.server.journal().numbers(session.typed()), [0; 0]);
    journal::assert_logged(&["WARN", &session.id, "a number was left out"]);
    innocent.assert_served().await;
}

#[tokio::test]
async fn binary_messages_that_are_no_packet() {
    let scene = Scene::start();
    let mut innocent = scene.innocent().await;
    for (payload, code) in [
        (&b""[..], 4303),
        (b"E file", 4303),
        (b"e file\n", 4303),
        (b"\n", 4303),
        (b"c 1\n", 4303),
        (b"E\n", 4303),
        (b"E \nx", 4303),
        (b"E fi\0le\n", 4303),
        (b"R x\n", 4303),
        (b"\xff file\n", 4306),
        (b"E \xc3\n", 4306),
        (b"X 1000\n", 4304),
    ] {
        let (session, mut socket) = scene.open().await;
        socket.frame(Frame::FIN | Frame::BINARY, payload).await;
        socket.assert_closed_with(code).await;
        journal::assert_logged(&["WARN", &session.id]);
        innocent.assert_served().await;
    }
}

#[tokio::test]
async fn what_is_strange_and_allowed_is_taken() {
    let scene = Scene::start();
    let name = "n".repeat(128);
    let mut socket = scene.websocket(&open()).await;
    Session::welcomed(&socket.line().await);
    for line in [
        format!("e {name}"),
        format!("h {name}"),
        "e = open v=1".to_owned(),
        "e \u{7f}\u{85}\u{2028}".to_owned(),
        "e up this is no JSON".to_owned(),
        "e up ".to_owned(),
        "r 7 \"nobody asked\"".to_owned(),
        "f 7 not-asked".to_owned(),
        "c 0".to_owned(),
        "v nobody-listens".to_owned(),
        "a unasked".to_owned(),
        "E up - null".to_owned(),
    ] {
        socket.say(&line).await;
    }
    socket.say("q nobody-listens\nq echo \"through\"").await;
    assert_eq!(socket.line().await, format!("a {name}"));
    assert_eq!(socket.line().await, "f 9 no-handler");
    assert_eq!(socket.line().await, "r 10 \"through\"");
}

const MALFORMED: &[&str] = &[
    " ",
    "\n\ne up 1",
    "e",
    "e ",
    "e  1",
    "q",
    "v ",
    "r",
    "r ",
    "r x",
    "r 01",
    "r -1",
    "r 9007199254740992",
    "f 1",
    "f 1 ",
    "f one two",
    "E file",
    "E file ",
    "E file AAE",
    "E file AAEC=",
    "E file AAF=",
    "E file AA-_",
    "E file A AEC",
    "R 1",
    "R 1 A",
    "F 1 code",
    "Q file ==",
    "V file AAE\u{c4}",
    "c",
    "c ",
    "c 1 2",
    "c 1 ",
    "c -0",
    "n",
    "h ",
    "h a b",
    "a ",
    "x",
    "x ",
    "x 999",
    "x 5000",
    "x 01000",
    "x 1000.5",
    "x 4000 retry=soon",
    "ticket",
    "e up 1\r",
    "e up \t1",
    "e\0up",
    "e up \u{1f}",
];
