//! Rooms, users and sessions are those of all nodes.

use std::collections::BTreeSet;

use bowline_client::Status;
use bowline_contract::{Down, Echo, Line, Poll, Said, Say};
use bowline_fixtures::nodes::{Bus, Nodes, builder, eventually, stats};
use bowline_fixtures::within_a_minute;
use bowline_raw_client::{Frame, RawClient, masked_frame};
use bytes::Bytes;
use futures::StreamExt as _;

use crate::publish;

macro_rules! on_every_bus {
    ($($story:ident)*) => {
        $(mod $story {
            use super::*;

            #[tokio::test]
            async fn within_a_process() {
                within_a_minute(async { super::$story(Nodes::start(Bus::Local, 3).await).await }).await;
            }

            #[tokio::test]
            async fn over_redis() {
                within_a_minute(async { super::$story(Nodes::start(Bus::Redis, 3).await).await }).await;
            }
        })*
    };
}

on_every_bus! {
    a_room_hears_what_is_said_on_another_node_once_and_in_order
    everyone_in_a_room_answers_wherever_they_are
    members_are_counted_and_listed_over_all_nodes
    a_user_is_reached_on_every_node
    a_session_is_reached_from_another_node
    a_room_is_disconnected_on_every_node
    the_latest_event_of_a_key_reaches_members_on_every_node
    a_name_moves_from_one_session_to_another
}

async fn the_latest_event_of_a_key_reaches_members_on_every_node(nodes: Nodes) {
    let members = [nodes.member(0, "map").await, nodes.member(2, "map").await];
    let mut heard = members.each_ref().map(|member| member.on::<_, u32>("moved"));
    let room = nodes.servers[0].bowline().to("map");
    for at in [1, 2] {
        // Each is received before the next one is sent, so that none is replaced.
        let emitted = room.emit_latest("moved", "cursor", &at).unwrap();
        assert_eq!((emitted.queued, emitted.replaced, emitted.dropped), (1, 0, 0));
        for heard in &mut heard {
            assert_eq!(heard.next().await.unwrap().unwrap().payload, at);
        }
    }
}

/// The recipe of `docs/rooms.md`.
async fn a_name_moves_from_one_session_to_another(nodes: Nodes) {
    let clients = [nodes.client(0).await, nodes.client(1).await];
    for (node, client) in clients.iter().enumerate() {
        let id = client.session_id().unwrap();
        let socket = nodes.servers[node].bowline().socket(&id).unwrap();
        socket.join("till/3").unwrap();
        socket.to("till/3").leave("till/3");
        let till = nodes.servers[2].bowline().to("till/3");
        while till.sessions_everywhere().await.unwrap() != [id] {
            tokio::task::yield_now().await;
        }
    }
}

/// Members on other nodes are then written to once.
#[tokio::test]
async fn what_a_client_says_in_one_go_is_published_in_one_call() {
    within_a_minute(async {
        let nodes = Nodes::start(Bus::Shaky, 2).await;
        let address = nodes.servers[0].address();
        let say = |text: &str| format!("q say {{\"room\":\"{text}\",\"text\":\"{text}\"}}");

        let mut socket = RawClient::connect(address).await.unwrap();
        socket.upgrade("/bowline/ws", &[]).await.unwrap();
        socket.send_text("open v=1 key=a2V5LWtleS1rZXktMDAwMQ n=1").await.unwrap();
        socket.frame().await.unwrap().unwrap();
        let frames = ["frames"; 3].map(|text| masked_frame(Frame::FIN | Frame::TEXT, say(text)));
        socket.send(frames.concat()).await.unwrap();
        eventually(|| nodes.lines[0].published("frames") == 3).await;
        assert_eq!(nodes.lines[0].published_together("frames"), [3]);

        let mut client = RawClient::connect(address).await.unwrap();
        let open = "open v=1 key=a2V5LWtleS1rZXktMDAwMg n=1";
        let welcome = client.post("/bowline/poll", open).await.unwrap().text().to_owned();
        let pair = |name: &str| welcome.split(' ').find(|pair| pair.starts_with(name)).unwrap();
        let attach = format!("attach v=1 {} {} recv=0 next=1", pair("sid="), pair("secret="));
        let body = [attach, say("lines"), say("lines"), say("lines")].join("\n");
        let mut client = RawClient::connect(address).await.unwrap();
        client.post("/bowline/post", body).await.unwrap();
        assert_eq!(nodes.lines[0].published_together("lines"), [3]);
    })
    .await;
}

