//! Rooms with a history: on one node, on several, while what connects them is gone, and when they
//! go.

use std::time::Duration;

use bowline_client::{Client, Events, Kept, Missing, Position, Recovered, Since};
use bowline_fixtures::nodes::{Bus, Nodes, builder, builder_for};
use bowline_fixtures::test_server::{Shape, TestServer};
use bowline_fixtures::within_a_minute;
use bowline_server::{BowlineBuilder, EmitError, Json, Socket, event};
use bytes::Bytes;
use futures::StreamExt as _;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::publish;

macro_rules! on_every_bus {
    ($($story:ident)*) => {
        $(mod $story {
            use super::*;

            #[tokio::test]
            async fn within_a_process() {
                within_a_minute(async { super::$story(start(Bus::Local, 3).await).await }).await;
            }

            #[tokio::test]
            async fn over_redis() {
                within_a_minute(async { super::$story(start(Bus::Redis, 3).await).await }).await;
            }

            #[tokio::test]
            async fn over_a_cluster_of_redis_servers() {
                within_a_minute(async { super::$story(start(Bus::RedisCluster, 3).await).await }).await;
            }
        })*
    };
}

on_every_bus! {
    followers_on_all_nodes_hear_the_same_in_the_same_order
    who_joins_late_hears_what_was_said_before
    who_was_away_hears_what_is_missing_and_no_more
    a_follower_whose_node_stops_goes_on_where_it_was
    a_history_is_read_and_deleted_without_a_session
    a_message_repeated_on_another_node_is_one_message
}

async fn followers_on_all_nodes_hear_the_same_in_the_same_order(nodes: Nodes) {
    let mut followers = Vec::new();
    for node in 0..3 {
        let (client, told, answer) = follower(&nodes, node, ROOM, Since::Now).await;
        assert_eq!((answer.at.offset, answer.replayed, answer.missing), (0, 0, None));
        followers.push((client, told));
    }
    let tellers = followers.iter().enumerate().map(|(node, (client, _))| async move {
        for number in 0..50 {
            tell(client, ROOM, &format!("{node} {number}")).await;
        }
    });
    futures::future::join_all(tellers).await;
    let mut heard = Vec::new();
    for (_, told) in &mut followers {
        heard.push(next(told, 150).await);
    }
    assert_eq!(heard[0], heard[1]);
    assert_eq!(heard[0], heard[2]);
    let offsets: Vec<u64> = heard[0].iter().map(|kept| kept.at.offset).collect();
    assert_eq!(offsets, (1..=150).collect::<Vec<_>>());
    for node in 0..3 {
        let mine = heard[0].iter().filter(|kept| kept.payload.starts_with(&format!("{node} ")));
        assert!(
            mine.map(|kept| &kept.payload).eq(&texts(node, 0..50)),
            "the order of each is kept"
        );
    }
}

async fn who_joins_late_hears_what_was_said_before(nodes: Nodes) {
    let anna = nodes.client(0).await;
    for number in 0..5 {
        tell(&anna, ROOM, &number.to_string()).await;
    }
    let (_ben, mut told, answer) = follower(&nodes, 1, ROOM, Since::Last(3)).await;
    assert_eq!((answer.at.offset, answer.replayed, answer.missing), (5, 3, None));
    tell(&anna, ROOM, "5").await;
    let heard = next(&mut told, 4).await;
    assert_eq!(heard.iter().map(|kept| kept.at.offset).collect::<Vec<_>>(), [3, 4, 5, 6]);
    assert!(heard.iter().map(|kept| &*kept.payload).eq(["2", "3", "4", "5"]));
    // As far back as it goes, and no further.
    let (_carl, _, answer) = follower(&nodes, 2, ROOM, Since::Last(1_000)).await;
    assert_eq!((answer.at.offset, answer.replayed, answer.missing), (6, 6, None));
}

