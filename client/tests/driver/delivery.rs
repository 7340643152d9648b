//! Events, requests and handlers over changing carriers.

use std::time::Duration;

use bowline_client::{Client, EmitError, Failure, Received, RequestError, Status, Transport};
use bytes::Bytes;
use futures::{FutureExt, StreamExt};

use crate::host::{World, soon, welcome_back, welcome_new};
use crate::lifecycle::connected;

async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_cut_loses_and_repeats_nothing_in_either_direction() {
    let mut world = World::new();
    let client = world.client();
    let mut ticks = client.on::<_, u32>("tick");
    let mut peer = connected(&mut world, &client).await;
    for number in 1..=3 {
        client.emit("tock", &number).unwrap();
    }
    assert_eq!(peer.received().await, ["e tock 1", "e tock 2", "e tock 3"]);
    peer.send("e tick 1\nc 1\ne tick 2");
    assert_eq!(soon(ticks.next()).await.unwrap().unwrap().payload, 1);
    assert_eq!(soon(ticks.next()).await.unwrap().unwrap().payload, 2);
    peer.cut();
    settle().await;
    client.emit("tock", &4).unwrap();
    world.advance(Duration::from_millis(100));
    let mut peer = world.accept().await;
    let received = peer.received().await;
    assert!(received[0].contains(" n=2 recv=2 next=2 by="), "{received:?}");
    assert_eq!(received.len(), 1, "the welcome states what is missing: {received:?}");
    // The server does not know that its second packet arrived, and has received all of the
    // client's.
    peer.send(welcome_back(1, 2, 2) + "\ne tick 2\ne tick 3");
    let received = peer.received().await;
    assert_eq!(received, ["n 3", "e tock 3", "e tock 4"], "the server still counts from 2");
    assert_eq!(soon(ticks.next()).await.unwrap().unwrap().payload, 3);
    assert!(ticks.next().now_or_never().is_none());
    let transport = Transport::WebSocket;
    assert_eq!(client.status(), Status::Connected { transport, resumed: true });
    assert_eq!((client.stats().reconnects, client.stats().resumes), (1, 1));
}

#[tokio::test]
async fn silence_ends_the_carrier_and_not_the_session() {
    let mut world = World::new();
    let client = world.client();
    let mut first = connected(&mut world, &client).await;
    settle().await;
    world.advance(Duration::from_secs(41));
    settle().await;
    world.advance(Duration::from_millis(100));
    let mut peer = world.accept().await;
    assert!(peer.received().await[0].starts_with("attach "));
    assert_eq!(first.received().await, ["cut"]);
    peer.send(welcome_back(1, 0, 1));
}

#[tokio::test]
async fn a_request_gets_its_reply_its_failure_or_its_timeout() {
    let mut world = World::new();
    let client = world.client();
    let peer = connected(&mut world, &client).await;
    let ask = |name| client.request::<_, _, u8>(name, &()).timeout(Duration::from_secs(3));
    let [good, bad, odd, late] =
        ["good", "bad", "odd", "late"].map(|name| tokio::spawn(ask(name).into_future()));
    settle().await;
    peer.send("f 2 not-found {\"id\":1}\nr 1 7\nr 3 \"seven\"");
    assert_eq!(soon(good).await.unwrap(), Ok(7));
    let bad = soon(bad).await.unwrap().unwrap_err();
    assert_eq!(bad.failure_code(), Some("not-found"));
    assert!(matches!(soon(odd).await.unwrap(), Err(RequestError::Decode(_))));
    world.advance(Duration::from_secs(3));
    assert_eq!(soon(late).await.unwrap(), Err(RequestError::TimedOut { sent: true }));
}

#[tokio::test]
async fn a_request_that_was_never_sent_is_withdrawn_when_it_times_out_or_is_dropped() {
    let mut world = World::new();
    let client = world.client();
    let ask = |name| client.request::<_, _, u8>(name, &()).timeout(Duration::from_secs(3));
    let late = tokio::spawn(ask("late").into_future());
    let mut dropped = Box::pin(ask("dropped").into_future());
    assert!((&mut dropped).now_or_never().is_none());
    let stays = tokio::spawn(ask("stays").timeout(Duration::from_secs(30)).into_future());
    settle().await;
    client.emit("tock", &1).unwrap();
    drop(dropped);
    // The driver is late as well: it reads the clock only when it connects.
    world.advance(Duration::from_secs(3));
    let connecting = tokio::spawn({
        let client = client.clone();
        async move { client.connect().await }
    });
    let mut peer = world.accept().await;
    let received = peer.received().await;
    assert!(received[0].starts_with("open "), "{received:?}");
    assert_eq!(received[1..], ["q stays", "e tock 1"]);
    peer.send(welcome_new(1) + "\nr 1 5");
    soon(connecting).await.unwrap().unwrap();
    assert_eq!(soon(late).await.unwrap(), Err(RequestError::TimedOut { sent: false }));
    assert_eq!(soon(stays).await.unwrap(), Ok(5));
}