#[tokio::test]
async fn a_program_with_the_token_publishes_over_http() {
    within_a_minute(async {
        let nodes = Nodes::start_with(Bus::Local, 2, || builder().publish_token(TOKEN)).await;
        let ben = nodes.member(1, "room").await;
        let mut said = ben.on(Said);
        let body =
            r#"{"event":"said","payload":{"room":"room","text":"from outside"},"room":"room"}"#;
        let closed = Nodes::start(Bus::Local, 1).await;
        let post = async |nodes: &Nodes, token: &str, body: &str| {
            publish(nodes.servers[0].address(), token, body).await.0
        };
        assert_eq!(post(&nodes, TOKEN, body).await, "200");
        assert_eq!(said.next().await.unwrap().unwrap().payload.text, "from outside");
        assert_eq!(post(&nodes, "something else, long", body).await, "401");
        assert_eq!(post(&nodes, "", body).await, "401");
        assert_eq!(post(&nodes, TOKEN, r#"{"event":"said"}"#).await, "400");
        assert_eq!(post(&nodes, TOKEN, &body.replace("said", "two words")).await, "400");
        assert_eq!(post(&closed, TOKEN, body).await, "404", "it is closed unless configured");
    })
    .await;
}

const TOKEN: &str = "a token for this test";

#[tokio::test]
async fn a_cluster_of_redis_servers_carries_all_that() {
    within_a_minute(async {
        let nodes = Nodes::start(Bus::RedisCluster, 2).await;
        let (anna, ben) = (nodes.member(0, "room").await, nodes.member(1, "room").await);
        let mut said = ben.on(Said);
        anna.request(Say, &line("room", "hello")).await.unwrap();
        assert_eq!(said.next().await.unwrap().unwrap().payload.text, "hello");
        assert_eq!(nodes.servers[0].bowline().to("room").count().await, Ok(2));
    })
    .await;
}

async fn a_room_hears_what_is_said_on_another_node_once_and_in_order(nodes: Nodes) {
    let anna = nodes.member(0, "room").await;
    let ben = nodes.member(1, "room").await;
    let cara = nodes.client(2).await;
    let (mut at_anna, mut at_ben, mut at_cara) = (anna.on(Said), ben.on(Said), cara.on(Said));
    for number in 0..300 {
        anna.emit(Say, &line("room", &number.to_string())).unwrap();
    }
    for number in 0..300 {
        assert_eq!(at_ben.next().await.unwrap().unwrap().payload.text, number.to_string());
    }
    for client in [&anna, &ben, &cara] {
        client.request(Echo, &"done".to_owned()).await.unwrap();
    }
    assert!(futures::poll!(at_ben.next()).is_pending());
    assert!(futures::poll!(at_anna.next()).is_pending());
    assert!(futures::poll!(at_cara.next()).is_pending());
    // A node without members of the room does not hear of it.
    assert_eq!(stats(&nodes.servers[2]).received, 0);
    assert_eq!(stats(&nodes.servers[1]).received, 300);

    let raw = Bytes::from_static(b"\x00\xff\n");
    let bowline = nodes.servers[2].bowline();
    assert_eq!(bowline.to("room").emit_with(Said, &line("room", "bytes"), raw.clone()).unwrap(), 0);
    for said in [&mut at_anna, &mut at_ben] {
        let event = said.next().await.unwrap().unwrap();
        assert_eq!((event.payload.text.as_str(), event.bytes), ("bytes", Some(raw.clone())));
    }
    // In two of the rooms, but told once; and not told what an exception keeps from it.
    bowline.to("room").to("other").except("none").emit(Said, &line("room", "once")).unwrap();
    bowline.to_all().except("room").emit(Said, &line("", "for Cara")).unwrap();
    bowline.to_all().emit(Said, &line("", "for all")).unwrap();
    assert_eq!(texts(&mut at_ben, 2).await, ["once", "for all"]);
    assert_eq!(texts(&mut at_cara, 2).await, ["for Cara", "for all"]);
}

async fn everyone_in_a_room_answers_wherever_they_are(nodes: Nodes) {
    let mut members = Vec::new();
    for node in [0, 1, 1, 2] {
        let member = nodes.member(node, "room").await;
        member.handle(Down, |asked| async move { Ok(asked.payload * 2) });
        members.push(member);
    }
    for asker in &members {
        assert_eq!(asker.request(Poll, &"room".to_owned()).await.unwrap(), 4 * 42);
    }
    // Nobody is there, which is an answer too.
    assert_eq!(members[0].request(Poll, &"empty".to_owned()).await.unwrap(), 0);
}

async fn members_are_counted_and_listed_over_all_nodes(nodes: Nodes) {
    let members = [nodes.member(0, "room").await, nodes.member(1, "room").await];
    let _other = nodes.member(2, "other").await;
    let expected: BTreeSet<_> = members.iter().map(|client| client.session_id().unwrap()).collect();
    for server in &nodes.servers {
        let found = server.bowline().to("room").sessions_everywhere().await.unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), expected);
        assert_eq!(server.bowline().to_all().count().await, Ok(3));
        assert_eq!(server.bowline().to("room").to("other").count().await, Ok(3));
    }
    members[1].close().await;
    let bowline = nodes.servers[2].bowline();
    while bowline.to("room").count().await != Ok(1) {}
}