async fn who_was_away_hears_what_is_missing_and_no_more(nodes: Nodes) {
    let (anna, mut told, _) = follower(&nodes, 0, ROOM, Since::Now).await;
    let (ben, _told, _) = follower(&nodes, 1, ROOM, Since::Now).await;
    tell(&ben, ROOM, "first").await;
    let last = next(&mut told, 1).await.remove(0).at;
    anna.close().await;
    for number in 0..KEPT + 5 {
        tell(&ben, ROOM, &number.to_string()).await;
    }
    // On another node than before, with a session of its own.
    let (anna, mut told, answer) = follower(&nodes, 2, ROOM, Since::After(last.clone())).await;
    let begin = 7;
    assert_eq!(answer.missing, Some(Missing::Range { from: 2, to: begin - 1 }), "not all is kept");
    assert_eq!(answer.replayed, KEPT as u64);
    let heard = next(&mut told, KEPT).await;
    assert_eq!(heard[0].at, Position { offset: begin, ..last.clone() });
    assert_eq!(heard[KEPT - 1].at, answer.at);
    // Again, from where it is: nothing.
    let answer: Recovered = anna.request("follow", &(ROOM, Since::After(answer.at))).await.unwrap();
    assert_eq!((answer.replayed, answer.missing), (0, None));
    // From a history that is no longer: all there is, and that something is missing.
    let other = Position { epoch: "another".to_owned(), offset: 3 };
    let (_carl, _, answer) = follower(&nodes, 2, ROOM, Since::After(other)).await;
    assert_eq!((answer.replayed, answer.missing), (KEPT as u64, Some(Missing::Unknown)));
}

async fn a_history_is_read_and_deleted_without_a_session(nodes: Nodes) {
    let (anna, mut told, _) = follower(&nodes, 0, ROOM, Since::Now).await;
    for number in 0..6 {
        tell(&anna, ROOM, &number.to_string()).await;
    }
    let heard = next(&mut told, 6).await;
    let history = nodes.servers[1].bowline().history(ROOM);
    let page = history.read(Since::Last(4), 2).await.unwrap();
    let texts = page.messages.iter().map(|message| message.parse::<String>().unwrap());
    assert_eq!(texts.collect::<Vec<_>>(), ["2", "3"]);
    assert!(page.messages.iter().all(|message| message.name == "told"));
    let last = page.messages[1].at.clone();
    assert_eq!((&last, &page.end), (&heard[3].at, &heard[5].at));
    let page = history.read(Since::After(last.clone()), 9).await.unwrap();
    assert_eq!((page.messages.len(), page.missing), (2, None));

    assert_eq!(history.trim_to(&last).await.unwrap(), 4);
    // The node of a follower has a copy of the log.
    let answer: Recovered = another_follows(&nodes, &heard[0].at).await;
    assert_eq!((answer.replayed, answer.missing), (2, Some(Missing::Range { from: 2, to: 4 })));
    assert_eq!(history.delete().await.unwrap(), 2);
    let answer: Recovered = another_follows(&nodes, &heard[0].at).await;
    assert_eq!((answer.replayed, answer.missing), (0, Some(Missing::Range { from: 2, to: 6 })));
    tell(&anna, ROOM, "6").await;
    let next = next(&mut told, 1).await.remove(0);
    assert_eq!(next.at, Position { offset: 7, ..last }, "followers receive only later messages");
}

async fn a_message_repeated_on_another_node_is_one_message(nodes: Nodes) {
    let (_anna, mut told, _) = follower(&nodes, 0, ROOM, Since::Now).await;
    let send = async |node: usize, id| {
        let history = nodes.servers[node].bowline().history(ROOM).once(id);
        history.emit("told", "paid").await.unwrap()
    };
    let id = bowline_server::Uuid::from_u128(7);
    let (one, other) = tokio::join!(send(1, id), send(2, id));
    assert_eq!(one, other);
    assert_eq!(send(0, id).await, one);
    let next_one = send(1, bowline_server::Uuid::from_u128(8)).await;
    let heard = next(&mut told, 2).await;
    assert_eq!((&heard[0].at, &heard[1].at), (&one, &next_one));
}

/// A new client of the first node follows from a position.
async fn another_follows(nodes: &Nodes, at: &Position) -> Recovered {
    follower(nodes, 0, ROOM, Since::After(at.clone())).await.2
}

async fn a_follower_whose_node_stops_goes_on_where_it_was(nodes: Nodes) {
    let (_proxy, balancer) = nodes.front().await;
    let url = format!("http://{}/bowline", balancer.address());
    let mut followers = Vec::new();
    for _ in 0..6 {
        let client = builder_for(&url).build().unwrap();
        client.connect().await.unwrap();
        let told = client.on_kept(Told);
        client.request::<_, _, Recovered>("follow", &(ROOM, Since::Now)).await.unwrap();
        followers.push((client, told));
    }
    let sessions: Vec<_> = followers.iter().map(|(client, _)| client.session_id()).collect();
    let (anna, begun) = (nodes.client(0).await, Notify::new());
    let talk = async {
        for number in 0..COUNT {
            tell(&anna, ROOM, &number.to_string()).await;
            if number == COUNT / 5 {
                begun.notify_one();
            }
        }
    };
    let stop = async {
        begun.notified().await;
        balancer.set_targets(nodes.servers[..2].iter().map(TestServer::address).collect());
        nodes.servers[2].bowline().shutdown(Duration::from_secs(20)).await;
    };
    futures::join!(talk, stop);
    for (_, told) in &mut followers {
        let heard = next(told, COUNT).await;
        assert!(heard.iter().map(|kept| kept.at.offset).eq(1..=COUNT as u64));
        assert!(heard.iter().map(|kept| &*kept.payload).eq((0..COUNT).map(|n| n.to_string())));
    }
    let now: Vec<_> = followers.iter().map(|(client, _)| client.session_id()).collect();
    assert_eq!(sessions, now, "they were handed over");
    assert_eq!(nodes.servers[2].bowline().session_count(), 0);
}

