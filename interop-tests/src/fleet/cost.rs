//! What several nodes cost: a broadcast over two of them beside one, and a hop of a relayed carrier.

use std::time::{Duration, Instant};

use bowline_client::Client;
use futures::StreamExt as _;
use futures::future::join_all;
use serde_json::{Value, json};

use crate::app;
use crate::contract::{Echo, Line, Said};
use crate::fault_proxy::{Cut, FaultProxy};
use crate::nodes::{Bus, Nodes, builder_for, stats};
use crate::test_server::{Shape, TestServer};

/// Measures in this process, and returns the figures.
///
/// # Panics
/// When Redis or a server does not start.
pub async fn run(members: usize, broadcasts: u64) -> Value {
    let (alone, _) = broadcast_alone(members, broadcasts).await;
    let nodes = Nodes::start(Bus::Redis, 2).await;
    let (split, published) = broadcast_over(&nodes, members, broadcasts).await;
    let (direct, relayed) = hop(&nodes).await;
    json!({
        "members": members,
        "broadcasts": broadcasts,
        "publishes_per_broadcast": published as f64 / broadcasts as f64,
        "cpu_us_per_delivery_one_node": alone,
        "cpu_us_per_delivery_two_nodes": split,
        "round_trip_us_direct": { "p50": direct.0, "p99": direct.1 },
        "round_trip_us_relayed": { "p50": relayed.0, "p99": relayed.1 },
    })
}

async fn broadcast_alone(members: usize, broadcasts: u64) -> (f64, u64) {
    let server = TestServer::start_with(app::builder().build(), Shape::default());
    let url = format!("http://{}/bowline", server.address());
    let clients = connect(&[url], members).await;
    for client in &clients {
        let session = client.session_id().expect("it is connected");
        let socket = server.bowline().socket(&session).expect("its session is here");
        socket.join("room").expect("anyone may join");
    }
    (deliver(&server, &clients, broadcasts).await, 0)
}

async fn broadcast_over(nodes: &Nodes, members: usize, broadcasts: u64) -> (f64, u64) {
    let urls: Vec<_> =
        nodes.servers.iter().map(|server| format!("http://{}/bowline", server.address())).collect();
    let clients = connect(&urls, members).await;
    for client in &clients {
        let session = client.session_id().expect("it is connected");
        let socket = nodes.owner(&session).bowline().socket(&session).expect("its session is here");
        socket.join_everywhere("room").await.expect("anyone may join");
    }
    // By the count of Redis itself. That nodes say that they live is in it, too: twice a second.
    let before = nodes.redis[0].calls("publish");
    let cost = deliver(&nodes.servers[0], &clients, broadcasts).await;
    (cost, nodes.redis[0].calls("publish") - before)
}

async fn connect(urls: &[String], members: usize) -> Vec<Client> {
    let clients = (0..members)
        .map(|index| builder_for(&urls[index % urls.len()]).build().expect("the address is valid"));
    let clients: Vec<_> = clients.collect();
    for some in clients.chunks(50) {
        for connected in join_all(some.iter().map(Client::connect)).await {
            connected.expect("the node lets it in");
        }
    }
    clients
}

/// CPU of this process, servers and clients together, in µs for each message that arrives.
async fn deliver(from: &TestServer, clients: &[Client], broadcasts: u64) -> f64 {
    let mut heard: Vec<_> = clients.iter().map(|client| client.on(Said)).collect();
    let line = Line {
        room: "room".to_owned(),
        text: "a message of some forty bytes, as in a chat".to_owned(),
    };
    let begun = cpu();
    for _ in 0..broadcasts {
        from.bowline().to("room").emit(Said, &line).expect("a line can be written");
        join_all(heard.iter_mut().map(|events| events.next())).await;
    }
    (cpu() - begun).as_secs_f64() * 1e6 / (broadcasts * clients.len() as u64) as f64
}

/// Round trips in µs, p50 and p99: on the session's own node, and by way of another one.
async fn hop(nodes: &Nodes) -> ((u64, u64), (u64, u64)) {
    let proxy = FaultProxy::start(nodes.servers[0].address()).await.expect("a port is free");
    let client = builder_for(&proxy.url("/bowline")).build().expect("the address is valid");
    client.connect().await.expect("the node lets it in");
    let direct = round_trips(&client).await;
    proxy.set_target(nodes.servers[1].address());
    proxy.cut_all(Cut::Reset);
    client.request(Echo, &"back".to_owned()).await.expect("the session goes on");
    assert!(stats(&nodes.servers[1]).relayed > 0, "the carrier is relayed");
    (direct, round_trips(&client).await)
}

async fn round_trips(client: &Client) -> (u64, u64) {
    let mut times = Vec::new();
    for _ in 0..2_000 {
        let asked = Instant::now();
        client.request(Echo, &"x".to_owned()).await.expect("it is answered");
        times.push(u64::try_from(asked.elapsed().as_micros()).unwrap_or(u64::MAX));
    }
    times.sort_unstable();
    (times[times.len() / 2], times[times.len() * 99 / 100])
}

/// User and system time of this process, in hundredths of a second.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: u64 = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}
