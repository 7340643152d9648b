//! Connecting, refusals, losing the session, closing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bowline_client::protocol::CloseCode;
use bowline_client::{
    Client, ConnectError, OnSessionLost, RequestError, Status, StatusStream, Transport,
    TryRecvError,
};
use futures::StreamExt;

use crate::host::{Peer, World, soon, welcome_back, welcome_new};

/// A client that is connected over a WebSocket to session 1.
pub(crate) async fn connected(world: &mut World, client: &Client) -> Peer {
    let (peer, connected) = soon(futures::future::join(
        async {
            let mut peer = world.accept().await;
            peer.received().await;
            peer.send(welcome_new(1));
            peer
        },
        client.connect(),
    ))
    .await;
    connected.unwrap();
    peer
}

pub(crate) async fn until(statuses: &mut StatusStream, wanted: impl Fn(&Status) -> bool) -> Status {
    loop {
        let status = soon(statuses.next()).await.expect("the client goes on");
        if wanted(&status) {
            return status;
        }
    }
}

#[tokio::test]
async fn what_is_emitted_before_the_connection_goes_out_with_the_open() {
    let mut world = World::new();
    let client = world.build(Client::builder("http://test/bowline").auth(&7));
    client.emit("greet", "hi").unwrap();
    let connecting = tokio::spawn({
        let client = client.clone();
        async move { client.connect().await }
    });
    let mut peer = world.accept().await;
    let received = peer.received().await;
    assert_eq!(
        received,
        ["open v=1 key=AgICAgICAgICAgICAgICAg n=1 by=282578800148737 7", "e greet \"hi\""]
    );
    peer.send(welcome_new(1));
    soon(connecting).await.unwrap().unwrap();
    let transport = Transport::WebSocket;
    assert_eq!(client.status(), Status::Connected { transport, resumed: false });
    assert_eq!(client.transport(), Some(transport));
}

#[tokio::test]
async fn the_round_trip_is_measured() {
    let mut world = World::new();
    let client = world.client();
    let peer = connected(&mut world, &client).await;
    let mut pinged = client.on::<_, ()>("after");
    tokio::task::yield_now().await;
    world.advance(Duration::from_millis(30));
    peer.send("a rtt\ne after");
    soon(pinged.next()).await.unwrap().unwrap();
    assert_eq!(client.rtt(), Some(Duration::from_millis(30)));
}

#[tokio::test]
async fn a_refused_client_stops_and_says_why() {
    let mut world = World::new();
    let client = world.client();
    let (error, ()) = soon(futures::future::join(
        client.connect(),
        world.refuse_socket(403, "x 4300 \"no such user\""),
    ))
    .await;
    let error = error.unwrap_err();
    let reason = "\"no such user\"".into();
    assert_eq!(error, ConnectError::Closed { code: CloseCode::REFUSED, reason });
    assert!(client.status().is_closed());
    assert_eq!(client.emit("late", "").unwrap_err(), bowline_client::EmitError::Closed);
    assert_eq!(client.connect().await, Err(error));
}

#[tokio::test]
async fn a_game_loop_takes_what_has_arrived_without_waiting() {
    let mut world = World::new();
    let client = world.client();
    let peer = connected(&mut world, &client).await;
    let mut moves = client.on::<_, u8>("move");
    assert_eq!(moves.try_recv().unwrap_err(), TryRecvError::Empty);
    peer.send("e move 1\ne move \"no number\"\ne move 3\nx 4500 \"enough\"");
    assert_eq!(soon(moves.next()).await.unwrap().unwrap().payload, 1);
    moves.try_recv().unwrap().unwrap_err();
    assert_eq!(moves.try_recv().unwrap().unwrap().payload, 3);
    assert!(soon(moves.next()).await.is_none());
    assert_eq!(moves.try_recv().unwrap_err(), TryRecvError::Closed);
}

