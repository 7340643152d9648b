//! New sessions that the application first sets up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bowline_client::protocol::CloseCode;
use bowline_client::{
    Client, ClientBuilder, ConnectError, EmitError, RequestError, Setup, Status, Transport,
};
use tokio::task::JoinHandle;

use crate::host::{Peer, World, soon, welcome_back, welcome_new};
use crate::lifecycle::{settle, until};

fn builder() -> ClientBuilder {
    Client::builder("http://test/bowline")
}

async fn log_in(setup: Setup) -> Result<(), RequestError> {
    setup.emit("hello", &1)?;
    setup.request::<_, _, ()>("login", "anna").await
}

/// The next lines, except those of the session itself.
async fn received(peer: &mut Peer, count: usize) -> Vec<String> {
    let mut received = Vec::new();
    while received.len() < count {
        received.extend(peer.received().await);
        received
            .retain(|line| line != "h rtt" && !line.starts_with("c ") && !line.starts_with("n "));
    }
    received
}

fn connect(client: &Client) -> JoinHandle<Result<(), ConnectError>> {
    let client = client.clone();
    tokio::spawn(async move { client.connect().await })
}

#[tokio::test]
async fn a_new_session_is_set_up_before_anything_queued_goes_out() {
    let mut world = World::new();
    let client = world.build(builder().on_session(log_in));
    client.emit("work", &0).unwrap();
    let connecting = connect(&client);
    let mut peer = world.accept().await;
    assert_eq!(peer.received().await.len(), 1, "nothing goes beside the open");
    peer.send(welcome_new(1));
    assert_eq!(received(&mut peer, 2).await, ["e hello 1", "q login \"anna\""]);
    client.emit("work", &1).unwrap();
    assert!(!client.emit_volatile("moved", &1));
    peer.send("a rtt\nq who");
    assert_eq!(received(&mut peer, 1).await, ["f 1 no-handler"], "answers do not wait");
    assert!(!client.status().is_connected() && !connecting.is_finished());
    peer.send("r 2");
    assert_eq!(received(&mut peer, 2).await, ["e work 0", "e work 1"]);
    soon(connecting).await.unwrap().unwrap();
    assert!(matches!(client.status(), Status::Connected { resumed: false, .. }));
}

