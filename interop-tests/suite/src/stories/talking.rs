//! Stories in which nothing goes wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures::StreamExt as _;

use super::World;
use bowline_contract::{
    AskBack, CountDown, Down, Echo, Join, Leave, Line, Poll, Reverse, Said, Say, TrustFor, Up,
};
use bowline_fixtures::app::Entry;
use bowline_raw_client::RawClient;

/// A request is answered, by the typed contract and by name.
pub async fn requests_are_answered(world: World) {
    let client = world.connected().await;
    let text = "grüße \"quoted\"\n second line".to_owned();
    assert_eq!(client.request(Echo, &text).await.unwrap(), text);
    let value = serde_json::json!({ "a": [1, null, "x"] });
    let answer: serde_json::Value = client.request("echo-dynamic", &value).await.unwrap();
    assert_eq!(answer, value);
}

/// Events keep their order, up and down.
pub async fn events_arrive_in_order(world: World) {
    let client = world.client();
    let down = client.on(Down).take(200);
    client.connect().await.unwrap();
    for number in 1..=200 {
        client.emit(Up, &number).unwrap();
    }
    client.request(CountDown, &200).await.unwrap();
    let down: Vec<u64> = down.map(|event| event.unwrap().payload).collect().await;
    assert!(down.into_iter().eq(1..=200));
    let session = client.session_id().expect("a connected client has a session");
    // The request came after the events, so they have been handled before it was answered.
    assert!(world.server.journal().numbers(session).into_iter().eq(1..=200));
}

/// What is said in a room reaches its other members, and nobody else.
pub async fn a_room_hears_what_is_said_in_it(world: World) {
    let speaker = world.connected().await;
    let listener = world.client();
    let outsider = world.client();
    let (mut heard, mut overheard) = (listener.on(Said), outsider.on(Said));
    let mut own = speaker.on(Said);
    listener.connect().await.unwrap();
    outsider.connect().await.unwrap();
    for client in [&speaker, &listener] {
        client.request(Join, &"tea".to_owned()).await.unwrap();
    }
    let line = |room: &str, text: &str| Line { room: room.into(), text: text.into() };

    assert_eq!(speaker.request(Say, &line("tea", "milk?")).await.unwrap(), 1);
    assert_eq!(heard.next().await.unwrap().unwrap().payload, line("tea", "milk?"));

    listener.request(Leave, &"tea".to_owned()).await.unwrap();
    assert_eq!(speaker.request(Say, &line("tea", "anyone?")).await.unwrap(), 0);
    // Events keep their order, so whoever hears the next word has not missed one before it.
    for client in [&listener, &outsider, &speaker] {
        client.request(Join, &"hall".to_owned()).await.unwrap();
    }
    assert_eq!(speaker.request(Say, &line("hall", "hello")).await.unwrap(), 2);
    assert_eq!(heard.next().await.unwrap().unwrap().payload, line("hall", "hello"));
    assert_eq!(overheard.next().await.unwrap().unwrap().payload, line("hall", "hello"));
    assert_eq!(listener.request(Say, &line("hall", "welcome")).await.unwrap(), 2);
    assert_eq!(own.next().await.unwrap().unwrap().payload, line("hall", "welcome"));
}

/// A request to a room is answered by each of its members.
pub async fn everyone_in_a_room_answers(world: World) {
    let mut clients = Vec::new();
    for factor in [1, 2, 3] {
        let client = world.client();
        client.handle(Down, move |asked| async move { Ok(asked.payload * factor) });
        client.connect().await.unwrap();
        client.request(Join, &"jury".to_owned()).await.unwrap();
        clients.push(client);
    }
    assert_eq!(clients[0].request(Poll, &"jury".to_owned()).await.unwrap(), 21 + 42 + 63);
}

/// A handler may await an answer from the client whose message it handles.
pub async fn a_handler_may_ask_its_own_client(world: World) {
    let client = world.client();
    client.handle(Down, |asked| async move { Ok(asked.payload * 2) });
    client.connect().await.unwrap();
    assert_eq!(client.request(AskBack, &21).await.unwrap(), 42);
}

