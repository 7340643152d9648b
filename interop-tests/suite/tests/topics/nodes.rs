//! Topics on several nodes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bowline_client::{Client, SubscribeError};
use bowline_fixtures::nodes::{Balancer, Bus, Nodes, builder, builder_for, eventually, stats};
use bowline_fixtures::within_a_minute;
use bowline_server::{BowlineBuilder, Grant};
use futures::{FutureExt as _, StreamExt as _};
use serde_json::Value;
use tokio::sync::Semaphore;

use super::{next, with_log};

fn open() -> BowlineBuilder {
    let rule = || async { Grant::subscribe().and_publish().expires_in(Duration::from_secs(600)) };
    with_log(builder().drain_spread(Duration::from_millis(100)))
        .topic("news", rule)
        .topic("*", rule)
        .topic("log/a", rule)
}

#[tokio::test]
async fn a_message_reaches_the_subscribers_of_all_nodes() {
    within_a_minute(async {
        let nodes = Nodes::start_with(Bus::Local, 2, open).await;
        let (anna, ben) = (nodes.client(0).await, nodes.client(1).await);
        let mut news = ben.subscribe("news").await.unwrap();
        let mut all = ben.subscribe("*").await.unwrap();
        let mut log = ben.subscribe("log/a").await.unwrap();
        let _right = anna.subscribe("news").await.unwrap();
        anna.publish("news", "said", &1).await.unwrap();
        nodes.servers[0].bowline().topic("log/a").emit("said", &2).await.unwrap();
        assert_eq!(next(&mut news).await, "news said 1");
        assert_eq!(next(&mut all).await, "news said 1");
        assert_eq!(next(&mut log).await, "log/a said 2");
        let topic = nodes.servers[0].bowline().topic("news");
        assert_eq!(topic.subscribers().count().await.unwrap(), 2);
        topic.revoke();
        assert_eq!(next(&mut news).await, "ended: revoked");
        assert_eq!(topic.subscribers().count().await.unwrap(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_node_revokes_what_another_is_about_to_grant() {
    within_a_minute(async {
        let (gate, called) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicU32::new(0)));
        let open = || {
            let (gate, called) = (Arc::clone(&gate), Arc::clone(&called));
            builder().topic("slow", move || {
                called.fetch_add(1, Ordering::Relaxed);
                let gate = Arc::clone(&gate);
                async move {
                    gate.acquire().await.expect("it stays open").forget();
                    Grant::subscribe()
                }
            })
        };
        let nodes = Nodes::start_with(Bus::Local, 2, open).await;
        let client = nodes.client(1).await;
        let mut revoked = client.on::<_, Value>("revoked");
        let mut asking = client.subscribe("slow").into_future();
        assert!((&mut asking).now_or_never().is_none());
        eventually(|| called.load(Ordering::Relaxed) == 1).await;
        let other = nodes.servers[0].bowline();
        other.topic("slow").revoke();
        // The bus keeps the order: the other node has handled the revocation before.
        other.emit("revoked", &()).unwrap();
        revoked.next().await.unwrap().unwrap();
        gate.add_permits(1);
        let refused = asking.await;
        assert!(matches!(refused, Err(SubscribeError::NotGranted { .. })), "{refused:?}");
    })
    .await;
}

#[tokio::test]
async fn a_session_that_is_handed_over_keeps_its_grants() {
    within_a_minute(async {
        let nodes = Nodes::start_with(Bus::Local, 2, open).await;
        let others: Vec<_> = nodes.servers.iter().map(|server| server.address()).collect();
        let balancer = Balancer::start(vec![others[0]]).await;
        let url = format!("http://{}/bowline", balancer.address());
        let client: Client = builder_for(&url).build().unwrap();
        client.connect().await.unwrap();
        let mut news = client.subscribe("news").await.unwrap();
        let mut log = client.subscribe("log/a").await.unwrap();
        balancer.set_targets(others[1..].to_vec());
        let session = client.session_id().unwrap();
        nodes.servers[0].bowline().shutdown(Duration::from_secs(20)).await;
        assert_eq!(stats(&nodes.servers[0]).handed_over, 1);
        let second = nodes.servers[1].bowline();
        let socket = second.socket(&session).expect("the second node holds it");
        assert!(socket.is_subscribed("news") && socket.is_subscribed("log/a"));
        second.topic("log/a").emit("said", &1).await.unwrap();
        client.publish("news", "said", &2).await.unwrap();
        assert_eq!(next(&mut log).await, "log/a said 1");
        assert_eq!(next(&mut news).await, "news said 2");
        second.to_session(session).revoke("news");
        assert_eq!(next(&mut news).await, "ended: revoked");
        assert_eq!(client.session_id().unwrap(), session);
    })
    .await;
}

#[tokio::test]
async fn the_sessions_of_a_user_join_and_leave_a_room_wherever_they_are() {
    within_a_minute(async {
        let nodes = Nodes::start_with(Bus::Local, 2, open).await;
        let (here, there) = (nodes.client(0).await, nodes.client(1).await);
        for client in [&here, &there] {
            let () = client.request("i-am", "ada").await.unwrap();
        }
        let other = nodes.client(1).await;
        let bowline = nodes.servers[0].bowline();
        bowline.to_user("ada").join("team").unwrap();
        bowline.to_session(other.session_id().unwrap()).join("team").unwrap();
        bowline.to("team").join("").unwrap_err();
        let members = async |count: usize| {
            while bowline.to("team").count().await.unwrap() != count {
                tokio::task::yield_now().await;
            }
        };
        members(3).await;
        bowline.to_user("ada").leave("team");
        members(1).await;
        let team = bowline.to("team").sessions_everywhere().await.unwrap();
        assert_eq!(team, [other.session_id().unwrap()]);
    })
    .await;
}
