//! Conversations over long polling. Spec: 02-carriers, "Polling".

use super::scene::{DEFAULTS, Scene, Session, open, open_key};

#[tokio::test]
async fn an_open_is_answered_at_once_and_later_polls_when_there_is_something() {
    let scene = Scene::start();
    let body = format!("open v=1 key={} n=1 \"t0\"\ne up 1\nq echo \"hi\"", open_key());
    let answer = scene.post("poll", body).await;
    assert_eq!(answer.head.status, 200);
    assert_eq!(answer.head.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(answer.head.header("cache-control"), Some("no-store"));
    let session = Session::welcomed(answer.text());
    let expected = format!("welcome sid=SID secret=SECRET recv=2 next=1 {DEFAULTS}\nr 2 \"hi\"");
    assert_eq!(session.mask(answer.text()), expected);

    let mut waiting = scene.connect().await;
    let poll = session.attach("n=2 recv=1 next=3");
    waiting.request("POST", "/bowline/poll", &[], poll).await.unwrap();
    scene.socket(&session).emit("say", "hi").unwrap();
    assert_eq!(waiting.response().await.unwrap().text(), "n 2\ne say \"hi\"");

    let greeted = scene.post("poll", session.attach("n=3 recv=2 next=3 greet=1")).await;
    let expected = format!("welcome sid=SID recv=2 next=3 {DEFAULTS}");
    assert_eq!(session.mask(greeted.text()), expected);
}

#[tokio::test]
async fn what_was_not_confirmed_comes_again_with_its_number() {
    let scene = Scene::start();
    let session = scene.open_polling().await;
    let socket = scene.socket(&session);
    socket.emit("a", &()).unwrap();
    socket.emit("b", &()).unwrap();
    let poll = async |pairs: &str| scene.post("poll", session.attach(pairs)).await;
    assert_eq!(poll("n=2 recv=0 next=1").await.text(), "n 1\ne a\ne b");
    assert_eq!(poll("n=3 recv=1 next=1").await.text(), "n 2\ne b");
    let greeted = poll("n=4 recv=1 next=1 greet=1").await;
    let expected = format!("welcome sid=SID recv=0 next=2 {DEFAULTS}\ne b");
    assert_eq!(session.mask(greeted.text()), expected);
    // A number that was confirmed is not taken back by one that is older.
    socket.emit("c", &()).unwrap();
    assert_eq!(poll("n=5 recv=0 next=1").await.text(), "n 2\ne b\ne c");
}

#[tokio::test]
async fn a_second_poll_ends_the_first_with_an_empty_answer() {
    let scene = Scene::start();
    let session = scene.open_polling().await;
    let (mut first, mut second) = (scene.connect().await, scene.connect().await);
    for (client, n) in [(&mut first, 2), (&mut second, 3)] {
        let body = session.attach(&format!("n={n} recv=0 next=1"));
        client.request("POST", "/bowline/poll", &[], body).await.unwrap();
    }
    let ended = first.response().await.unwrap();
    assert_eq!((ended.head.status, ended.text()), (200, ""));
    scene.socket(&session).emit("for", "the second").unwrap();
    assert_eq!(second.response().await.unwrap().text(), "n 1\ne for \"the second\"");
}

#[tokio::test]
async fn a_poll_without_a_fresh_counter_gets_an_empty_answer() {
    let scene = Scene::start();
    let session = scene.open_polling().await;
    let answer = scene.post("poll", session.attach("n=7 recv=0 next=1 greet=1")).await;
    assert!(answer.text().starts_with("welcome "));
    for pairs in ["n=7", "n=2", "n=0", "greet=1", "n=1 greet=1"] {
        let answer = scene.post("poll", session.attach(&format!("{pairs} recv=0 next=1"))).await;
        assert_eq!((answer.head.status, answer.text()), (200, ""), "{pairs}");
    }
}

#[tokio::test]
async fn packets_may_follow_the_first_line_of_a_poll() {
    let scene = Scene::start();
    let session = scene.open_polling().await;
    let answer = scene.post("poll", session.attach("n=2 recv=0 next=1") + "\nq echo \"up\"").await;
    assert_eq!(answer.text(), "n 1\nr 1 \"up\"");
    // Ahead of what was received: ignored, and the poll goes on.
    let body = session.attach("n=3 recv=1 next=5 greet=1") + "\ne up 5";
    let answer = scene.post("poll", body).await;
    assert!(session.mask(answer.text()).starts_with("welcome sid=SID recv=1 next=2 "));
    let body = session.attach("n=4 recv=1 next=1") + "\nq echo \"old\"\nq echo \"new\"";
    assert_eq!(scene.post("poll", body).await.text(), "n 2\nr 2 \"new\"");
}

#[tokio::test]
async fn a_refused_session_is_told_so_on_every_carrier() {
    let scene = Scene::start();
    let mut innocent = scene.innocent().await;
    let wrong = || open() + " \"wrong\"";
    let close = "x 4300 \"the password is wrong\"";
    scene.websocket(&wrong()).await.assert_closed(close).await;
    assert_eq!(scene.post("poll", wrong()).await.text(), close);
    let mut stream = scene.stream(&wrong()).await;
    assert_eq!(stream.event().await.unwrap(), format!("id: 0\ndata: {close}\n\n"));
    assert_eq!(stream.event().await, None);
    let entries = scene.server.journal().entries();
    assert_eq!(entries.len(), 1, "only the innocent one ever connected");
    innocent.assert_served().await;
}