#[tokio::test]
async fn a_server_that_ends_the_session_gets_its_answer() {
    let mut world = World::new();
    let client = world.client();
    let mut peer = connected(&mut world, &client).await;
    let mut events = client.on::<_, u8>("last");
    peer.send("e last 1\nx 4500 \"enough\"");
    assert_eq!(soon(events.next()).await.unwrap().unwrap().payload, 1);
    assert!(soon(events.next()).await.is_none(), "the subscription ends with the client");
    assert_eq!(peer.received().await, ["c 1", "x 4500 \"enough\""]);
    assert_eq!(peer.received().await, ["Close(4500)"]);
    let mut statuses = client.status_stream();
    let status = until(&mut statuses, Status::is_closed).await;
    assert!(matches!(status, Status::Closed { code, .. } if code.get() == 4500), "{status:?}");
}

#[tokio::test]
async fn a_lost_session_is_reported_and_what_was_never_sent_goes_to_the_next() {
    let mut world = World::new();
    let client = world.client();
    let mut statuses = client.status_stream();
    let mut peer = connected(&mut world, &client).await;
    let sent = tokio::spawn(client.request::<_, _, u8>("sent", &1).into_future());
    assert_eq!(peer.received().await, ["q sent 1"]);
    peer.cut();
    let mut peer = reconnected(&mut world).await;
    assert!(peer.received().await[0].starts_with("attach "));
    client.emit("unsent", &2).unwrap();
    let unsent = tokio::spawn(client.request::<_, _, u8>("ask", &3).into_future());
    settle().await;
    peer.send("x 4101");
    let lost = until(&mut statuses, |status| matches!(status, Status::SessionLost { .. })).await;
    let code = CloseCode::SESSION_RESTARTED;
    assert_eq!(lost, Status::SessionLost { code, confirmed: 0, unknown: 1 });
    assert_eq!(soon(sent).await.unwrap(), Err(RequestError::SessionLost { sent: true }));
    let mut peer = reconnected(&mut world).await;
    let received = peer.received().await;
    assert!(received[0].starts_with("open v=1 key=AwMDAw"), "a new key: {received:?}");
    assert_eq!(received[1..], ["e unsent 2", "q ask 3"]);
    peer.send(welcome_new(2) + "\nr 2 9");
    assert_eq!(soon(unsent).await.unwrap(), Ok(9), "under its new number");
    assert_eq!(client.stats().sessions_lost, 1);
}

/// The next WebSocket, after the short wait that follows a cut.
async fn reconnected(world: &mut World) -> Peer {
    settle().await;
    world.advance(Duration::from_millis(100));
    world.accept().await
}

/// Lets the driver process its input.
pub(crate) async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_client_that_shall_not_reopen_stops() {
    let mut world = World::new();
    let builder = Client::builder("http://test/bowline").on_session_lost(OnSessionLost::Stop);
    let client = world.build(builder);
    let mut statuses = client.status_stream();
    let peer = connected(&mut world, &client).await;
    peer.send("x 4103");
    until(&mut statuses, |status| matches!(status, Status::SessionLost { .. })).await;
    let status = until(&mut statuses, Status::is_closed).await;
    assert!(matches!(status, Status::Closed { code: CloseCode::SLOW_CONSUMER, .. }), "{status:?}");
}

#[tokio::test]
async fn a_draining_server_is_left_alone_as_long_as_it_asks() {
    let mut world = World::new();
    let client = world.client();
    let mut statuses = client.status_stream();
    let peer = connected(&mut world, &client).await;
    peer.send("x 4000 retry=3000");
    let retry_in = Duration::from_secs(3);
    until(&mut statuses, |status| matches!(status, Status::Waiting { .. })).await;
    world.advance(retry_in);
    settle().await;
    assert!(world.is_quiet(), "not yet, and not all clients at once");
    world.advance(retry_in / 4);
    let mut peer = world.accept().await;
    assert!(peer.received().await[0].contains(" n=2 recv=0 next=1"));
    peer.send(welcome_back(1, 0, 1));
    until(&mut statuses, |status| matches!(status, Status::Connected { resumed: true, .. })).await;
}

