//! First lines that are refused. Spec: 03-opening, "Refusals".

use std::time::Duration;

use bowline_raw_client::Frame;

use super::journal;
use super::scene::{DEFAULTS, Scene, Session, assert_refused, open, open_key};

/// Asserts that a first line is refused on every carrier, and that a session beside it goes on.
async fn assert_all_refuse(scene: &Scene, line: &str, status: u16, code: u16) {
    let mut innocent = scene.innocent().await;
    scene.websocket(line).await.assert_closed_with(code).await;
    for endpoint in ["sse", "poll", "ticket"] {
        assert_refused(&scene.post(endpoint, line).await, status, code);
    }
    if !line.starts_with("open ") {
        assert_refused(&scene.post("post", line).await, status, code);
    }
    innocent.assert_served().await;
}

#[tokio::test]
async fn lines_that_do_not_follow_the_grammar_are_malformed() {
    let scene = Scene::start();
    let session = scene.open_polling().await;
    let (id, secret, key) = (&session.id, &session.secret, open_key());
    let short = &key[..21];
    let before = scene.server.bowline().session_count();
    let lines = [
        "".to_owned(),
        "\n".to_owned(),
        "\nopen".to_owned(),
        "open".to_owned(),
        "open ".to_owned(),
        format!("open v=1 key={key}"),
        "open v=1 n=1".to_owned(),
        format!("open key={key} n=1"),
        format!("open v=1 key={short} n=1"),
        format!("open v=1 key={key}A n=1"),
        format!("open v=1 key={short}B n=1"),
        format!("open v=1 key={short}+ n=1"),
        format!("open v=1 key={short}= n=1"),
        format!("open v=1 key={key} n=01"),
        format!("open v=1 key={key} n=-1"),
        format!("open v=1 key={key} n=+1"),
        format!("open v=1 key={key} n=1.0"),
        format!("open v=1 key={key} n="),
        format!("open v=1 key={key} n=9007199254740992"),
        format!("open v=1 key={key} n=99999999999999999999999"),
        format!("open v=1 key={key} n=1 \"tab\t\""),
        format!("open v=1 key={key} n=1\r"),
        format!("open v=1 key={key} n=1\0"),
        format!("open  v=1 key={key} n=1"),
        format!("open v=x key={key} n=1"),
        format!("open V=1 key={key} n=1"),
        format!("attach v=1 sid={id} secret={secret} recv=0"),
        format!("attach v=1 sid={id} secret={secret} next=1"),
        format!("attach v=1 sid={id} recv=0 next=1"),
        format!("attach v=1 secret={secret} recv=0 next=1"),
        format!("attach sid={id} secret={secret} recv=0 next=1"),
        format!("attach v=1 sid={id} secret={secret} recv=0 next=1 greet=yes"),
        format!("attach v=1 sid={id} secret={secret} recv=0 next=1 n=one"),
        format!("attach v=1 sid={id} secret={secret} recv=0 next=1 \"more\""),
        format!("attach v=1 sid={id} secret={secret} recv=0 next=1 "),
        format!("attach v=1 sid={} secret={secret} recv=0 next=1", id.replace('.', "")),
        format!("attach v=1 sid={id}A secret={secret} recv=0 next=1"),
        format!("attach v=1 sid={id} secret={secret}A recv=0 next=1"),
    ];
    for line in &lines {
        assert_all_refuse(&scene, line, 400, 4303).await;
    }
    let innocents = lines.len();
    assert_eq!(scene.server.bowline().session_count(), before + innocents, "nothing was opened");
}

#[tokio::test]
async fn other_packets_may_not_come_first() {
    let scene = Scene::start();
    for line in ["e up 1", "a", "c 0", "n 1", "x 1000", "E file AAEC", "r 1"] {
        assert_all_refuse(&scene, line, 400, 4307).await;
    }
    let session = scene.open_polling().await;
    let welcome = format!("welcome sid={} recv=0 next=1 {DEFAULTS}", session.id);
    let ticket = format!("ticket {}.AAAAAAAAAAAAAAAAAAAAAA", session.id);
    for line in [welcome, ticket] {
        assert_all_refuse(&scene, &line, 400, 4307).await;
    }
    assert_refused(&scene.post("post", open()).await, 400, 4307);
    for line in ["hello", "GET / HTTP/1.1", "é", "/chat e say", "j room", "{\"v\":1}"] {
        assert_all_refuse(&scene, line, 400, 4304).await;
    }
}

#[tokio::test]
async fn another_version_is_refused_before_what_else_it_may_lack() {
    let scene = Scene::start();
    for line in ["open v=2", "open v=0 n=1", "attach v=2", "attach v=9007199254740991 recv=0"] {
        assert_all_refuse(&scene, line, 400, 4302).await;
    }
}

