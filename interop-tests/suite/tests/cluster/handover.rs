//! A node that is drained hands its sessions over, and nothing is lost or told twice.

use std::cell::Cell;
use std::time::Duration;

use bowline_client::{Client, Events, OnSessionLost, Status, Transport};
use bowline_contract::{Down, Echo, Hang, Join, Said, TrustFor, Up};
use bowline_fixtures::app::Entry;
use bowline_fixtures::nodes::{Bus, Nodes, builder, builder_for, eventually, stats};
use bowline_fixtures::test_server::TestServer;
use bowline_fixtures::within_a_minute;
use bowline_raw_client::RawClient;
use bowline_server::{Attaching, Auth, BowlineBuilder, CloseCode, Ext, Failure, Socket};
use futures::StreamExt as _;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

macro_rules! over_every_transport {
    ($($name:ident: $bus:expr, $transport:expr;)*) => {
        $(#[tokio::test]
        async fn $name() {
            let _ = env_logger::try_init();
            within_a_minute(drain_in_the_middle_of_everything($bus, $transport)).await;
        })*
    };
}

over_every_transport! {
    nothing_is_lost_over_websocket: Bus::Local, Transport::WebSocket;
    nothing_is_lost_over_sse: Bus::Local, Transport::Sse;
    nothing_is_lost_over_polling: Bus::Local, Transport::Polling;
    nothing_is_lost_over_websocket_and_redis: Bus::Redis, Transport::WebSocket;
    nothing_is_lost_over_polling_and_redis: Bus::Redis, Transport::Polling;
}

/// Two nodes talk to a room and to single sessions, clients talk up, and all the while the node
/// that holds the sessions is drained.
async fn drain_in_the_middle_of_everything(bus: Bus, transport: Transport) {
    const CLIENTS: usize = 6;
    /// The drain begins in the middle of the first so many, and all go on until it is over.
    const FIRST: u64 = 200;
    let nodes = Nodes::start_with(bus, 3, draining_soon).await;
    let (proxy, balancer) = nodes.front().await;
    let mut clients = Vec::new();
    // All on the first node, so that all have to go.
    balancer.set_targets(vec![nodes.servers[0].address()]);
    for _ in 0..CLIENTS {
        let client = builder_for(&proxy.url("/bowline")).transports([transport]).build().unwrap();
        client.connect().await.unwrap();
        client.request(Join, &"room".to_owned()).await.unwrap();
        clients.push(client);
    }
    balancer.set_targets(nodes.servers.iter().map(|server| server.address()).collect());
    let sessions: Vec<_> = clients.iter().map(|client| client.session_id().unwrap()).collect();
    let mut heard: Vec<_> = clients.iter().map(|client| client.on::<_, u64>("news")).collect();
    let mut down: Vec<_> = clients.iter().map(|client| client.on(Down)).collect();

    let first = nodes.servers[0].bowline().clone();
    let (begin, drained) = (Notify::new(), Cell::new(false));
    // On a node to which nothing happens: its answers set the pace.
    let pace = nodes.client(1).await;
    let talk = async {
        for number in 1.. {
            // From the node that is drained, while it is there, and from others.
            let from = if number % 2 == 0 { &first } else { nodes.servers[1].bowline() };
            from.to("room").emit("news", &number).unwrap();
            for session in &sessions {
                nodes.servers[2].bowline().to_session(*session).emit(Down, &number).unwrap();
            }
            for client in &clients {
                client.emit(Up, &number).unwrap();
            }
            pace.request(Echo, &"tick".to_owned()).await.unwrap();
            if number == FIRST / 2 {
                begin.notify_one();
            }
            if number >= FIRST && drained.get() {
                return number;
            }
        }
        unreachable!("there is always a next number")
    };
    let drain = async {
        begin.notified().await;
        let carriers = first.shutdown(Duration::from_secs(20)).await;
        drained.set(true);
        carriers
    };
    let (last, carriers) = futures::join!(talk, drain);
    assert_eq!(carriers, 0);

    assert_eq!(stats(&nodes.servers[0]).handed_over, CLIENTS as u64);
    for ((client, heard), down) in clients.iter().zip(&mut heard).zip(&mut down) {
        has_heard_everything(client, (heard, down), last).await;
    }
    for session in &sessions {
        assert_ne!(nodes.owner(session).address(), nodes.servers[0].address());
        let journals = nodes.servers.iter().flat_map(|server| server.journal().numbers(*session));
        assert!(journals.eq(1..=last));
    }
}