#[tokio::test]
async fn a_set_up_that_fails_or_takes_too_long_begins_again_and_nothing_else_is_sent() {
    let mut world = World::new();
    let runs = Arc::new(AtomicU64::new(0));
    let hook = move |setup: Setup| {
        let run = runs.fetch_add(1, Ordering::Relaxed);
        async move {
            setup.emit("run", &run).map_err(|error| error.to_string())?;
            match run {
                0 => Err("no token".to_owned()),
                1 => std::future::pending().await,
                2 => panic!("a hook may fail"),
                _ => Ok(()),
            }
        }
    };
    let client = world.build(builder().on_session(hook).setup_timeout(Duration::from_secs(3)));
    let mut statuses = client.status_stream();
    client.emit("work", &0).unwrap();
    let connecting = connect(&client);
    let mut peer = world.accept().await;
    peer.received().await;
    peer.send(welcome_new(1));
    for run in 0..3 {
        assert_eq!(received(&mut peer, 1).await, [format!("e run {run}")]);
        if run == 1 {
            settle().await;
            world.advance(Duration::from_secs(3));
        }
        until(&mut statuses, |status| matches!(status, Status::Waiting { .. })).await;
        let why = client.last_failure().unwrap();
        let expected = [
            "the session could not be set up: no token",
            "the set-up of the session took too long",
            "the set-up of the session panicked",
        ];
        assert_eq!(why, expected[run]);
        peer.send("a rtt");
        world.advance(Duration::from_secs(5));
    }
    assert_eq!(received(&mut peer, 2).await, ["e run 3", "e work 0"]);
    soon(connecting).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_set_up_outlives_its_carrier_and_a_lost_session_is_set_up_anew() {
    let mut world = World::new();
    let client = world.build(builder().on_session(log_in).transports([Transport::WebSocket]));
    let mut statuses = client.status_stream();
    client.emit("work", &0).unwrap();
    let connecting = connect(&client);
    let mut peer = world.accept().await;
    peer.received().await;
    peer.send(welcome_new(1));
    received(&mut peer, 2).await;
    // Its packets may have arrived: the client replays them, and does not call the hook again.
    peer.cut();
    settle().await;
    world.advance(Duration::from_secs(3));
    let mut peer = world.accept().await;
    assert!(peer.received().await[0].starts_with("attach "));
    peer.send(welcome_back(1, 1, 1) + "\nx 4100");
    until(&mut statuses, |status| matches!(status, Status::SessionLost { .. })).await;
    settle().await;
    world.advance(Duration::from_secs(3));
    let mut peer = world.accept().await;
    assert_eq!(peer.received().await.len(), 1);
    peer.send(welcome_new(2));
    assert_eq!(received(&mut peer, 2).await, ["e hello 1", "q login \"anna\""]);
    peer.send("r 2");
    assert_eq!(received(&mut peer, 1).await, ["e work 0"]);
    soon(connecting).await.unwrap().unwrap();
    // A resume needs no set-up.
    peer.cut();
    settle().await;
    world.advance(Duration::from_secs(3));
    let mut peer = world.accept().await;
    peer.received().await;
    peer.send(welcome_back(2, 3, 2));
    until(&mut statuses, |status| matches!(status, Status::Connected { resumed: true, .. })).await;
    client.emit("work", &1).unwrap();
    assert_eq!(received(&mut peer, 1).await, ["e work 1"]);
}

#[tokio::test]
async fn what_is_left_of_a_set_up_that_is_over_sends_nothing() {
    let mut world = World::new();
    let (give, mut given) = tokio::sync::mpsc::unbounded_channel();
    let hook = move |setup: Setup| {
        let kept = give.send(setup).map_err(|_| "the test is over");
        async move {
            kept?;
            std::future::pending::<Result<(), &str>>().await
        }
    };
    let client = world.build(builder().on_session(hook));
    drop(connect(&client));
    let mut peer = world.accept().await;
    peer.received().await;
    peer.send(welcome_new(1));
    let setup = given.recv().await.unwrap();
    setup.emit("in-time", &1).unwrap();
    peer.send("x 4100");
    let mut statuses = client.status_stream();
    until(&mut statuses, |status| !matches!(status, Status::Connecting { .. })).await;
    assert_eq!(setup.emit("late", &1), Err(EmitError::SetupOver));
    let late = setup.request::<_, _, ()>("late", &1).await;
    assert_eq!(late, Err(RequestError::Send(EmitError::SetupOver)));
}

#[tokio::test]
async fn a_client_that_is_closed_finishes_its_set_up_first_and_ends_at_once_when_that_fails() {
    for (answer, last) in [("r 2", &["e work 0", "x 1000"][..]), ("f 2 wrong", &["x 1000"])] {
        let mut world = World::new();
        let client = world.build(builder().on_session(log_in));
        client.emit("work", &0).unwrap();
        drop(connect(&client));
        let mut peer = world.accept().await;
        peer.received().await;
        peer.send(welcome_new(1));
        received(&mut peer, 2).await;
        let closing = tokio::spawn({
            let client = client.clone();
            async move { client.close().await }
        });
        settle().await;
        assert_eq!(client.emit("work", &1), Err(EmitError::Closed));
        peer.send(format!("a rtt\n{answer}"));
        assert_eq!(received(&mut peer, last.len()).await, last);
        peer.send("x 1000");
        soon(closing).await.unwrap();
        assert!(matches!(client.status(), Status::Closed { code: CloseCode::NORMAL, .. }));
    }
}