async fn a_user_is_reached_on_every_node(nodes: Nodes) {
    let clients = [nodes.client(0).await, nodes.client(1).await, nodes.client(2).await];
    let mut said: Vec<_> = clients.iter().map(|client| client.on(Said)).collect();
    for (client, user) in clients.iter().zip(["anna", "anna", "ben"]) {
        client.request::<_, _, ()>("i-am", &user).await.unwrap();
    }
    let bowline = nodes.servers[2].bowline();
    while bowline.to_user("anna").count().await != Ok(2) {}
    let session = clients[1].session_id().unwrap();
    let socket = nodes.servers[1].bowline().socket(&session).unwrap();
    assert_eq!(socket.user().as_deref(), Some("anna"));
    assert!(socket.rooms().is_empty(), "a user is no room of the application");
    bowline.to_user("anna").emit(Said, &line("", "for Anna")).unwrap();
    bowline.to_all().emit(Said, &line("", "for all")).unwrap();
    assert_eq!(texts(&mut said[0], 2).await, ["for Anna", "for all"]);
    assert_eq!(texts(&mut said[1], 2).await, ["for Anna", "for all"]);
    assert_eq!(texts(&mut said[2], 1).await, ["for all"]);
}

async fn a_session_is_reached_from_another_node(nodes: Nodes) {
    let client = nodes.client(0).await;
    client.handle(Down, |asked| async move { Ok(asked.payload * 2) });
    let mut said = client.on(Said);
    let session = client.session_id().unwrap();
    let elsewhere = nodes.servers[1].bowline().to_session(session);
    for number in 0..50 {
        elsewhere.emit(Said, &line("", &number.to_string())).unwrap();
    }
    let expected: Vec<_> = (0..50).map(|number: u32| number.to_string()).collect();
    assert_eq!(texts(&mut said, 50).await, expected);
    assert_eq!(elsewhere.sessions_everywhere().await.unwrap(), [session]);
    let answers: Vec<_> = elsewhere.request::<_, u64>(Down, &4).await.unwrap().collect().await;
    assert_eq!(answers.len(), 1);
    assert!(matches!(&answers[0], (asked, Ok(8)) if *asked == session), "{answers:?}");
    let nobody =
        nodes.servers[1].bowline().to_session("AAAAAAAA.AAAAAAAAAAAAAAAA".parse().unwrap());
    assert_eq!(nobody.count().await, Ok(0));
    nobody.emit(Said, &line("", "nobody")).unwrap();
    eventually(|| stats(&nodes.servers[1]).undelivered == 1).await;
}

async fn a_room_is_disconnected_on_every_node(nodes: Nodes) {
    let anna = nodes.member(0, "room").await;
    let ben = nodes.member(1, "room").await;
    let mut changes = ben.status_stream();
    anna.request::<_, _, ()>("kick", &"room").await.unwrap();
    loop {
        if let Status::Closed { .. } = changes.next().await.unwrap() {
            break;
        }
    }
    anna.request(Echo, &"still here".to_owned()).await.unwrap();
}

async fn texts(said: &mut bowline_client::Events<Line>, number: usize) -> Vec<String> {
    let texts = said.take(number).map(|event| event.unwrap().payload.text);
    texts.collect().await
}

fn line(room: &str, text: &str) -> Line {
    Line { room: room.to_owned(), text: text.to_owned() }
}