/// Bytes arrive as they were sent, beside the payload, both ways; none at all are not the same as
/// an empty sequence.
pub async fn bytes_travel_both_ways(world: World) {
    let client = world.connected().await;
    let all: Bytes = (0..=255).collect();
    for bytes in [all, Bytes::from_static(b"\n\n"), Bytes::new()] {
        let request = client.request(Reverse, &"file.bin".to_owned()).bytes(bytes.clone());
        let answer = request.received().await.unwrap();
        assert_eq!(answer.payload, "file.bin");
        assert_eq!(answer.bytes, Some(bytes.iter().rev().copied().collect()));
    }
    client.request(Reverse, &"no bytes".to_owned()).await.unwrap_err();
}

/// A message of three quarters of a megabyte arrives whole, as text and as bytes.
pub async fn a_large_message_arrives_whole(world: World) {
    let client = world.connected().await;
    let text = "0123456789ab".repeat(64 * 1024);
    assert_eq!(client.request(Echo, &text).await.unwrap(), text);
    let bytes = Bytes::from(text.into_bytes());
    let answer =
        client.request(Reverse, &String::new()).bytes(bytes.clone()).received().await.unwrap();
    assert!(answer.bytes.unwrap().iter().rev().eq(bytes.iter()));
}

/// Volatile events arrive while the client is connected and reads.
pub async fn volatile_events_arrive_while_connected(world: World) {
    let client = world.client();
    let mut down = client.on(Down);
    client.connect().await.unwrap();
    client.request(Echo, &"here".to_owned()).await.unwrap();
    let socket = world.server.bowline().socket(&client.session_id().unwrap()).unwrap();
    assert!(socket.emit_volatile(Down, &7).unwrap());
    assert_eq!(socket.dropped_volatile(), 0);
    assert_eq!(down.next().await.unwrap().unwrap().payload, 7);
    assert!(client.emit_volatile(Up, &8));
    world
        .server
        .journal()
        .wait_for(|entries| {
            entries.iter().any(|entry| matches!(entry, bowline_fixtures::app::Entry::Up(_, 8)))
        })
        .await;
}

/// An ordinary HTTP handler of the application emits to a room.
pub async fn ordinary_handlers_speak_to_rooms(world: World) {
    let client = world.client();
    let mut heard = client.on(Said);
    client.connect().await.unwrap();
    client.request(Join, &"news".to_owned()).await.unwrap();
    let mut page = RawClient::connect(world.server.plain_address()).await.unwrap();
    let answer = page.post("/say/news", "extra").await.unwrap();
    assert_eq!((answer.head.status, answer.text()), (200, "1"));
    assert_eq!(heard.next().await.unwrap().unwrap().payload.text, "extra");
}

/// A session whose authentication expires goes on with each new one, on the carrier that it has.
pub async fn a_session_goes_on_with_each_new_authentication(world: World) {
    let asked = Arc::new(AtomicU64::new(0));
    let tokens = {
        let asked = Arc::clone(&asked);
        move || {
            let number = asked.fetch_add(1, Ordering::SeqCst);
            std::future::ready(if number == 2 {
                Err("no token at hand, on purpose")
            } else {
                Ok(format!("token {number}"))
            })
        }
    };
    let client = world.builder().auth_with(tokens).build().unwrap();
    client.connect().await.unwrap();
    let session = client.session_id().unwrap();
    client.request(TrustFor, &2000).await.unwrap();
    let refreshed = |entries: &[Entry]| {
        entries.iter().filter(|entry| **entry == Entry::Refreshed(session)).count() == 2
    };
    world.server.journal().wait_for(refreshed).await;
    assert_eq!(asked.load(Ordering::SeqCst), 4, "once to open, and once in vain");
    assert_eq!((client.session_id(), client.stats().reconnects), (Some(session), 0));
    assert_eq!(client.request(Echo, &"still".to_owned()).await.unwrap(), "still");
}
