//! Namespaces on several nodes.

use std::time::Duration;

use bowline_client::Client;
use bowline_fixtures::nodes::{Balancer, Bus, Nodes, builder, builder_for, stats};
use bowline_fixtures::within_a_minute;
use bowline_server::{BowlineBuilder, Close, CloseCode};
use futures::StreamExt as _;
use serde_json::{Value, json};

use super::part;

fn open() -> BowlineBuilder {
    builder().drain_spread(Duration::from_millis(100)).namespace("/shop", part)
}

async fn join(client: &Client, name: &str) {
    let asked = json!({"namespace": "/shop", "auth": name});
    let () = client.request("bowline.join", &asked).await.unwrap();
}

#[tokio::test]
async fn members_are_reached_and_removed_on_all_nodes() {
    within_a_minute(async {
        let nodes = Nodes::start_with(Bus::Local, 2, open).await;
        let (anna, ben) = (nodes.client(0).await, nodes.client(1).await);
        let mut said = ben.on::<_, String>("/shop,said");
        let mut left = ben.on::<_, Value>("bowline.left");
        join(&anna, "anna").await;
        join(&ben, "ben").await;
        let shop = nodes.servers[0].bowline().of("/shop");
        shop.to("hall").emit("said", "hi").unwrap();
        assert_eq!(said.next().await.unwrap().unwrap().payload, "hi");
        shop.to_user("ben").disconnect(&Close::new(CloseCode::NORMAL));
        let event = json!({"namespace": "/shop", "code": "kicked"});
        assert_eq!(left.next().await.unwrap().unwrap().payload, event);
        assert_eq!(shop.to_all().count().await.unwrap(), 1);
        let refused = ben.request::<_, _, Value>("/shop,rooms", &()).await.unwrap_err();
        assert!(refused.to_string().contains("no-namespace"), "{refused}");
    })
    .await;
}

#[tokio::test]
async fn a_session_that_is_handed_over_keeps_its_namespaces() {
    within_a_minute(async {
        let nodes = Nodes::start_with(Bus::Local, 2, open).await;
        let others: Vec<_> = nodes.servers.iter().map(|server| server.address()).collect();
        let balancer = Balancer::start(vec![others[0]]).await;
        let url = format!("http://{}/bowline", balancer.address());
        let client: Client = builder_for(&url).build().unwrap();
        client.connect().await.unwrap();
        join(&client, "anna").await;
        balancer.set_targets(others[1..].to_vec());
        nodes.servers[0].bowline().shutdown(Duration::from_secs(20)).await;
        assert_eq!(stats(&nodes.servers[0]).handed_over, 1);
        let rooms: Value = client.request("/shop,rooms", &()).await.unwrap();
        assert_eq!(rooms, json!(["/shop", "anna", ["hall"]]));
    })
    .await;
}
