//! Stories in which the network or the server breaks.

use std::future::IntoFuture as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bowline_client::{Client, Received, RequestError, Setup, Status, Transport};
use bowline_protocol::CloseCode;
use bowline_server::Socket;
use futures::future::join_all;
use futures::{FutureExt as _, StreamExt as _};

use super::World;
use bowline_contract::{AskBack, CountDown, Down, Echo, Hang, Up};
use bowline_fault_proxy::Cut;
use bowline_fixtures::app::{self, Entry};

/// What both sides send while the connection is cut arrives when it is back, once and in order.
pub async fn messages_sent_while_cut_off_arrive_once_and_in_order(world: World) {
    let client = world.client();
    let down = client.on(Down).take(100);
    client.connect().await.unwrap();
    client.request(Echo, &"here".to_owned()).await.unwrap();
    let session = client.session_id().unwrap();
    let socket = world.server.bowline().socket(&session).unwrap();

    let mut changes = client.status_stream();
    world.proxy.refuse_connections(true);
    world.proxy.cut_all(Cut::Reset);
    // Between two polls there is no connection to cut; then the next poll is refused.
    while changes.next().await.unwrap().is_connected() {}
    for number in 1..=100 {
        client.emit(Up, &number).unwrap();
        socket.emit(Down, &number).unwrap();
    }
    world.proxy.refuse_connections(false);

    let down: Vec<u64> = down.map(|event| event.unwrap().payload).collect().await;
    assert!(down.into_iter().eq(1..=100));
    client.request(Echo, &"done".to_owned()).await.unwrap();
    assert!(world.server.journal().numbers(session).into_iter().eq(1..=100));
    assert_eq!(client.session_id(), Some(session));
    assert!(client.stats().resumes >= 1);
}

/// Cuts at any moment lose nothing.
pub async fn numbered_messages_survive_many_cuts(world: World) {
    const MESSAGES: u64 = 400;
    let client = world.client();
    let mut down = client.on(Down);
    client.connect().await.unwrap();
    let session = client.session_id().unwrap();
    client.emit(CountDown, &MESSAGES).unwrap();
    for number in 1..=MESSAGES {
        client.emit(Up, &number).unwrap();
        assert_eq!(down.next().await.unwrap().unwrap().payload, number);
        if number % 40 == 0 {
            let how = if number % 80 == 0 { Cut::Reset } else { Cut::Finish };
            world.proxy.cut_all(how);
        }
    }
    client.request(Echo, &"done".to_owned()).await.unwrap();
    assert!(world.server.journal().numbers(session).into_iter().eq(1..=MESSAGES));
}

/// Requests both ways end with their answers although the connection is cut between.
pub async fn requests_survive_cuts(world: World) {
    let client = world.client();
    client.handle(Down, |asked| async move { Ok(asked.payload * 2) });
    client.connect().await.unwrap();
    for round in 0..10u64 {
        let asked = (0..10).map(|number| {
            let number = round * 10 + number;
            let answer = client.request(AskBack, &number);
            async move { answer.await.unwrap() == number * 2 }
        });
        let cut = async { world.proxy.cut_all(Cut::Reset) };
        let (answers, _) = futures::join!(join_all(asked), cut);
        assert!(answers.into_iter().all(|right| right));
    }
}

/// What a request said when it ended is true: one that was never sent is not handled later, in
/// either direction, and what was said around it arrives.
pub async fn a_request_that_timed_out_unsent_is_never_handled(world: World) {
    let client = world.client();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&asked);
    client.handle(Down, move |number: Received<u64>| {
        heard.lock().unwrap().push(number.payload);
        async move { Ok(number.payload * 2) }
    });
    client.connect().await.unwrap();
    client.request(Echo, &"here".to_owned()).await.unwrap();
    let session = client.session_id().unwrap();
    let socket = world.server.bowline().socket(&session).unwrap();

    let mut changes = client.status_stream();
    world.proxy.refuse_connections(true);
    world.proxy.cut_all(Cut::Reset);
    while changes.next().await.unwrap().is_connected() {}
    client.emit(Up, &1).unwrap();
    let paid = client.request(Up, &1000).timeout(SHORT).await;
    assert!(matches!(paid, Err(RequestError::TimedOut { sent: false })), "{paid:?}");
    assert!(client.request(Up, &1001).into_future().now_or_never().is_none());
    client.emit(Up, &2).unwrap();
    let unsent = never_sent(&socket).await;
    let stays = tokio::spawn(socket.request(Down, &7).into_future());
    world.proxy.refuse_connections(false);

    assert_eq!(stays.await.unwrap().unwrap(), 14);
    client.request(Echo, &"done".to_owned()).await.unwrap();
    assert_eq!(world.server.journal().numbers(session), [1, 2]);
    let asked = asked.lock().unwrap();
    assert!(asked.contains(&7) && !asked.contains(&unsent), "{unsent} in {asked:?}");
}

/// Asks the client until the server knows that there is no carrier. Returns what was never sent.
async fn never_sent(socket: &Socket) -> u64 {
    for number in 2000.. {
        match socket.request(Down, &number).timeout(SHORT).await {
            Err(bowline_server::RequestError::TimedOut { sent: false }) => return number,
            Err(bowline_server::RequestError::TimedOut { sent: true }) => {}
            other => panic!("{other:?}"),
        }
    }
    unreachable!("a session without a carrier sends nothing")
}

/// How long a request waits that nobody answers.
const SHORT: Duration = Duration::from_millis(50);

