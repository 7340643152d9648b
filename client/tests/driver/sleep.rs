//! Hosts that sleep, wake up and end.

use std::time::Duration;

use bowline_client::platform::Lifecycle;
use bowline_client::{Client, Status, Transport};
use futures::channel::oneshot;

use crate::host::{Peer, World, soon, welcome_back, welcome_new};
use crate::lifecycle::{connected, settle, until};

/// Connected, and the round trip of the new carrier is measured, so that the next probe is another.
async fn quiet(world: &mut World, client: &Client) -> Peer {
    let peer = connected(world, client).await;
    settle().await;
    peer.send("a rtt");
    settle().await;
    peer
}

/// The session continues where it was.
async fn resumes(world: &mut World, client: &Client, n: u64) {
    let mut statuses = client.status_stream();
    let mut peer = world.accept().await;
    let received = peer.received().await;
    assert!(received[0].contains(&format!(" n={n} recv=0 next=1")), "{received:?}");
    peer.send(welcome_back(1, 0, 1));
    until(&mut statuses, |status| matches!(status, Status::Connected { resumed: true, .. })).await;
    assert_eq!(peer.received().await, ["e kept 1"]);
}

#[tokio::test]
async fn a_suspended_client_opens_nothing_until_it_is_woken() {
    let mut world = World::new();
    let client = world.client();
    let mut peer = quiet(&mut world, &client).await;
    client.suspend();
    assert_eq!(peer.received().await, ["cut"]);
    assert!(matches!(client.status(), Status::Waiting { .. }));
    client.emit("kept", &1).unwrap();
    settle().await;
    world.advance(Duration::from_secs(60));
    settle().await;
    assert!(world.is_quiet(), "it sleeps");
    client.wake();
    resumes(&mut world, &client, 2).await;
}

#[tokio::test]
async fn a_client_that_is_suspended_before_it_connects_waits() {
    let mut world = World::new();
    let client = world.client();
    client.suspend();
    let connecting = tokio::spawn({
        let client = client.clone();
        async move { client.connect().await }
    });
    settle().await;
    assert!(world.is_quiet(), "it sleeps");
    client.wake();
    let mut peer = world.accept().await;
    peer.received().await;
    peer.send(welcome_new(1));
    soon(connecting).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_token_that_comes_while_suspended_opens_nothing() {
    let mut world = World::new();
    let (answer, token) = oneshot::channel::<u8>();
    let token = std::sync::Mutex::new(Some(token));
    let client = world.build(Client::builder("http://test/bowline").auth_with(move || {
        let token = token.lock().unwrap().take().expect("it is asked once");
        async move { token.await.map_err(|_| "the test is over") }
    }));
    let connecting = tokio::spawn({
        let client = client.clone();
        async move { client.connect().await }
    });
    settle().await;
    client.suspend();
    answer.send(7).unwrap();
    settle().await;
    assert!(world.is_quiet(), "it sleeps");
    client.wake();
    let mut peer = world.accept().await;
    assert!(peer.received().await[0].ends_with(" by=282578800148737 7"), "the token is still good");
    peer.send(welcome_new(1));
    soon(connecting).await.unwrap().unwrap();
}

#[tokio::test]
async fn waking_ends_the_wait_for_the_next_attempt() {
    let mut world = World::new();
    let transports = [Transport::WebSocket];
    let client = world.build(Client::builder("http://test/bowline").transports(transports));
    let mut statuses = client.status_stream();
    let connecting = tokio::spawn({
        let client = client.clone();
        async move { client.connect().await }
    });
    world.refuse_socket(502, "").await;
    until(&mut statuses, |status| matches!(status, Status::Waiting { .. })).await;
    settle().await;
    assert!(world.is_quiet(), "it waits");
    client.wake();
    let mut peer = world.accept().await;
    peer.received().await;
    peer.send(welcome_new(1));
    soon(connecting).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_connection_that_does_not_prove_itself_after_a_sleep_is_replaced() {
    let mut world = World::new();
    let client = world.client();
    let mut peer = quiet(&mut world, &client).await;
    client.wake();
    settle().await;
    peer.send("a rtt");
    settle().await;
    world.advance(Duration::from_secs(2));
    settle().await;
    assert!(world.is_quiet(), "it has proved itself");
    client.wake();
    settle().await;
    client.emit("kept", &1).unwrap();
    assert_eq!(peer.received().await, ["e kept 1"]);
    world.advance(Duration::from_secs(2));
    assert_eq!(peer.received().await, ["cut"]);
    settle().await;
    world.advance(Duration::from_millis(100));
    resumes(&mut world, &client, 2).await;
}

#[tokio::test]
async fn what_becomes_of_the_host_reaches_the_session() {
    let mut world = World::new();
    let client = world.client();
    let mut peer = quiet(&mut world, &client).await;
    client.emit("kept", &1).unwrap();
    assert_eq!(peer.received().await, ["e kept 1"]);
    world.becomes(Lifecycle::Suspend);
    assert_eq!(peer.received().await, ["cut"]);
    settle().await;
    assert!(world.is_quiet(), "it sleeps");
    world.becomes(Lifecycle::Wake);
    resumes(&mut world, &client, 2).await;
}

#[tokio::test]
async fn a_host_that_ends_says_good_bye() {
    let mut world = World::new();
    let client = world.client();
    let mut peer = quiet(&mut world, &client).await;
    world.becomes(Lifecycle::Leave);
    assert_eq!(peer.received().await, ["x 1000"]);
    peer.send("x 1000");
    let mut statuses = client.status_stream();
    until(&mut statuses, Status::is_closed).await;
}
