//! Trials of a better transport beside the one that serves.

use std::time::Duration;

use bowline_client::{Client, Transport, Verdict};

use crate::host::{Body, Opening, Peer, World, welcome_back, welcome_new};
use crate::http::{connected, send};

/// A client whose WebSocket takes long to open, and which receives its welcome on a stream.
async fn slow(world: &mut World) -> (Client, Opening, Body) {
    let builder = Client::builder("http://test/bowline");
    let client = world.build(builder.trial_interval(Duration::from_secs(1)));
    tokio::spawn({
        let client = client.clone();
        async move { client.connect().await }
    });
    let opening = world.opening().await;
    world.advance(Duration::from_secs(1));
    let body = world.post("sse").await.stream();
    send(&body, &format!("id: 0\ndata: {}\n\n", welcome_new(1)));
    connected(&client).await;
    (client, opening, body)
}

#[tokio::test]
async fn a_websocket_that_opens_late_takes_over_once_it_has_answered() {
    let mut world = World::new();
    let (client, opening, body) = slow(&mut world).await;
    let mut peer = Peer::accept(opening);
    assert_eq!(peer.received().await, ["h trial"]);
    assert_eq!(client.transport(), Some(Transport::Sse), "an open WebSocket proves nothing");
    peer.send("a trial");
    let received = peer.received().await;
    assert!(received[0].starts_with("attach v=1") && received[0].contains(" n=2 "), "{received:?}");
    peer.send(welcome_back(1, 0, 1));
    while client.transport() != Some(Transport::WebSocket) {
        tokio::task::yield_now().await;
    }
    assert!(body.is_closed(), "the stream is let go");
    assert_eq!((client.stats().resumes, client.verdict()), (1, None));
}

#[tokio::test]
async fn a_trial_that_fails_is_repeated_later_and_reported() {
    let mut world = World::new();
    let (client, opening, _body) = slow(&mut world).await;
    let peer = Peer::accept(opening);
    peer.send("<html>");
    peer.cut();
    while client.diagnostics().found.len() < 6 {
        tokio::task::yield_now().await;
    }
    let words = client.diagnostics().to_string();
    assert!(words.contains("http://test/bowline: connected over sse."), "{words}");
    assert!(words.contains("websocket is not used: it failed again after 0 ms: "), "{words}");
    let valid_for = Duration::from_secs(1);
    assert_eq!(client.verdict(), Some(Verdict { transport: Transport::Sse, valid_for }));
    world.post("post").await.answer("c 0\na rtt");
    world.advance(Duration::from_secs(2));
    world.refuse_socket(403, "").await;
}

#[tokio::test]
async fn a_client_with_a_verdict_tries_no_other_transport() {
    let mut world = World::new();
    let verdict = Verdict { transport: Transport::Polling, valid_for: Duration::from_secs(9) };
    let client = world.build(Client::builder("http://test/bowline").verdict(verdict));
    let connecting = tokio::spawn(async move { client.connect().await });
    world.post("poll").await.answer(&welcome_new(1));
    connecting.await.unwrap().unwrap();
}
