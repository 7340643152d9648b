//! Clients that ask whether a carrier works. Spec: 02-carriers, "Trials".

use std::time::Duration;

use super::scene::{Scene, Session, Stream, assert_refused, open};

#[tokio::test]
async fn a_websocket_answers_a_heartbeat_before_its_first_line() {
    let scene = Scene::start();
    let before = scene.server.bowline().session_count();
    let mut socket = scene.websocket("h trial").await;
    assert_eq!(socket.line().await, "a trial");
    assert_eq!(scene.server.bowline().session_count(), before, "nobody has opened anything");
    socket.say(&(open() + "\ne count-down 1")).await;
    Session::welcomed(&socket.line().await);
    assert_eq!(socket.line().await, "e down 1");
}

#[tokio::test]
async fn a_session_stays_where_it_is_while_its_client_tries_another_carrier() {
    let scene = Scene::start();
    let (session, mut stream) = scene.open_stream().await;
    let mut socket = scene.websocket("h trial").await;
    assert_eq!(socket.line().await, "a trial");
    scene.socket(&session).emit("still", &1).unwrap();
    assert_eq!(stream.line().await, "e still 1");
    socket.say(&session.attach("n=2 recv=1 next=1")).await;
    assert!(socket.line().await.starts_with("welcome "));
    stream.assert_closed_with(4001).await;
}

#[tokio::test]
async fn a_stream_answers_a_heartbeat_and_stays_open_for_the_time_of_a_first_line() {
    let scene = Scene::with(|builder| builder.handshake_timeout(Duration::from_millis(50)));
    let mut client = scene.connect().await;
    client.request("POST", "/bowline/sse", &[], "h trial").await.unwrap();
    let mut stream = Stream::begin(client).await;
    assert_eq!(stream.event().await.unwrap(), "id: 0\ndata: a trial\n\n");
    assert_eq!(stream.event().await, None, "and then it ends");
}

#[tokio::test]
async fn a_trial_does_not_extend_the_time_for_the_first_line() {
    let scene = Scene::with(|builder| builder.handshake_timeout(Duration::from_millis(50)));
    let mut socket = scene.websocket("h trial").await;
    assert_eq!(socket.line().await, "a trial");
    socket.assert_closed("x 4003").await;
}

#[tokio::test]
async fn a_heartbeat_opens_nothing_else() {
    let scene = Scene::start();
    for endpoint in ["poll", "post", "ticket"] {
        assert_refused(&scene.post(endpoint, "h trial").await, 400, 4307);
    }
}