#[tokio::test]
async fn bytes_travel_beside_the_payload_in_both_directions() {
    let mut world = World::new();
    let client = world.client();
    let mut peer = connected(&mut world, &client).await;
    client.emit_with("file", "a.txt", Bytes::from_static(&[1, 2])).unwrap();
    assert_eq!(peer.received().await, [r#"Binary(b"E file \"a.txt\"\n\x01\x02")"#]);
    let request = client.request::<_, _, u8>("load", &1).bytes(Bytes::from_static(&[3]));
    let reply = tokio::spawn(request.received());
    assert_eq!(peer.received().await, [r#"Binary(b"Q load 1\n\x03")"#]);
    peer.send_binary(b"R 2 4\n\x00\xff");
    let received = soon(reply).await.unwrap().unwrap();
    assert_eq!(received, Received { payload: 4, bytes: Some(Bytes::from_static(&[0, 255])) });
}

#[tokio::test]
async fn handlers_answer_the_requests_of_the_server() {
    let mut world = World::new();
    let client = world.client();
    client.handle("double", async |number: Received<u32>| Ok(number.payload * 2));
    client.handle::<_, (), (), _, _>("refuse", async |_| Err(Failure::new("busy").with(&1)));
    client.handle::<_, (), (), _, _>("panic", async |_| panic!("a handler may fail"));
    let mut peer = connected(&mut world, &client).await;
    peer.send("q double 21\nq refuse\nq panic\nq double \"no\"\nq unknown");
    let mut answers = Vec::new();
    while answers.len() < 5 {
        answers.extend(peer.received().await);
    }
    answers.sort();
    let expected =
        ["f 2 busy 1", "f 3 internal", "f 4 invalid-payload", "f 5 no-handler", "r 1 42"];
    for (answer, expected) in answers.iter().zip(expected) {
        assert!(answer.starts_with(expected), "{answers:?}");
    }
}

#[tokio::test]
async fn what_the_server_would_refuse_is_refused_at_once() {
    let mut world = World::new();
    let client = world.client();
    let mut peer = connected(&mut world, &client).await;
    let large = "x".repeat(1000);
    assert_eq!(client.emit("large", &large), Err(EmitError::TooLarge { limit: 1000 }));
    let answer = soon(client.request::<_, _, ()>("large", &large).into_future()).await;
    assert_eq!(answer, Err(RequestError::Send(EmitError::TooLarge { limit: 1000 })));
    client.emit("small", "x").unwrap();
    assert_eq!(peer.received().await, ["e small \"x\""]);
}

#[tokio::test]
async fn a_full_outbox_says_so_and_keeps_what_it_has() {
    let mut world = World::new();
    let client = world.build(Client::builder("http://test/bowline").outbox_limit(200));
    client.emit("a", "1").unwrap();
    client.emit("b", "2").unwrap();
    let full = client.emit("c", "3").unwrap_err();
    assert!(full.is_temporary() && full == EmitError::Full { limit: 200 }, "{full}");
    _ = tokio::spawn({
        let client = client.clone();
        async move { client.connect().await }
    });
    let mut peer = world.accept().await;
    assert_eq!(peer.received().await[1..], ["e a \"1\"", "e b \"2\""]);
}

#[tokio::test]
async fn a_subscriber_that_does_not_read_stops_the_reading_and_loses_nothing() {
    let mut world = World::new();
    let client = world.build(Client::builder("http://test/bowline").backlog_limit(500));
    let mut numbers = client.on::<_, u32>("number");
    let mut marks = client.on::<_, u32>("mark");
    let peer = connected(&mut world, &client).await;
    for number in 1..=100 {
        peer.send(format!("e number {number}"));
    }
    peer.send("e mark 0");
    settle().await;
    assert!(marks.next().now_or_never().is_none(), "what comes behind is not read");
    for number in 1..=100 {
        assert_eq!(soon(numbers.next()).await.unwrap().unwrap().payload, number);
    }
    soon(marks.next()).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_forgotten_request_is_forgotten() {
    let mut world = World::new();
    let client = world.client();
    let mut peer = connected(&mut world, &client).await;
    let mut answer = Box::pin(client.request::<_, _, u8>("ask", &()).into_future());
    assert!((&mut answer).now_or_never().is_none());
    assert_eq!(peer.received().await, ["q ask"]);
    drop(answer);
    peer.send("r 1 1");
    let next = tokio::spawn(client.request::<_, _, u8>("ask", &()).into_future());
    assert_eq!(peer.received().await, ["q ask"]);
    peer.send("r 2 2");
    assert_eq!(soon(next).await.unwrap(), Ok(2));
}

#[tokio::test]
async fn volatile_events_are_dropped_while_there_is_no_connection() {
    let mut world = World::new();
    let client = world.client();
    assert!(!client.emit_volatile("cursor", &1));
    let mut peer = connected(&mut world, &client).await;
    assert!(client.emit_volatile("cursor", &2));
    assert_eq!(peer.received().await, ["v cursor 2"]);
    assert_eq!(client.stats().dropped_volatile, 1);
}
