//! Connections to the broker that break for one node alone, or bring what they bring late.

use std::sync::OnceLock;
use std::time::Duration;

use bowline_client::Client;
use bowline_contract::{Down, Echo, Line as Text, Said, Say};
use bowline_fixtures::nodes::{Balancer, Bus, Nodes, builder, builder_for, eventually, stats};
use bowline_fixtures::within_a_minute;
use bowline_protocol::NodeId;
use bowline_raw_client::RawClient;
use bowline_server::{Auth, Bowline, BowlineBuilder, GAP, SessionId, Socket};
use futures::StreamExt as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};

#[tokio::test]
async fn what_the_broker_refuses_is_a_gap_although_the_connection_stands() {
    within_a_minute(async {
        let nodes = Nodes::start(Bus::Shaky, 2).await;
        let (anna, ben) = (nodes.member(0, "room").await, nodes.member(1, "room").await);
        let mut gaps = ben.on::<_, Value>(GAP);
        let mut said = ben.on(Said);
        anna.request(Say, &line("before")).await.unwrap();
        said.next().await.unwrap().unwrap();
        // Not even that can be told at first.
        nodes.lines[0].refuse(Some(""));
        anna.request(Say, &line("meanwhile")).await.unwrap();
        let told = nodes.lines[0].published("Positions");
        eventually(|| nodes.lines[0].published("Positions") > told).await;
        nodes.lines[0].refuse(None);
        let gap = gaps.next().await.unwrap().unwrap().payload;
        assert_eq!(gap, json!({ "room": "room", "missed": 1 }));
        assert_eq!(stats(&nodes.servers[1]).nodes, 1, "nobody was lost");
    })
    .await;
}

#[tokio::test]
async fn what_was_lost_is_a_gap_although_its_sender_comes_back_after_who_asks() {
    within_a_minute(async {
        let nodes = Nodes::start(Bus::Shaky, 2).await;
        let (anna, ben) = (nodes.member(0, "room").await, nodes.member(1, "room").await);
        let mut gaps = ben.on::<_, Value>(GAP);
        let mut said = ben.on(Said);
        anna.request(Say, &line("before")).await.unwrap();
        said.next().await.unwrap().unwrap();
        nodes.lines[1].cut();
        // Sent, as far as the first node knows.
        anna.request(Say, &line("meanwhile")).await.unwrap();
        nodes.lines[0].cut();
        nodes.lines[1].mend();
        eventually(|| nodes.lines[1].published("Resync") == 1).await;
        nodes.lines[0].mend();
        let gap = gaps.next().await.unwrap().unwrap().payload;
        assert_eq!(gap, json!({ "room": "room", "missed": 1 }));
    })
    .await;
}

#[tokio::test]
async fn a_session_that_nobody_knows_right_after_an_outage_is_not_declared_lost() {
    within_a_minute(async {
        let nodes = Nodes::start(Bus::Shaky, 2).await;
        nodes.lines[0].cut();
        nodes.lines[0].mend();
        eventually(|| nodes.lines[0].published("Resync") == 1).await;
        let session = SessionId::new(NodeId::from_bytes([9; 6]), [9; 12]);
        let attach =
            format!("attach v=1 sid={session} secret=c2VjcmV0c2VjcmV0c2VjAA n=2 recv=0 next=1");
        let mut client = RawClient::connect(nodes.servers[0].address()).await.unwrap();
        let answer = client.post("/bowline/poll", attach.clone()).await.unwrap().text().to_owned();
        assert!(answer.starts_with("x 4004"), "{answer}");
        // The other one was not cut off, and knows that there is no such session.
        let mut client = RawClient::connect(nodes.servers[1].address()).await.unwrap();
        let answer = client.post("/bowline/poll", attach).await.unwrap().text().to_owned();
        assert!(answer.starts_with("x 4101"), "{answer}");
    })
    .await;
}

