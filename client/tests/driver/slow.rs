//! Servers that take long to accept a client.

use std::time::Duration;

use bowline_client::{Client, Transport};

use crate::host::{World, soon, welcome_new};
use crate::http::{connected, send, settle};

fn start(world: &World, transports: &[Transport]) -> Client {
    let builder = Client::builder("http://test/bowline").transports(transports.iter().copied());
    let client = world.build(builder);
    tokio::spawn({
        let client = client.clone();
        async move { client.connect().await }
    });
    client
}

fn assert_nothing_was_blamed(client: &Client, transport: Transport) {
    assert_eq!((client.transport(), client.verdict()), (Some(transport), None));
    let words = client.diagnostics().to_string();
    assert!(!words.contains("needs") && !words.contains("failed"), "{words}");
}

/// Lets time pass in steps, so that the client can act and may give up.
async fn eight_seconds(world: &mut World) {
    for _ in 0..8 {
        settle().await;
        world.advance(Duration::from_secs(1));
    }
    settle().await;
    assert!(world.is_quiet(), "nothing else is tried");
}

#[tokio::test]
async fn a_websocket_that_says_it_is_there_is_waited_for() {
    let mut world = World::new();
    let client = start(&world, &[Transport::WebSocket, Transport::Sse, Transport::Polling]);
    let mut peer = world.accept().await;
    assert!(peer.received().await[0].starts_with("open v=1"));
    peer.send("a");
    eight_seconds(&mut world).await;
    peer.send(welcome_new(1));
    connected(&client).await;
    assert_nothing_was_blamed(&client, Transport::WebSocket);
}

#[tokio::test]
async fn a_stream_that_says_it_is_there_is_waited_for() {
    let mut world = World::new();
    let client = start(&world, &[Transport::Sse, Transport::Polling]);
    let body = world.post("sse").await.stream();
    send(&body, "id: 0\ndata: a\n\n");
    eight_seconds(&mut world).await;
    send(&body, &format!("id: 0\ndata: {}\n\n", welcome_new(1)));
    connected(&client).await;
    assert_nothing_was_blamed(&client, Transport::Sse);
}

#[tokio::test]
async fn a_poll_without_a_decision_is_repeated_with_the_next_number() {
    let mut world = World::new();
    let client = start(&world, &[Transport::Polling]);
    let mut first = world.post("poll").await;
    for number in 2..5 {
        let expected = first.body.replace(&format!("n={}", number - 1), &format!("n={number}"));
        first.answer("a");
        settle().await;
        assert!(world.is_quiet(), "not at once after an answer that came at once");
        world.advance(Duration::from_secs(1));
        first = world.post("poll").await;
        assert_eq!(first.body, expected, "the same key");
    }
    first.answer(&welcome_new(1));
    soon(connected(&client)).await;
    assert_nothing_was_blamed(&client, Transport::Polling);
}