#[tokio::test]
async fn a_node_that_is_alone_keeps_its_history_in_memory() {
    within_a_minute(async {
        let server = TestServer::start_with(app().build(), Shape::default());
        let builder = || builder_for(&format!("http://{}/bowline", server.address()));
        let connected = async || {
            let client = builder().build().unwrap();
            client.connect().await.unwrap();
            client
        };
        let anna = connected().await;
        tell(&anna, ROOM, "before").await;
        let ben = connected().await;
        let mut told = ben.on_kept(Told);
        let answer: Recovered = ben.request("follow", &(ROOM, Since::Last(9))).await.unwrap();
        assert_eq!((answer.at.offset, answer.replayed), (1, 1));
        tell(&anna, ROOM, "after").await;
        let heard = next(&mut told, 2).await;
        assert!(heard.iter().map(|kept| &*kept.payload).eq(["before", "after"]));
        // Who has left the room hears no more of it.
        ben.request::<_, _, ()>("leave", &ROOM).await.unwrap();
        tell(&anna, ROOM, "not for ben").await;
        let answer: Recovered = ben.request("follow", &(ROOM, Since::Now)).await.unwrap();
        assert_eq!((answer.at.offset, answer.replayed), (3, 0));
        tell(&anna, ROOM, "for ben").await;
        assert_eq!(next(&mut told, 1).await[0].payload, "for ben");
        // No history, and no room.
        let cases = [("plain", "no-history"), ("", "invalid-room"), ("\0kept", "invalid-room")];
        for (room, code) in cases {
            let refused = anna.request::<_, _, Value>("follow", &(room, Since::Now)).await;
            assert!(format!("{refused:?}").contains(code), "{room:?}: {refused:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_was_said_while_a_node_heard_nothing_is_heard_afterwards() {
    within_a_minute(async {
        let nodes = start(Bus::Shaky, 2).await;
        let (anna, ..) = follower(&nodes, 0, ROOM, Since::Now).await;
        let (_ben, mut told, _) = follower(&nodes, 1, ROOM, Since::Now).await;
        tell(&anna, ROOM, "before").await;
        assert_eq!(next(&mut told, 1).await[0].payload, "before");
        nodes.lines[1].cut();
        tell(&anna, ROOM, "first").await;
        tell(&anna, ROOM, "second").await;
        nodes.lines[1].mend();
        let heard = next(&mut told, 2).await;
        assert!(heard.iter().map(|kept| &*kept.payload).eq(["first", "second"]));
        // Messages that are lost although the connection stands are found with the next one.
        nodes.lines[1].lose("h:");
        tell(&anna, ROOM, "third").await;
        nodes.lines[1].lose("nothing begins so");
        tell(&anna, ROOM, "fourth").await;
        let heard = next(&mut told, 2).await;
        assert!(heard.iter().map(|kept| &*kept.payload).eq(["third", "fourth"]));
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_kept_is_refused_and_followers_go_on_afterwards() {
    within_a_minute(async {
        let nodes = start(Bus::Local, 2).await;
        let (anna, ..) = follower(&nodes, 0, ROOM, Since::Now).await;
        let (_ben, mut told, _) = follower(&nodes, 1, ROOM, Since::Now).await;
        let local = nodes.local.as_ref().unwrap();
        local.set_reachable(false);
        for request in [
            anna.request::<_, _, Value>("tell", &(ROOM, "meanwhile")).await,
            anna.request::<_, _, Value>("follow", &("kept elsewhere", Since::Now)).await,
        ] {
            assert!(format!("{request:?}").contains("unavailable"), "{request:?}");
        }
        local.set_reachable(true);
        assert_eq!(tell(&anna, ROOM, "after").await.offset, 1);
        assert_eq!(next(&mut told, 1).await[0].payload, "after");
    })
    .await;
}

#[tokio::test]
async fn an_ordinary_emit_to_a_room_with_a_history_is_refused_and_a_volatile_one_is_not() {
    within_a_minute(async {
        let server = TestServer::start_with(app().build(), Shape::default());
        let bowline = server.bowline();
        let client = Client::builder(&format!("http://{}/bowline", server.address()));
        let client = client.build().unwrap();
        let mut told = client.on_raw("told");
        client.connect().await.unwrap();
        let _: Value = client.request("follow", &(ROOM, Since::Now)).await.unwrap();

        let refused =
            |outcome| matches!(outcome, Err(EmitError::HasHistory { room }) if room == ROOM);
        assert!(refused(bowline.to(ROOM).emit("told", "lost")));
        assert!(refused(bowline.to("other").to(ROOM).emit("told", "lost")));
        assert!(refused(bowline.to(ROOM).emit_with("told", "lost", Bytes::new())));
        assert_eq!(bowline.to(ROOM).emit_volatile("told", "typing").unwrap(), 1);
        assert_eq!(bowline.emit("told", "to all").unwrap(), 1);
        for text in ["typing", "to all"] {
            let payload = told.next().await.unwrap();
            assert_eq!(payload.json_or_null(), format!("{text:?}"));
        }
    })
    .await;
}

#[tokio::test]
async fn what_a_program_publishes_to_a_room_with_a_history_is_kept() {
    within_a_minute(async {
        let bowline = app().publish_token(TOKEN).build();
        let server = TestServer::start_with(bowline, Shape::default());
        let id = "0198c7a0-0000-7000-8000-000000000007";
        let body = json!({ "event": "told", "payload": "from outside", "room": ROOM, "id": id });
        for _ in 0..2 {
            let (status, answer) = publish(server.address(), TOKEN, &body.to_string()).await;
            assert_eq!(status, "200", "{answer}");
            let answer: Value = serde_json::from_str(&answer).unwrap();
            assert_eq!(answer["kept"]["offset"], 1, "a repetition is the same message");
        }
        for (room, id) in [(ROOM, "7"), ("no history", id)] {
            let body = json!({ "event": "told", "room": room, "id": id }).to_string();
            let (status, answer) = publish(server.address(), TOKEN, &body).await;
            assert_eq!(status, "400", "{answer}");
        }

        let client = Client::builder(&format!("http://{}/bowline", server.address()));
        let client = client.build().unwrap();
        let mut told = client.on_kept(Told);
        client.connect().await.unwrap();
        let _: Value = client.request("follow", &(ROOM, Since::Last(1))).await.unwrap();
        assert_eq!(next(&mut told, 1).await[0].payload, "from outside");
    })
    .await;
}

event! {
    /// The same type for what the server emits and what clients receive.
    Told = "told" to client (String);
}

const TOKEN: &str = "a token for this test";

fn app() -> BowlineBuilder {
    builder()
        .history("kept", KEPT, Duration::from_secs(600))
        .drain_spread(Duration::from_millis(50))
        .on("follow", |socket: Socket, (room, since): (String, Since)| async move {
            socket.history(room).follow(&socket, since).await.map(Json)
        })
        .on("tell", |socket: Socket, (room, text): (String, String)| async move {
            socket.history(room).emit(Told, &text).await.map(Json)
        })
        .on("leave", |socket: Socket, room: String| async move { socket.leave(room) })
}

async fn start(bus: Bus, number: usize) -> Nodes {
    Nodes::start_with(bus, number, app).await
}

async fn follower(
    nodes: &Nodes,
    node: usize,
    room: &str,
    since: Since,
) -> (Client, Events<Kept<String>>, Recovered) {
    let client = nodes.client(node).await;
    let told = client.on_kept(Told);
    let answer = client.request("follow", &(room, since)).await.unwrap();
    (client, told, answer)
}

async fn tell(client: &Client, room: &str, text: &str) -> Position {
    client.request("tell", &(room, text)).await.unwrap()
}

async fn next(told: &mut Events<Kept<String>>, count: usize) -> Vec<Kept<String>> {
    let mut heard = Vec::new();
    while heard.len() < count {
        heard.push(told.next().await.unwrap().unwrap().payload);
    }
    heard
}

fn texts(node: usize, numbers: std::ops::Range<u32>) -> Vec<String> {
    numbers.map(|number| format!("{node} {number}")).collect()
}

/// Odd enough to go wrong where names are put together.
const ROOM: &str = "kept {room} 100%";
const KEPT: usize = 200;
/// Said while a node stops; less than what is kept.
const COUNT: usize = 150;
