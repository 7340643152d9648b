//! What an operator reads at the usual level: who came, how, and what went wrong; and nothing
//! secret.

use bowline_raw_client::Frame;
use bowline_server::{Auth, Socket};

use super::journal;
use super::scene::{Scene, open_key};

#[tokio::test]
async fn a_session_is_followed_from_its_opening_to_its_end() {
    let scene = Scene::with(|builder| {
        builder.on_connect(|socket: Socket, Auth(user): Auth<String>| async move {
            socket.set_user(user)
        })
    });
    let key = open_key();
    let open = format!("open v=1 key={key} n=1 \"anna\\n{}\"", "x".repeat(110));
    let mut socket = scene.websocket(&open).await;
    let session = super::scene::Session::welcomed(&socket.line().await);
    let mut stream = scene.stream(&session.attach("n=2 recv=0 next=1")).await;
    stream.line().await;
    drop(stream);
    let poll = scene.post("poll", session.attach("n=3 recv=0 next=1 greet=1")).await;
    assert!(poll.text().starts_with("welcome "), "{}", poll.text());
    scene.post("post", session.attach("recv=0 next=1") + "\nx 1000").await;

    let session = format!("INFO session {} ", session.id);
    let of = format!(", user \"anna\\n{}\"…, from 127.0.0.1, over ", "x".repeat(95));
    for what in [
        ["opened", "websocket"],
        ["moved from websocket", "sse"],
        // Whether the server has noticed that the stream is gone or not.
        ["", "polling"],
        ["ended: 1000", "polling"],
    ] {
        journal::assert_logged(&[&session, what[0], &of, what[1]]);
    }
}

#[tokio::test]
async fn a_session_that_is_not_let_in_is_told_of_without_what_it_presented() {
    let scene = Scene::start();
    let mut socket = scene.websocket(&format!("open v=1 key={} n=1 \"wrong\"", open_key())).await;
    socket.assert_closed_with(4300).await;
    journal::assert_logged(&["INFO session ", " was refused: 4300", ", from 127.0.0.1"]);
}

#[tokio::test]
async fn a_request_that_waits_for_itself_is_warned_of() {
    let scene = Scene::start();
    let (session, mut socket) = scene.open().await;
    socket.say("q ask-back 1").await;
    assert_eq!(socket.line().await, "q down 1");
    socket.say("q bowline.within.1.echo \"within\"").await;
    assert!(socket.line().await.starts_with("f 2 would-deadlock \""));
    journal::assert_logged(&[
        &format!("WARN session {}: ", session.id),
        "the request \"echo\" was refused: all handlers of the session (1)",
        "BowlineBuilder::concurrency",
    ]);
}

#[tokio::test]
async fn an_event_that_nobody_handles_and_a_payload_that_nobody_can_read_are_warned_of() {
    let scene = Scene::start();
    journal::keep_secret("hunter2");
    let (session, mut socket) = scene.open().await;
    socket.say("e nobody-home 1\ne up \"hunter2\"\ne fail \"as-you-wished\"").await;
    // What comes behind it is handled behind it.
    socket.say("q echo \"done\"").await;
    assert_eq!(socket.line().await, "r 4 \"done\"");
    let who = format!("WARN session {}: ", session.id);
    journal::assert_logged(&[&who, "no handler is registered for \"nobody-home\""]);
    journal::assert_logged(&[
        &who,
        "the payload of \"up\" cannot be read: \"invalid type, expected u64",
    ]);
    journal::assert_logged(&[&who, "the handler of the event \"fail\" failed: \"as-you-wished\""]);
}

/// What a peer does so often, in each way that is written down.
const TIMES: usize = 120;

/// Asserts that of the lines at this level which hold one of the marks there are few, and short
/// ones.
fn assert_few(level: &str, marks: &[String], most: usize) {
    let lines = journal::lines_with(marks);
    let lines: Vec<_> = lines.iter().filter(|line| line.starts_with(level)).collect();
    assert!(
        (1..=most).contains(&lines.len()),
        "{} lines, such as {:?}",
        lines.len(),
        lines.first()
    );
    for line in lines {
        assert!(line.len() < 700, "{line}");
        assert!(!line.contains(|c: char| c.is_control()), "{line:?}");
    }
}

#[tokio::test]
async fn sessions_that_break_the_protocol_fill_no_log() {
    let scene = Scene::with(|builder| builder.max_opens_per_address(u32::MAX));
    let (mut wrong, mut torn) = (Vec::new(), Vec::new());
    for _ in 0..TIMES {
        let (session, mut socket) = scene.open().await;
        socket.say("c 99").await;
        socket.assert_closed_with(4307).await;
        wrong.push(session.id);
        let (session, mut socket) = scene.open().await;
        // A frame of no kind.
        socket.frame(Frame::FIN | 0xb, "").await;
        assert_eq!(socket.next_frame().await.opcode, Frame::CLOSE);
        torn.push(session.id);
    }
    assert_few("WARN", &wrong, 20);
    assert_few("WARN", &torn, 20);
    let from = journal::lines_with(&wrong);
    assert!(from.iter().any(|line| line.starts_with("WARN") && line.contains(", from 127.0.0.1")));
}

#[tokio::test]
async fn one_connection_that_floods_each_kind_of_complaint_fills_no_log() {
    let scene = Scene::start();
    let mut innocent = scene.innocent().await;
    let (session, mut socket) = scene.open().await;
    let long = "n\u{9b}\u{fc}".repeat(20);
    for number in 0..TIMES {
        socket.say(&format!("e nobody-{number} 1\ne {long} 1\ne up \"x\"\ne fail \"no\"")).await;
    }
    socket.say("q echo \"done\"").await;
    while !socket.line().await.contains("\"done\"") {}
    assert_few("WARN", &[session.id], 22);
    innocent.assert_served().await;
}

#[tokio::test]
async fn handlers_that_a_client_has_panic_fill_no_log() {
    let scene = Scene::start();
    let (session, mut socket) = scene.open().await;
    for _ in 0..TIMES {
        socket.say("q panic").await;
        assert!(socket.line().await.starts_with("f "));
    }
    assert_few("ERROR", &[session.id], 20);
}

#[tokio::test]
async fn pages_and_hosts_that_are_refused_fill_no_log() {
    let scene = Scene::with(|builder| builder.allow_host("app.example"));
    let path = format!("/bowline/poll?{}", "x".repeat(5_000));
    for number in 0..TIMES {
        let origin = format!("http://flood-{number}.test/{}", "x".repeat(5_000));
        let refused = scene.request("POST", &path, &[("origin", &origin)]).await;
        assert_eq!(refused.head.status, 403);
    }
    assert_few("WARN", &["http://flood-".to_owned()], 20);
}

#[tokio::test]
async fn sessions_that_come_and_go_are_written_down_only_so_often() {
    let scene = Scene::with(|builder| builder.max_opens_per_address(u32::MAX));
    let mut ids = Vec::new();
    for _ in 0..1_100 {
        ids.push(scene.open_polling().await.id);
    }
    assert_few("INFO", &ids, 2_000);
    let opened = journal::lines_with(&ids);
    let opened = opened.iter().filter(|line| line.contains("opened")).count();
    assert!((900..=1_000).contains(&opened), "{opened}");
}