#[tokio::test]
async fn unknown_pairs_are_ignored_and_of_repeated_ones_the_last_counts() {
    let scene = Scene::start();
    let key = open_key();
    let line = format!("open zeta= v=2 n=0 v=1 key={key} n=3 x=ä==y n=1 {{\"not\":\"asked\"}}");
    // The application here wants a text, so it refuses; but it was asked.
    scene.websocket(&line).await.assert_closed_with(4300).await;
    let line = format!("open zeta= v=2 n=0 v=1 key={} n=3 x=ä==y n=1", open_key());
    let session = Session::welcomed(&scene.websocket(&line).await.line().await);
    let line = format!(
        "attach v=1 n=9 future=1 sid={} secret=AAAAAAAAAAAAAAAAAAAAAA secret={} recv=7 recv=0 \
            next=1 n=2",
        session.id, session.secret
    );
    assert!(scene.websocket(&line).await.line().await.starts_with("welcome "));
    let mut newer = scene.websocket(&session.attach("n=3 recv=0 next=1")).await;
    assert!(newer.line().await.starts_with("welcome "), "the counter was 2, not 9");
}

#[tokio::test]
async fn a_session_that_is_not_known_or_not_proven_is_expired() {
    let scene = Scene::start();
    let session = scene.open_polling().await;
    let local = "AAAAAAAAAAAAAAAA";
    let node = session.id.split('.').next().unwrap();
    let unknown =
        format!("attach v=1 sid={node}.{local} secret={} n=2 recv=0 next=1", session.secret);
    let wrong =
        session.attach("n=2 recv=0 next=1").replace(&session.secret, "AAAAAAAAAAAAAAAAAAAAAA");
    for line in [unknown, wrong] {
        assert_all_refuse(&scene, &line, 404, 4100).await;
    }
    let polled = scene.post("poll", session.attach("n=2 recv=0 next=1 greet=1")).await;
    assert!(polled.text().starts_with("welcome "), "its session goes on");
    journal::assert_logged(&["POST /bowline/post: 4100"]);
    journal::assert_logged(&["a websocket was closed: 4100"]);
}

#[tokio::test]
async fn a_session_of_another_process_was_restarted() {
    let (scene, other) = (Scene::start(), Scene::start());
    let session = other.open_polling().await;
    assert_all_refuse(&scene, &session.attach("n=2 recv=0 next=1"), 404, 4101).await;
}

#[tokio::test]
async fn a_first_line_over_its_limit_is_refused_and_one_of_it_is_not() {
    let scene = Scene::with(|builder| builder.max_packet(1024));
    let opening = || open() + " \"";
    let fitting = |length: usize| {
        let line = opening();
        let fill = length - line.len() - 1;
        line + &"a".repeat(fill) + "\""
    };
    let limit = 64 * 1024;
    assert_all_refuse(&scene, &fitting(limit + 1), 413, 4305).await;
    let session = Session::welcomed(scene.post("poll", fitting(limit)).await.text());
    assert!(scene.websocket(&fitting(limit)).await.line().await.starts_with("welcome "));
    let attach = |length: usize| {
        let line = session.attach("n=2 recv=0 next=1 greet=1 future=");
        let fill = length - line.len();
        line + &"a".repeat(fill)
    };
    assert_all_refuse(&scene, &attach(limit + 1), 413, 4305).await;
    assert!(scene.post("poll", attach(limit)).await.text().starts_with("welcome "));
}

#[tokio::test]
async fn a_first_message_that_is_binary_is_a_violation() {
    let scene = Scene::start();
    let mut innocent = scene.innocent().await;
    for payload in [open() + "\n", String::new(), "E file\n\0".to_owned()] {
        let mut socket = scene.upgrade().await;
        socket.frame(Frame::FIN | Frame::BINARY, payload).await;
        socket.assert_closed("x 4307 \"the first message is text\"").await;
        innocent.assert_served().await;
    }
    journal::assert_logged(&["a websocket was closed: 4307", "the first message is text"]);
}

#[tokio::test]
async fn a_websocket_that_does_not_say_who_it_is_is_not_waited_for() {
    let scene = Scene::with(|builder| builder.handshake_timeout(Duration::from_millis(50)));
    let mut innocent = scene.innocent().await;
    scene.upgrade().await.assert_closed("x 4003").await;
    innocent.assert_served().await;

    let mut half = scene.upgrade().await;
    half.frame(Frame::TEXT, "open v=1").await;
    half.assert_closed("x 4003").await;
    innocent.assert_served().await;

    // Life of WebSocket's own is none of a client.
    let mut pinging = scene.upgrade().await;
    pinging.frame(Frame::FIN | Frame::PING, "").await;
    assert_eq!(pinging.next_frame().await.opcode, Frame::PONG);
    pinging.assert_closed("x 4003").await;
    innocent.assert_served().await;
    journal::assert_logged(&["a websocket was closed: 4003"]);
}

#[tokio::test]
async fn what_authenticates_a_client_is_not_logged_when_it_is_wrong() {
    let scene = Scene::start();
    for auth in ["712345671234567", "{\"hunter\":\"xyzzy\"}", "\"xyzzy", "[[\"xyzzy\"]]"] {
        journal::keep_secret(auth);
        journal::keep_secret("xyzzy");
        let line = open() + " " + auth;
        scene.websocket(&line).await.assert_closed_with(4300).await;
        assert!(scene.post("poll", open() + " " + auth).await.text().starts_with("x 4300"));
    }
    let nested = open() + " " + &"[".repeat(60_000);
    scene.websocket(&nested).await.assert_closed_with(4300).await;
    scene.innocent().await.assert_served().await;
}
