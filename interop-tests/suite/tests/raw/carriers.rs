//! One session, many carriers. Spec: 03-opening; 05-delivery-and-resume, "Attach and resume".

use bowline_fixtures::app::Entry;

use super::scene::{DEFAULTS, Scene, Session, assert_refused, open_key};

#[tokio::test]
async fn opens_with_one_key_are_one_session_on_every_carrier() {
    let scene = Scene::start();
    let key = open_key();
    let open = |n| format!("open v=1 key={key} n={n}");
    let mut socket = scene.websocket(&open(1)).await;
    let session = Session::welcomed(&socket.line().await);
    let again = format!("welcome sid=SID secret=SECRET recv=0 next=1 {DEFAULTS}");

    let mut stream = scene.stream(&open(2)).await;
    assert_eq!(session.mask(&stream.line().await), again);
    socket.assert_closed("x 4001").await;
    let ticket = scene.post("ticket", open(3)).await;
    assert_eq!(session.mask(ticket.text().lines().next().unwrap()), again);
    assert_eq!(session.mask(scene.post("poll", open(4)).await.text()), again);
    stream.assert_closed_with(4001).await;
    let mut socket = scene.websocket(&open(5)).await;
    assert_eq!(session.mask(&socket.line().await), again);

    let entries = scene.server.journal().entries();
    assert_eq!(entries, [Entry::Connected(session.typed())], "the hook was asked once");
    assert_eq!(scene.server.bowline().session_count(), 1);
}

#[tokio::test]
async fn what_follows_a_repeated_open_is_not_handled_twice() {
    let scene = Scene::start();
    let key = open_key();
    let open = |n| format!("open v=1 key={key} n={n}\ne up 1\nq echo \"once\"");
    let session = Session::welcomed(scene.post("poll", open(1)).await.text());
    let again = scene.post("poll", open(2)).await;
    let expected = format!("welcome sid=SID secret=SECRET recv=2 next=1 {DEFAULTS}\nr 2 \"once\"");
    assert_eq!(session.mask(again.text()), expected);
    assert_eq!(scene.server.journal().numbers(session.typed()), [1]);
}

#[tokio::test]
async fn the_highest_counter_wins_and_not_the_last_to_arrive() {
    let scene = Scene::start();
    let (session, mut first) = scene.open().await;
    let mut newest = scene.websocket(&session.attach("n=5 recv=0 next=1")).await;
    assert!(newest.line().await.starts_with("welcome "));
    first.assert_closed("x 4001").await;
    for pairs in ["n=5 recv=0 next=1", "n=4 recv=0 next=1", "n=0 recv=0 next=1", "recv=0 next=1"] {
        let line = session.attach(pairs);
        scene.websocket(&line).await.assert_closed("x 4001").await;
        assert_refused(&scene.post("sse", &line).await, 409, 4001);
        let polled = scene.post("poll", &line).await;
        assert_eq!((polled.head.status, polled.text()), (200, ""));
    }
    newest.say("q echo \"undisturbed\"").await;
    assert_eq!(newest.line().await, "r 1 \"undisturbed\"");
}

#[tokio::test]
async fn numbers_go_on_over_every_change_of_carrier() {
    let scene = Scene::start();
    let (session, mut socket) = scene.open().await;
    socket.say("e up 1\nq echo \"one\"").await;
    assert_eq!(socket.line().await, "r 2 \"one\"");

    // The answer was seen, the second event of the client may have been lost: both sides repeat.
    let body = session.attach("n=2 recv=0 next=2") + "\nq echo \"one\"\ne up 3";
    let mut stream = scene.stream(&body).await;
    let welcome = session.mask(&stream.line().await);
    assert_eq!(welcome, format!("welcome sid=SID recv=3 next=1 {DEFAULTS}"));
    assert_eq!(stream.line().await, "r 2 \"one\"");
    let answer = scene.post("post", session.attach("recv=1 next=4") + "\nq echo \"four\"").await;
    assert_eq!(answer.text(), "c 4");
    assert_eq!(stream.line().await, "r 4 \"four\"");

    let polled = scene.post("poll", session.attach("n=3 recv=1 next=5") + "\ne up 5").await;
    assert_eq!(polled.text(), "n 2\nr 4 \"four\"");

    let message = session.attach("n=4 recv=2 next=5") + "\ne up 5\nq echo \"six\"";
    let mut socket = scene.websocket(&message).await;
    let welcome = socket.line().await;
    assert!(session.mask(&welcome).starts_with("welcome sid=SID recv=6 next=3 "), "{welcome}");
    assert_eq!(socket.line().await, "r 6 \"six\"");
    assert_eq!(scene.server.journal().numbers(session.typed()), [1, 3, 5]);
}

#[tokio::test]
async fn an_attachment_that_claims_too_much_changes_nothing() {
    let scene = Scene::start();
    let (session, mut socket) = scene.open().await;
    scene.socket(&session).emit("one", &()).unwrap();
    assert_eq!(socket.line().await, "e one");
    let line = session.attach("n=9 recv=2 next=1");
    scene.websocket(&line).await.assert_closed_with(4307).await;
    assert_refused(&scene.post("sse", &line).await, 400, 4307);
    assert_refused(&scene.post("poll", &line).await, 400, 4307);
    assert_refused(&scene.post("post", &line).await, 400, 4307);
    // The session, its carrier and its counter are as they were.
    socket.say("q echo \"here\"").await;
    assert_eq!(socket.line().await, "r 1 \"here\"");
    let mut second = scene.websocket(&session.attach("n=2 recv=2 next=2")).await;
    assert!(second.line().await.starts_with("welcome "));
}

#[tokio::test]
async fn an_open_that_comes_after_its_session_ended_does_not_begin_another() {
    let scene = Scene::start();
    let key = open_key();
    let open = |n| format!("open v=1 key={key} n={n}\nx 1000");
    let first = scene.post("poll", open(1)).await;
    assert_eq!(first.text(), "x 1000");
    assert_refused(&scene.post("poll", open(2)).await, 404, 4100);
    scene.websocket(&open(3)).await.assert_closed("x 4100").await;
}

#[tokio::test]
async fn a_client_that_leaves_out_what_was_confirmed_states_its_position() {
    let scene = Scene::start();
    let (session, mut socket) = scene.open().await;
    socket.say("e up 1\ne up 2\ne up 3\nh all").await;
    assert_eq!(socket.line().await, "a all");
    let message = session.attach("n=2 recv=0 next=1") + "\ne up 1\nn 4\ne up 4";
    let mut resumed = scene.websocket(&message).await;
    assert!(resumed.line().await.contains(" recv=4 "));
    resumed.say("n 4\ne up 4\ne up 5\nn 6\nq echo \"six\"").await;
    assert_eq!(resumed.line().await, "r 6 \"six\"");
    assert_eq!(scene.server.journal().numbers(session.typed()), [1, 2, 3, 4, 5]);
}
