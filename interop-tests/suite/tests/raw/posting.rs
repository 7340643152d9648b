//! The way up beside streams and polls. Spec: 02-carriers, "POST".

use super::scene::{Scene, Session};

async fn post(scene: &Scene, session: &Session, pairs: &str, packets: &str) -> String {
    let answer = scene.post("post", session.attach(pairs) + packets).await;
    assert_eq!(answer.head.status, 200, "{}", answer.text());
    assert_eq!(answer.head.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(answer.head.header("cache-control"), Some("no-store"));
    answer.text().to_owned()
}

#[tokio::test]
async fn a_post_is_answered_with_what_was_received() {
    let scene = Scene::start();
    let (session, mut stream) = scene.open_stream().await;
    assert_eq!(post(&scene, &session, "recv=0 next=1", "").await, "c 0");
    let packets = "\ne up 1\nv cursor [1,2]\na\nq echo \"hi\"\nE file AAEC {\"name\":\"a\"}\n";
    assert_eq!(post(&scene, &session, "recv=0 next=1", packets).await, "c 3");
    assert_eq!(stream.line().await, "r 2 \"hi\"");
    assert_eq!(scene.server.journal().numbers(session.typed()), [1]);
}

#[tokio::test]
async fn repeated_early_and_partly_old_posts_do_no_harm() {
    let scene = Scene::start();
    let session = scene.open_polling().await;
    let two = "\ne up 1\ne up 2";
    assert_eq!(post(&scene, &session, "recv=0 next=1", two).await, "c 2");
    assert_eq!(post(&scene, &session, "recv=0 next=1", two).await, "c 2", "repeated");
    assert_eq!(post(&scene, &session, "recv=0 next=4", "\ne up 4").await, "c 2", "too early");
    let partly = "\ne up 1\ne up 2\ne up 3";
    assert_eq!(post(&scene, &session, "recv=0 next=1", partly).await, "c 3", "partly old");
    assert_eq!(post(&scene, &session, "recv=0 next=3", "\ne up 3\ne up 4").await, "c 4");
    // What came before is not looked at again, so it may even say something else.
    assert_eq!(post(&scene, &session, "recv=0 next=2", "\nq echo 0\ne up 9").await, "c 4");
    assert_eq!(scene.server.journal().numbers(session.typed()), [1, 2, 3, 4]);
}

#[tokio::test]
async fn of_a_body_ahead_of_its_turn_not_even_the_errors_count() {
    let scene = Scene::start();
    let session = scene.open_polling().await;
    assert_eq!(post(&scene, &session, "recv=0 next=3", "\nthis is no packet").await, "c 0");
    assert_eq!(post(&scene, &session, "recv=0 next=1", "\ne up 1").await, "c 1");
}

#[tokio::test]
async fn a_post_attaches_nothing_and_replaces_nothing() {
    let scene = Scene::start();
    let (session, mut socket) = scene.open().await;
    assert_eq!(post(&scene, &session, "recv=0 next=1 n=9", "\nq echo \"by post\"").await, "c 1");
    assert_eq!(socket.line().await, "r 1 \"by post\"");
    // The counter of a POST is not one: this attachment is newer than the first.
    let mut second = scene.websocket(&session.attach("n=2 recv=1 next=2")).await;
    assert!(second.line().await.starts_with("welcome "));
    socket.assert_closed("x 4001").await;
}

#[tokio::test]
async fn what_a_post_confirms_is_not_sent_again() {
    let scene = Scene::start();
    let session = scene.open_polling().await;
    let socket = scene.socket(&session);
    for name in ["a", "b", "c"] {
        socket.emit(name, &()).unwrap();
    }
    let polled = scene.post("poll", session.attach("n=2 recv=0 next=1")).await;
    assert_eq!(polled.text(), "n 1\ne a\ne b\ne c");
    assert_eq!(post(&scene, &session, "recv=1 next=1", "\nc 2").await, "c 0");
    // The poll is older than the confirmation that has overtaken it.
    let polled = scene.post("poll", session.attach("n=3 recv=0 next=1")).await;
    assert_eq!(polled.text(), "n 3\ne c");
}

#[tokio::test]
async fn thousands_of_tiny_lines_are_all_taken() {
    let scene = Scene::start();
    let session = scene.open_polling().await;
    let lines: String = (1..=5_000).map(|number| format!("\ne up {number}")).collect();
    assert_eq!(post(&scene, &session, "recv=0 next=1", &lines).await, "c 5000");
    assert!(scene.server.journal().numbers(session.typed()).into_iter().eq(1..=5_000));
    let nothing = "\nv t".repeat(50_000);
    assert_eq!(post(&scene, &session, "recv=0 next=5001", &nothing).await, "c 5000");
    let heartbeats = "\nh t".repeat(50_000);
    assert_eq!(post(&scene, &session, "recv=0 next=5001", &heartbeats).await, "c 5000");
    let polled = scene.post("poll", session.attach("n=2 recv=0 next=5001")).await;
    assert_eq!(polled.text(), "n 1\na t", "answered once, not fifty thousand times");
}