#[tokio::test]
async fn close_sends_what_waits_first() {
    let mut world = World::new();
    let client = world.client();
    let mut peer = connected(&mut world, &client).await;
    client.emit("last", "words").unwrap();
    let closing = tokio::spawn({
        let client = client.clone();
        async move { client.close().await }
    });
    let mut received = peer.received().await;
    if received.len() == 1 {
        received.extend(peer.received().await);
    }
    assert_eq!(received, ["e last \"words\"", "x 1000"]);
    assert_eq!(peer.received().await, ["Close(1000)"]);
    assert!(!closing.is_finished(), "the server has not answered");
    peer.send("x 1000");
    soon(closing).await.unwrap();
    assert!(matches!(client.status(), Status::Closed { code: CloseCode::NORMAL, .. }));
}

#[tokio::test]
async fn close_gives_up_after_five_seconds() {
    let mut world = World::new();
    let client = world.client();
    client.emit("never", "sent").unwrap();
    let connecting = tokio::spawn({
        let client = client.clone();
        async move { client.connect().await }
    });
    world.refuse_socket(502, "").await;
    let closing = tokio::spawn({
        let client = client.clone();
        async move { client.close().await }
    });
    settle().await;
    world.advance(Duration::from_secs(5));
    soon(closing).await.unwrap();
    assert!(soon(connecting).await.unwrap().is_err());
}

#[tokio::test]
async fn dropping_the_last_handle_closes() {
    let mut world = World::new();
    let client = world.client();
    let mut peer = connected(&mut world, &client).await;
    drop(client.clone());
    client.emit("still", "here").unwrap();
    assert_eq!(peer.received().await, ["e still \"here\""]);
    drop(client);
    assert_eq!(peer.received().await, ["x 1000"]);
}

#[tokio::test]
async fn the_token_is_asked_for_again_after_a_failure_and_for_each_session() {
    let mut world = World::new();
    let asked = Arc::new(AtomicUsize::new(0));
    let builder = Client::builder("http://test/bowline").auth_with({
        let asked = Arc::clone(&asked);
        move || {
            let times = asked.fetch_add(1, Ordering::Relaxed) + 1;
            async move { if times == 1 { Err("the token server is down") } else { Ok(times) } }
        }
    });
    let client = world.build(builder);
    let mut statuses = client.status_stream();
    let connecting = tokio::spawn({
        let client = client.clone();
        async move { client.connect().await }
    });
    until(&mut statuses, |status| matches!(status, Status::Waiting { .. })).await;
    assert!(client.last_failure().unwrap().contains("the token server is down"));
    world.advance(Duration::from_millis(500));
    let mut peer = world.accept().await;
    assert!(peer.received().await[0].ends_with(" by=282578800148737 2"), "the second token");
    peer.send(welcome_new(1));
    soon(connecting).await.unwrap().unwrap();
    peer.send("x 4100");
    let mut peer = {
        settle().await;
        world.advance(Duration::from_millis(100));
        world.accept().await
    };
    assert!(peer.received().await[0].ends_with(" by=282578800148737 3"), "the third token");
}

#[tokio::test]
async fn a_handler_may_own_the_last_handle_of_its_client() {
    let mut world = World::new();
    let client = world.build(Client::builder("http://test/bowline"));
    let mut statuses = client.status_stream();
    let peer = connected(&mut world, &client).await;
    let own = client.clone();
    client.handle_raw("ask", move |payload| {
        let own = own.clone();
        async move {
            own.emit_raw("asked", &payload).unwrap();
            Ok(payload)
        }
    });
    drop(client);
    peer.send("x 1000");
    until(&mut statuses, |status| status.is_closed()).await;
}
