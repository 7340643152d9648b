//! What a hop of a relayed carrier adds to a round trip.

use std::time::Instant;

use bowline_client::Client;
use serde_json::{Value, json};

use bowline_contract::Echo;
use bowline_fault_proxy::{Cut, FaultProxy};
use bowline_fixtures::nodes::{Bus, Nodes, builder_for, stats};

/// Round trips on the session's own node, and by way of another one, all in this process.
///
/// # Panics
/// When Redis or a server does not start.
pub(super) async fn measure() -> Value {
    let nodes = Nodes::start(Bus::Redis, 2).await;
    let proxy = FaultProxy::start(nodes.servers[0].address()).await.expect("a port is free");
    let client = builder_for(&proxy.url("/bowline")).build().expect("the address is valid");
    client.connect().await.expect("the node lets it in");
    let direct = round_trips(&client).await;
    proxy.set_target(nodes.servers[1].address());
    proxy.cut_all(Cut::Reset);
    client.request(Echo, &"back".to_owned()).await.expect("the session goes on");
    assert!(stats(&nodes.servers[1]).relayed > 0, "the carrier is relayed");
    json!({ "direct": direct, "relayed": round_trips(&client).await })
}

async fn round_trips(client: &Client) -> Value {
    let mut times = Vec::new();
    for _ in 0..ROUND_TRIPS {
        let asked = Instant::now();
        client.request(Echo, &"x".to_owned()).await.expect("it is answered");
        times.push(u64::try_from(asked.elapsed().as_micros()).unwrap_or(u64::MAX));
    }
    times.sort_unstable();
    json!({ "p50": times[times.len() / 2], "p99": times[times.len() * 99 / 100] })
}

const ROUND_TRIPS: usize = 2_000;
