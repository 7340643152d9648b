//! A Redis that was gone for longer than a node may be silent takes nobody with it.

use std::time::Duration;

use bowline_contract::{Down, Echo, Line as Text, Said, Up};
use bowline_fixtures::nodes::{Bus, Nodes, builder, builder_for, eventually, stats};
use bowline_fixtures::shaky_broker::Line;
use bowline_fixtures::within_a_minute;
use bowline_raw_client::RawClient;
use bowline_server::GAP;
use futures::{FutureExt as _, StreamExt as _};
use serde_json::{Value, json};

#[tokio::test]
async fn a_redis_that_starts_again_with_nothing_loses_no_session() {
    let _ = env_logger::try_init();
    within_a_minute(async {
        let mut nodes = Nodes::start(Bus::Redis, 3).await;
        let (proxy, balancer) = nodes.front().await;
        let addresses: Vec<_> = nodes.servers.iter().map(|server| server.address()).collect();
        let connect = async || {
            let client = builder_for(&proxy.url("/bowline"));
            let client = client.build().unwrap();
            client.connect().await.unwrap();
            client
        };
        // Anna is on the first node. Ben was there, and is on one of the others now. Both are
        // relayed.
        balancer.set_targets(vec![addresses[1]]);
        let anna = connect().await;
        nodes.add(builder()).await;
        nodes.know_each_other().await;
        balancer.set_targets(vec![nodes.servers[3].address()]);
        let ben = connect().await;
        let bens = ben.session_id().unwrap();
        let last = nodes.servers.pop().unwrap();
        balancer.set_targets(vec![addresses[0]]);
        last.bowline().shutdown(Duration::from_secs(5)).await;
        drop(last);
        nodes.know_each_other().await;
        for client in [&anna, &ben] {
            client.request(Echo, &"before".to_owned()).await.unwrap();
        }
        let talking = async |client: &bowline_client::Client| {
            for number in 1..=700u64 {
                client.emit(Up, &number).unwrap();
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            client.request(Echo, &"after".to_owned()).await
        };
        let outage = async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            nodes.redis[0].kill();
            // Longer than a node may be silent.
            tokio::time::sleep(Duration::from_millis(5_500)).await;
            nodes.redis[0].start_again();
        };
        let (annas_end, bens_end, ()) = futures::join!(talking(&anna), talking(&ben), outage);
        annas_end.unwrap();
        bens_end.unwrap();
        for client in [&anna, &ben] {
            assert_eq!(client.stats().sessions_lost, 0);
            let session = client.session_id().unwrap();
            let journal = nodes.owner(&session).journal();
            assert!(journal.numbers(session).into_iter().eq(1..=700));
        }
        // A node that has never looked for Ben finds him as well.
        let mut down = ben.on(Down);
        for (number, server) in (0..).zip(&nodes.servers) {
            server.bowline().to_session(bens).emit(Down, &number).unwrap();
            assert_eq!(down.next().await.unwrap().unwrap().payload, number);
        }
        eventually(|| nodes.servers.iter().all(|server| stats(server).nodes == 2)).await;
    })
    .await;
}

#[tokio::test]
async fn a_node_that_is_gone_is_reported_everywhere_before_anybody_speaks_who_knows_it() {
    within_a_minute(async {
        let nodes = Nodes::start(Bus::Shaky, 3).await;
        nodes.know_each_other().await;
        let (ben, cleo) = (nodes.member(1, "room").await, nodes.member(2, "room").await);
        let (mut bens_gaps, mut gaps) = (ben.on::<_, Value>(GAP), cleo.on::<_, Value>(GAP));
        let (mut ben_hears, mut said) = (ben.on(Said), cleo.on(Said));
        say(&nodes, 0, "I am here");
        for hears in [&mut ben_hears, &mut said] {
            hears.next().await.unwrap().unwrap();
        }
        // The third node hears of the first for a beat more than the second does, so by itself it
        // would find later that it is gone, and has heard nothing for long enough to
        // believe it.
        beat(&nodes.lines[0]).await;
        nodes.lines[1].lose("all");
        beat(&nodes.lines[0]).await;
        nodes.lines[0].refuse(Some("all"));
        // It hears of neither of the others any more.
        eventually(|| stats(&nodes.servers[1]).nodes == 0).await;
        assert_eq!(bens_gaps.next().await.unwrap().unwrap().payload, json!({}));
        say(&nodes, 1, "and I know");
        assert_eq!(said.next().await.unwrap().unwrap().payload.text, "and I know");
        let told = gaps.next().now_or_never().expect("it was told before");
        assert_eq!(told.unwrap().unwrap().payload, json!({}));
        // It has said that of the third one as well, which others hear.
        assert_eq!(stats(&nodes.servers[0]).nodes, 2);
    })
    .await;
}

#[tokio::test]
async fn who_learns_of_a_lost_node_from_one_that_never_knew_it_speaks_behind_the_gap() {
    within_a_minute(async {
        let mut nodes = Nodes::start(Bus::Shaky, 2).await;
        // Of the first node this room has heard nothing.
        let ben = nodes.member(1, "room").await;
        let (mut gaps, mut said) = (ben.on::<_, Value>(GAP), ben.on(Said));
        let anna = nodes.client(0).await;
        let session = anna.session_id().unwrap();
        nodes.lines[0].cut();
        // By itself the second one does not find that the first is gone.
        nodes.lines[1].stall("n:");
        nodes.add(builder()).await;
        let attach =
            format!("attach v=1 sid={session} secret=c2VjcmV0c2VjcmV0c2VjAA n=2 recv=0 next=1");
        let attach = async || {
            let mut client = RawClient::connect(nodes.servers[2].address()).await.unwrap();
            client.post("/bowline/poll", attach.clone()).await.unwrap().text().to_owned()
        };
        while !attach().await.starts_with("x 4101") {}
        say(&nodes, 2, "I know");
        assert_eq!(said.next().await.unwrap().unwrap().payload.text, "I know");
        let told = gaps.next().now_or_never().expect("it was told before");
        assert_eq!(told.unwrap().unwrap().payload, json!({}));
        // Others who come with sessions of it are told without a word to anybody.
        attach().await;
        assert_eq!(nodes.lines[2].published("\"Gone\""), 1);
    })
    .await;
}

fn say(nodes: &Nodes, node: usize, text: &str) {
    let text = Text { room: "room".to_owned(), text: text.to_owned() };
    nodes.servers[node].bowline().to("room").emit(Said, &text).unwrap();
}

/// Until the node says once more that it lives.
async fn beat(line: &Line) {
    let before = line.published("Alive");
    eventually(|| line.published("Alive") > before).await;
}