/// A new session is set up before anything that was queued is handled: the first one, and the one
/// that follows a loss.
pub async fn a_new_session_is_set_up_before_anything_queued(world: World) {
    let hook = async |setup: Setup| {
        setup.emit(Up, &1000)?;
        setup.request(Up, &1001).await?;
        setup.emit(Up, &1002)?;
        Ok::<_, RequestError>(())
    };
    let client = world.builder().on_session(hook).build().unwrap();
    client.emit(Up, &1).unwrap();
    let early = tokio::spawn(client.request(Up, &2).into_future());
    client.connect().await.unwrap();
    client.emit(Up, &3).unwrap();
    assert_eq!(early.await.unwrap().unwrap().number, 2);
    client.request(Echo, &"done".to_owned()).await.unwrap();
    let first = client.session_id().unwrap();
    assert_eq!(world.server.journal().numbers(first), [1000, 1001, 1002, 1, 2, 3]);

    let successor = world.another_server(app::builder().build());
    let mut changes = client.status_stream();
    world.proxy.set_target(successor.address());
    world.proxy.refuse_connections(true);
    world.proxy.cut_all(Cut::Reset);
    while changes.next().await.unwrap().is_connected() {}
    client.emit(Up, &4).unwrap();
    world.proxy.refuse_connections(false);
    client.request(Echo, &"anew".to_owned()).await.unwrap();
    let second = client.session_id().unwrap();
    assert_eq!(successor.journal().numbers(second), [1000, 1001, 1002, 4]);
}

/// A session goes from transport to transport while messages flow.
pub async fn a_session_survives_a_change_of_transport(world: World) {
    let all = [Transport::WebSocket, Transport::Sse, Transport::Polling];
    let client = world.builder().transports(all).build().unwrap();
    let mut down = client.on(Down);
    client.connect().await.unwrap();
    let session = client.session_id().unwrap();
    let mut number = 0;
    for target in [Transport::Sse, Transport::Polling, Transport::WebSocket, world.transport] {
        client.switch_transport(target);
        // At least ten messages each way on the new one, and as many as it takes until it serves.
        let mut served = 0;
        while served < 10 {
            number += 1;
            client.emit(Up, &number).unwrap();
            client.emit("down-again", &number).unwrap();
            assert_eq!(down.next().await.unwrap().unwrap().payload, number);
            served += u32::from(client.transport() == Some(target));
        }
    }
    client.request(Echo, &"done".to_owned()).await.unwrap();
    assert!(world.server.journal().numbers(session).into_iter().eq(1..=number));
    assert_eq!(client.session_id(), Some(session));
    assert!(client.stats().transport_switches >= 2, "{:?}", client.stats());
}

/// A proxy that sends a POST twice changes nothing.
pub async fn a_replayed_post_is_harmless(world: World) {
    world.proxy.replay_posts(true);
    events_once(&world.connected().await, &world).await;
}

async fn events_once(client: &Client, world: &World) {
    let session = client.session_id().unwrap();
    for number in 1..=50 {
        client.emit(Up, &number).unwrap();
        client.request(Echo, &"between".to_owned()).await.unwrap();
    }
    assert!(world.server.journal().numbers(session).into_iter().eq(1..=50));
}

/// When the server is killed and started again, the client learns at once that its session is gone,
/// how many packets were confirmed and how many are unknown; requests that were sent end; a new
/// session opens, and what was never sent goes there.
pub async fn a_killed_server_is_noticed_and_the_client_learns_what_is_unknown(world: World) {
    let World { server, proxy, .. } = &world;
    let client = world.connected().await;
    let mut changes = client.status_stream();
    client.request(Echo, &"confirmed".to_owned()).await.unwrap();
    let before = client.session_id().unwrap();
    let mut lost =
        std::pin::pin!(client.request(Hang, &()).timeout(Duration::from_secs(40)).into_future());
    assert!(futures::poll!(&mut lost).is_pending());
    server.journal().wait_for(|entries| entries.contains(&Entry::Up(before, 0))).await;

    let successor = world.another_server(app::builder().build());
    assert_ne!(successor.address(), server.address());
    proxy.set_target(successor.address());
    proxy.refuse_connections(true);
    proxy.cut_all(Cut::Reset);
    proxy.refuse_connections(false);

    let (confirmed, unknown) = loop {
        if let Status::SessionLost { code, confirmed, unknown } = changes.next().await.unwrap() {
            assert_eq!(code, CloseCode::SESSION_RESTARTED);
            break (confirmed, unknown);
        }
    };
    assert_eq!(confirmed + unknown, 2, "{confirmed} + {unknown}");
    assert!(matches!(lost.await, Err(RequestError::SessionLost { sent: true })));
    assert_eq!(client.request(Echo, &"anew".to_owned()).await.unwrap(), "anew");
    assert_ne!(client.session_id(), Some(before));
}

/// A drain tells clients when to come back, ends every carrier, and loses nothing.
pub async fn a_drained_server_sends_its_clients_away_and_they_come_back(world: World) {
    let bowline = app::builder().drain_spread(Duration::from_millis(200)).build();
    let server = world.another_server(bowline);
    world.proxy.set_target(server.address());
    let client = world.connected().await;
    client.request(Echo, &"here".to_owned()).await.unwrap();
    let mut changes = client.status_stream();
    assert_eq!(server.bowline().shutdown(Duration::from_secs(20)).await, 0);
    while !matches!(changes.next().await.unwrap(), Status::Waiting { .. }) {}
    // The next process takes over at the same address.
    world.proxy.set_target(world.server.address());
    assert_eq!(client.request(Echo, &"back".to_owned()).await.unwrap(), "back");
}