#[tokio::test]
async fn a_room_that_is_entered_while_its_session_is_about_to_go_loses_nothing() {
    within_a_minute(async {
        let nodes = Nodes::start_with(Bus::Shaky, 3, draining_soon).await;
        let (client, _balancer) = client_of_first(&nodes).await;
        let session = client.session_id().unwrap();
        let mut said = client.on(Said);
        nodes.lines[0].hold("n:");
        let first = nodes.servers[0].bowline().clone();
        let drain = tokio::spawn({
            let first = first.clone();
            async move { first.shutdown(Duration::from_secs(20)).await }
        });
        eventually(|| nodes.lines[0].holds("Prepared")).await;
        first.socket(&session).unwrap().join_everywhere("late").await.unwrap();
        let asked = nodes.lines[0].published("\"Prepare\"") + nodes.lines[0].published("\"Hand\"");
        nodes.lines[0].hold("");
        nodes.servers[2].bowline().to("late").emit(Said, &line("late")).unwrap();
        eventually(|| nodes.lines[0].holds("\"late\"")).await;
        nodes.lines[0].release_to("Prepared");
        // The mark that it is waiting for, perhaps.
        let more = || {
            nodes.lines[0].release_to("Mark");
            nodes.lines[0].published("\"Prepare\"") + nodes.lines[0].published("\"Hand\"") > asked
        };
        eventually(more).await;
        nodes.lines[0].release();
        drain.await.unwrap();
        assert_eq!(said.next().await.unwrap().unwrap().payload.text, "late");
        assert_eq!(stats(&nodes.servers[0]).handed_over, 1);
    })
    .await;
}

#[tokio::test]
async fn what_comes_late_to_the_old_owner_is_told_before_the_session_goes() {
    within_a_minute(async {
        let nodes = Nodes::start_with(Bus::Shaky, 2, draining_soon).await;
        let (client, _balancer) = client_of_first(&nodes).await;
        let mut said = client.on(Said);
        nodes.lines[0].hold("r:room");
        nodes.servers[1].bowline().to("room").emit(Said, &line("late")).unwrap();
        let first = nodes.servers[0].bowline().clone();
        let drain = tokio::spawn(async move { first.shutdown(Duration::from_secs(20)).await });
        let going =
            || nodes.lines[0].published("Mark") > 0 || nodes.lines[0].published("\"Hand\"") > 0;
        eventually(going).await;
        nodes.lines[0].release();
        drain.await.unwrap();
        nodes.servers[1].bowline().to("room").emit(Said, &line("after")).unwrap();
        assert_eq!(texts(&mut said).await, ["late", "after"]);
    })
    .await;
}

#[tokio::test]
async fn what_comes_late_to_the_new_owner_is_not_told_twice() {
    within_a_minute(async {
        let nodes = Nodes::start_with(Bus::Shaky, 3, draining_soon).await;
        let (client, _balancer) = client_of_first(&nodes).await;
        let mut said = client.on(Said);
        // Whichever takes it hears the room late.
        nodes.lines[0].hold("n:");
        let first = nodes.servers[0].bowline().clone();
        let drain = tokio::spawn(async move { first.shutdown(Duration::from_secs(20)).await });
        eventually(|| nodes.lines[0].holds("Prepared")).await;
        nodes.lines[1].hold("r:room");
        nodes.lines[2].hold("r:room");
        nodes.servers[0].bowline().to("room").emit(Said, &line("once")).unwrap();
        nodes.servers[1].bowline().to("room").emit(Said, &line("too")).unwrap();
        nodes.lines[0].release();
        drain.await.unwrap();
        nodes.lines[1].release();
        nodes.lines[2].release();
        nodes.servers[2].bowline().to("room").emit(Said, &line("after")).unwrap();
        assert_eq!(texts(&mut said).await, ["once", "too", "after"]);
    })
    .await;
}