/// The room and the single messages have come whole, once and in order, and nothing else has.
async fn has_heard_everything(
    client: &Client,
    (heard, down): (&mut Events<u64>, &mut Events<u64>),
    last: u64,
) {
    let numbers: Vec<u64> =
        down.take(last as usize).map(|event| event.unwrap().payload).collect().await;
    assert!(numbers.iter().copied().eq(1..=last), "{numbers:?}");
    // Two senders, each in order.
    let news: Vec<u64> =
        heard.take(last as usize).map(|event| event.unwrap().payload).collect().await;
    for parity in [0, 1] {
        let of_one = news.iter().copied().filter(|number| number % 2 == parity);
        assert!(of_one.eq((1..=last).filter(|number| number % 2 == parity)), "{news:?}");
    }
    client.request(Echo, &"done".to_owned()).await.unwrap();
    assert!(futures::poll!(heard.next()).is_pending());
    assert!(futures::poll!(down.next()).is_pending());
    assert_eq!(client.stats().sessions_lost, 0);
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Name(String);

#[derive(Debug, Clone)]
struct Connection;

#[tokio::test]
async fn values_and_users_travel_and_what_cannot_travel_stays() {
    within_a_minute(async {
        let mut nodes = Nodes::start_with(Bus::Local, 2, with_values).await;
        let (proxy, balancer) = nodes.front().await;
        balancer.set_targets(vec![nodes.servers[0].address()]);
        let connect = |name: &str| {
            let client = builder_for(&proxy.url("/bowline")).auth(name);
            client.on_session_lost(OnSessionLost::Stop).build().unwrap()
        };
        let (anna, ben) = (connect("anna"), connect("ben"));
        anna.connect().await.unwrap();
        ben.connect().await.unwrap();
        let bens = ben.session_id().unwrap();
        let mut changes = ben.status_stream();
        let mut said = anna.on(Said);
        balancer.set_targets(vec![nodes.servers[1].address()]);
        let left = nodes.servers[0].bowline().shutdown(Duration::from_millis(500)).await;
        assert_eq!(left, 0);
        assert_eq!(stats(&nodes.servers[1]).taken_over, 1);
        assert_eq!(anna.request::<_, _, String>("who", &()).await.unwrap(), "anna");
        let line = bowline_contract::Line { room: String::new(), text: "hi".into() };
        nodes.servers[1].bowline().to_user("anna").emit(Said, &line).unwrap();
        assert_eq!(said.next().await.unwrap().unwrap().payload.text, "hi");
        // Ben has stayed behind, and is lost with the node.
        assert!(nodes.servers[0].bowline().socket(&bens).is_some());
        drop(nodes.servers.remove(0));
        let lost = loop {
            if let Status::SessionLost { code, .. } = changes.next().await.unwrap() {
                break code;
            }
        };
        assert_eq!(lost, CloseCode::SESSION_RESTARTED);
    })
    .await;
}

#[tokio::test]
async fn a_session_with_a_handler_at_work_is_not_handed_over() {
    within_a_minute(async {
        let nodes = Nodes::start_with(Bus::Local, 2, draining_soon).await;
        let client = nodes.client(0).await;
        let session = client.session_id().unwrap();
        client.emit(Hang, &()).unwrap();
        nodes.servers[0]
            .journal()
            .wait_for(|entries| entries.iter().any(|entry| matches!(entry, bowline_fixtures::app::Entry::Up(of, 0) if *of == session)))
            .await;
        nodes.servers[0].bowline().shutdown(Duration::from_millis(100)).await;
        assert_eq!(stats(&nodes.servers[0]).handed_over, 0);
        assert!(nodes.servers[0].bowline().socket(&session).is_some());
    })
    .await;
}

#[tokio::test]
async fn a_poll_that_is_served_elsewhere_is_sent_away_by_the_node_that_stops() {
    within_a_minute(async {
        let nodes = Nodes::start_with(Bus::Local, 2, draining_soon).await;
        let [owner, edge] = &*nodes.servers else { unreachable!() };
        let mut client = RawClient::connect(owner.address()).await.unwrap();
        let open = "open v=1 key=a2V5LWtleS1rZXktMDAwMQ n=1";
        let welcome = client.post("/bowline/poll", open).await.unwrap().text().to_owned();
        let pair = |name: &str| welcome.split(' ').find(|pair| pair.starts_with(name)).unwrap();
        let attach = format!("attach v=1 {} {} n=2 recv=0 next=1", pair("sid="), pair("secret="));
        let mut client = RawClient::connect(edge.address()).await.unwrap();
        let stop = async {
            eventually(|| stats(edge).relayed == 1).await;
            edge.bowline().shutdown(Duration::from_secs(5)).await
        };
        // It would be held for the heartbeat of 25 s.
        let (answer, carriers) = futures::join!(client.post("/bowline/poll", attach), stop);
        let sent_away = format!("x {}", CloseCode::DRAINING.get());
        assert!(answer.unwrap().text().starts_with(&sent_away));
        assert_eq!(carriers, 0);
    })
    .await;
}

#[tokio::test]
async fn a_session_that_was_taken_over_belongs_to_the_same_instance_on_its_next_node() {
    within_a_minute(async {
        let nodes = Nodes::start_with(Bus::Local, 2, draining_soon).await;
        let [first, second] = &*nodes.servers else { unreachable!() };
        let mut client = RawClient::connect(first.address()).await.unwrap();
        let open = "open v=1 key=a2V5LWtleS1rZXktMDAwMQ n=1 by=11\ne up 1";
        let welcome = client.post("/bowline/poll", open).await.unwrap().text().to_owned();
        let pair = |name: &str| welcome.split(' ').find(|pair| pair.starts_with(name)).unwrap();
        let attach =
            |pairs: &str| format!("attach v=1 {} {} {pairs}", pair("sid="), pair("secret="));
        // By way of the other node, too.
        let mut client = RawClient::connect(second.address()).await.unwrap();
        let claim = attach("n=1 recv=0 next=2 by=22 take=11 last=1 kept=3 greet=1");
        let answer = client.post("/bowline/poll", claim).await.unwrap();
        assert!(answer.text().starts_with("welcome "), "{}", answer.text());
        first.bowline().shutdown(Duration::from_secs(5)).await;
        assert_eq!(stats(first).handed_over, 1);
        let mut client = RawClient::connect(second.address()).await.unwrap();
        let late = attach("recv=0 next=2 by=11") + "\ne up 2";
        let answer = client.post("/bowline/post", late).await.unwrap();
        assert_eq!((answer.head.status, answer.text()), (409, "x 4105 last=3"));
        let own = attach("recv=0 next=2 by=22") + "\ne up 3";
        let mut client = RawClient::connect(second.address()).await.unwrap();
        assert_eq!(client.post("/bowline/post", own).await.unwrap().text(), "c 2");
    })
    .await;
}

fn draining_soon() -> BowlineBuilder {
    builder().drain_spread(Duration::from_millis(100))
}

fn with_values() -> BowlineBuilder {
    draining_soon()
        .carry::<Name>("name")
        .on_connect(|socket: Socket, Auth(name): Auth<String>| async move {
            socket.set_user(&name).expect("a name is a name");
            if name == "ben" {
                socket.insert(Connection);
            }
            socket.insert(Name(name));
        })
        .on("who", |Ext(Name(name)): Ext<Name>, (): ()| async move {
            Ok::<_, Failure>(bowline_server::Json(name))
        })
}

/// What is left of an authentication goes with its session: the new node asks for the next one.
#[tokio::test]
async fn an_authentication_expires_on_the_new_node_too() {
    within_a_minute(async {
        let nodes = Nodes::start_with(Bus::Local, 2, draining_soon).await;
        let (proxy, _balancer) = nodes.front().await;
        let client = builder_for(&proxy.url("/bowline")).auth("a token").build().unwrap();
        client.connect().await.unwrap();
        let session = client.session_id().unwrap();
        let old = nodes.owner(&session).bowline().clone();
        client.request(TrustFor, &2000).await.unwrap();
        assert_eq!(old.shutdown(Duration::from_secs(20)).await, 0);
        let new = nodes.owner(&session);
        let refreshed = |entries: &[Entry]| entries.contains(&Entry::Refreshed(session));
        new.journal().wait_for(refreshed).await;
        assert_eq!(client.request(Echo, &"still".to_owned()).await.unwrap(), "still");
        assert_eq!(client.session_id(), Some(session));
    })
    .await;
}

/// A check of an attachment finds a session that has moved, while its old node is still there.
#[tokio::test]
async fn attachments_are_checked_on_the_way_to_the_new_node() {
    within_a_minute(async {
        let checked = || draining_soon().on_attach(async |_: Attaching| {});
        let nodes = Nodes::start_with(Bus::Local, 3, checked).await;
        let (proxy, balancer) = nodes.front().await;
        balancer.set_targets(vec![nodes.servers[0].address()]);
        let mut clients = Vec::new();
        for _ in 0..6 {
            let client = builder_for(&proxy.url("/bowline")).build().unwrap();
            client.connect().await.unwrap();
            clients.push((client.session_id(), client));
        }
        balancer.set_targets(nodes.servers[1..].iter().map(TestServer::address).collect());
        let old = nodes.servers[0].bowline().clone();
        assert_eq!(old.shutdown(Duration::from_secs(20)).await, 0);
        for (session, client) in clients {
            assert_eq!(client.request(Echo, &"here".to_owned()).await.unwrap(), "here");
            assert_eq!(client.session_id(), session);
        }
    })
    .await;
}