#[tokio::test]
async fn a_session_that_has_moved_is_found_and_asked_where_it_is() {
    within_a_minute(async {
        let nodes = Nodes::start_with(Bus::Shaky, 3, draining_soon).await;
        let (client, balancer) = client_of_first(&nodes).await;
        // It comes back to nobody but its new owner, so that the third node does not learn where it
        // is.
        balancer.set_targets(vec![nodes.servers[0].address()]);
        client.handle(Down, async |event| Ok(2 * event.payload));
        let session = client.session_id().unwrap();
        // Its old node is still there when others ask.
        nodes.lines[0].hold("all");
        let first = nodes.servers[0].bowline().clone();
        let drain = tokio::spawn(async move { first.shutdown(Duration::from_secs(20)).await });
        eventually(|| nodes.lines[0].published("Mark") > 0).await;
        nodes.lines[0].release_to("Mark");
        eventually(|| {
            nodes.servers[1..].iter().any(|server| server.bowline().socket(&session).is_some())
        })
        .await;
        balancer.set_targets(vec![nodes.owner(&session).address()]);
        for server in &nodes.servers {
            let audience = server.bowline().to_session(session);
            assert_eq!(audience.sessions_everywhere().await.unwrap(), [session]);
            let mut replies = audience.request::<_, u64>(Down, &21).await.unwrap();
            let (who, reply) = replies.next().await.expect("it is asked");
            assert_eq!((who, reply.unwrap()), (session, 42));
            assert!(replies.next().await.is_none());
        }
        nodes.lines[0].release();
        drain.await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_session_that_has_ended_is_not_brought_back_when_it_is_sent_again() {
    within_a_minute(async {
        let nodes = Nodes::start_with(Bus::Shaky, 2, draining_soon).await;
        let [old, new] = &*nodes.lines else { unreachable!() };
        let mut client = RawClient::connect(nodes.servers[0].address()).await.unwrap();
        let open = "open v=1 key=a2V5LWtleS1rZXktMDAwMQ n=1";
        let welcome = client.post("/bowline/poll", open).await.unwrap().text().to_owned();
        let pair = |name: &str| welcome.split(' ').find(|pair| pair.starts_with(name)).unwrap();
        let first = nodes.servers[0].bowline().clone();
        old.hold("n:");
        let drain = tokio::spawn(async move { first.shutdown(Duration::from_secs(20)).await });
        eventually(|| old.holds("Prepared")).await;
        old.release_to("Prepared");
        eventually(|| new.published("Handed") == 1).await;
        let mut client = RawClient::connect(nodes.servers[1].address()).await.unwrap();
        let good_bye =
            format!("attach v=1 {} {} recv=0 next=1\nx 1000", pair("sid="), pair("secret="));
        client.post("/bowline/post", good_bye).await.unwrap();
        eventually(|| nodes.servers[1].bowline().session_count() == 0).await;
        // The old node was not told that the session has arrived, and sends it again.
        let told = new.published("Handed");
        eventually(|| new.published("Handed") > told).await;
        assert_eq!(nodes.servers[1].bowline().session_count(), 0);
        old.release();
        drain.await.unwrap();
        assert_eq!(stats(&nodes.servers[1]).taken_over, 1);
    })
    .await;
}

#[tokio::test]
async fn what_is_for_a_session_waits_until_somebody_can_say_where_it_is() {
    within_a_minute(async {
        let nodes = Nodes::start_with(Bus::Shaky, 3, draining_soon).await;
        let (client, balancer) = client_of_first(&nodes).await;
        let session = client.session_id().unwrap();
        let mut down = client.on(Down);
        // It comes back to nobody but its new owner, so that no other node learns where it is.
        balancer.set_targets(vec![nodes.servers[0].address()]);
        nodes.servers[0].bowline().shutdown(Duration::from_secs(20)).await;
        balancer.set_targets(vec![nodes.owner(&session).address()]);
        client.request(Echo, &"there".to_owned()).await.unwrap();
        let other = if nodes.servers[1].bowline().socket(&session).is_some() { 2 } else { 1 };
        nodes.lines[other].cut();
        nodes.servers[other].bowline().to_session(session).emit(Down, &7).unwrap();
        eventually(|| nodes.lines[other].denied() > 0).await;
        nodes.lines[other].mend();
        assert_eq!(down.next().await.unwrap().unwrap().payload, 7);
        assert_eq!(stats(&nodes.servers[other]).undelivered, 0);
    })
    .await;
}

#[tokio::test]
async fn a_node_that_writes_the_directory_again_goes_on_saying_that_it_lives() {
    within_a_minute(async {
        let nodes = Nodes::start_with(Bus::Shaky, 2, draining_soon).await;
        let (client, _balancer) = client_of_first(&nodes).await;
        nodes.servers[0].bowline().shutdown(Duration::from_secs(20)).await;
        client.request(Echo, &"there".to_owned()).await.unwrap();
        let line = &nodes.lines[1];
        line.stall("s:");
        line.cut();
        line.mend();
        eventually(|| line.asked_in_vain() > 0).await;
        let before = line.published("Alive");
        eventually(|| line.published("Alive") >= before + 2).await;
    })
    .await;
}

#[tokio::test]
async fn a_relayed_carrier_that_is_complete_is_not_called_broken() {
    within_a_minute(async {
        let nodes = Nodes::start(Bus::Shaky, 2).await;
        let mut client = RawClient::connect(nodes.servers[0].address()).await.unwrap();
        let open = "open v=1 key=a2V5LWtleS1rZXktMDAwMg n=1";
        let welcome = client.post("/bowline/poll", open).await.unwrap().text().to_owned();
        let pair = |name: &str| welcome.split(' ').find(|pair| pair.starts_with(name)).unwrap();
        let post = format!("attach v=1 {} {} recv=0 next=1", pair("sid="), pair("secret="));
        for _ in 0..5 {
            let mut other = RawClient::connect(nodes.servers[1].address()).await.unwrap();
            other.post("/bowline/post", post.clone()).await.unwrap();
        }
        // The first ones are over by then.
        assert_eq!(stats(&nodes.servers[1]).relayed, 5);
        assert_eq!(nodes.lines[0].published("\"Broken\""), 0);
    })
    .await;
}

/// A value whose code does whatever it likes.
#[derive(Debug, Clone)]
struct Wild(String);

static NODE: OnceLock<Bowline> = OnceLock::new();

impl Serialize for Wild {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        assert_ne!(self.0, "panics when written");
        let node = NODE.get().expect("it was set");
        node.to("room").emit(Said, &line("written")).unwrap();
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Wild {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        assert_ne!(name, "panics when read");
        Ok(Self(name))
    }
}

#[tokio::test]
async fn values_whose_code_emits_or_panics_while_they_travel_do_no_harm() {
    within_a_minute(async {
        let wild = || {
            draining_soon().carry::<Wild>("wild").on_connect(
                |socket: Socket, Auth(name): Auth<String>| async move {
                    socket.join("room").expect("anyone may join");
                    socket.insert(Wild(name));
                },
            )
        };
        let nodes = Nodes::start_with(Bus::Shaky, 2, wild).await;
        NODE.set(nodes.servers[0].bowline().clone()).unwrap();
        let (proxy, balancer) = nodes.front().await;
        balancer.set_targets(vec![nodes.servers[0].address()]);
        let mut clients = Vec::new();
        for name in ["emits", "panics when written", "panics when read"] {
            let client = builder_for(&proxy.url("/bowline")).auth(name).build().unwrap();
            client.connect().await.unwrap();
            clients.push(client);
        }
        let sessions: Vec<_> = clients.iter().map(|client| client.session_id().unwrap()).collect();
        balancer.set_targets(vec![nodes.servers[1].address()]);
        // One cannot go: the deadline passes, which the others must meet on a busy machine, too.
        nodes.servers[0].bowline().shutdown(Duration::from_secs(3)).await;
        assert_eq!(stats(&nodes.servers[0]).handed_over, 2);
        let there = |session: &SessionId| nodes.servers[1].bowline().socket(session);
        assert_eq!(there(&sessions[0]).unwrap().get::<Wild>().unwrap().0, "emits");
        assert!(there(&sessions[1]).is_none());
        assert!(there(&sessions[2]).unwrap().get::<Wild>().is_none());
        // The threads between the nodes are alive.
        assert_eq!(nodes.servers[0].bowline().to("room").count().await.unwrap(), 3);
    })
    .await;
}

/// A client of the first node that is in the room. When it comes back, it lands on any other.
async fn client_of_first(nodes: &Nodes) -> (Client, Balancer) {
    let others: Vec<_> = nodes.servers.iter().map(|server| server.address()).collect();
    let balancer = Balancer::start(vec![others[0]]).await;
    let url = format!("http://{}/bowline", balancer.address());
    let client = builder_for(&url).build().unwrap();
    client.connect().await.unwrap();
    let session = client.session_id().unwrap();
    let socket = nodes.servers[0].bowline().socket(&session).unwrap();
    socket.join_everywhere("room").await.unwrap();
    balancer.set_targets(others[1..].to_vec());
    (client, balancer)
}

/// The lines up to the one that says "after".
async fn texts(said: &mut bowline_client::Events<Text>) -> Vec<String> {
    let mut texts = Vec::new();
    while texts.last().is_none_or(|last| last != "after") {
        texts.push(said.next().await.unwrap().unwrap().payload.text);
    }
    texts
}

fn line(text: &str) -> Text {
    Text { room: "room".to_owned(), text: text.to_owned() }
}

fn draining_soon() -> BowlineBuilder {
    builder().drain_spread(Duration::from_millis(100))
}
