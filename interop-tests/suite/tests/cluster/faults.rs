//! What goes wrong between nodes is noticed and said.

use std::sync::{Arc, Mutex};

use bowline_contract::{Echo, Line, Said, Say};
use bowline_fixtures::nodes::{Bus, Nodes, builder, eventually, stats};
use bowline_fixtures::within_a_minute;
use bowline_server::broker::{Broker, Deliver, Delivery, LocalBroker, Publication};
use bowline_server::{GAP, Gap, GapScope};
use bytes::Bytes;
use futures::StreamExt as _;
use serde_json::{Value, json};
use tokio::sync::mpsc;

#[tokio::test]
async fn messages_of_strangers_and_of_newer_versions_are_counted_and_ignored() {
    within_a_minute(async {
        let nodes = Nodes::start(Bus::Local, 1).await;
        let mut stranger = Stranger::start(nodes.local.as_ref().unwrap().neighbour());
        stranger.broker.subscribe("n:AgICAgIC", None);
        for message in [&b""[..], b"hello", &[0xff; 64]] {
            stranger.say(message);
        }
        // From node 02 02 02 02 02 02, in version 9, as question 5: what follows the head is not
        // read.
        let mut newer = b"BW\x09\x01".to_vec();
        newer.extend([2; 6]);
        newer.extend(5u64.to_be_bytes());
        newer.extend(0u64.to_be_bytes());
        newer.extend(b"whatever comes in version 9");
        stranger.say(&newer);
        eventually(|| {
            let stats = stats(&nodes.servers[0]);
            (stats.foreign, stats.other_version) == (3, 1)
        })
        .await;
        // The question is refused, with the version that is spoken here and the number it had.
        let refused = stranger.next_on("n:AgICAgIC").await;
        assert_eq!((&refused[..3], &refused[10..18]), (&b"BW\x01"[..], &5u64.to_be_bytes()[..]));
        nodes.client(0).await.request(Echo, &"well".to_owned()).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn what_is_lost_while_nodes_cannot_reach_each_other_is_a_gap() {
    within_a_minute(async {
        let nodes = Nodes::start_with(Bus::Local, 2, reporting).await;
        GAPS.lock().unwrap().clear();
        let (anna, ben) = (nodes.member(0, "room").await, nodes.member(1, "room").await);
        let near = nodes.member(0, "room").await;
        let (mut said, mut gaps) = (ben.on(Said), ben.on::<_, Value>(GAP));
        let mut said_near = near.on(Said);
        anna.request(Say, &line("before")).await.unwrap();
        assert_eq!(said.next().await.unwrap().unwrap().payload.text, "before");

        let local = nodes.local.as_ref().unwrap();
        local.set_reachable(false);
        for _ in 0..3 {
            anna.request(Say, &line("meanwhile")).await.unwrap();
        }
        local.set_reachable(true);
        assert_eq!(
            gaps.next().await.unwrap().unwrap().payload,
            json!({ "room": "room", "missed": 3 })
        );
        anna.request(Say, &line("after")).await.unwrap();
        assert_eq!(said.next().await.unwrap().unwrap().payload.text, "after");
        // On its own node nothing was lost.
        let near: Vec<_> =
            said_near.by_ref().take(5).map(|event| event.unwrap().payload.text).collect().await;
        assert_eq!(near, ["before", "meanwhile", "meanwhile", "meanwhile", "after"]);
        eventually(|| !GAPS.lock().unwrap().is_empty()).await;
        let gap = GAPS.lock().unwrap()[0].clone();
        assert_eq!((gap.scope, gap.missed), (GapScope::Room("room".to_owned()), Some(3)));
    })
    .await;
}

static GAPS: Mutex<Vec<Gap>> = Mutex::new(Vec::new());

fn reporting() -> bowline_server::BowlineBuilder {
    builder().on_gap(|gap| GAPS.lock().unwrap().push(gap.clone()))
}

fn line(text: &str) -> Line {
    Line { room: "room".to_owned(), text: text.to_owned() }
}

/// Somebody on the same bus who is none of ours.
struct Stranger {
    broker: LocalBroker,
    heard: mpsc::UnboundedReceiver<Delivery>,
}

impl Stranger {
    fn start(broker: LocalBroker) -> Self {
        let (sender, heard) = mpsc::unbounded_channel();
        let deliver: Deliver = Arc::new(move |delivery| drop(sender.send(delivery)));
        tokio::spawn(broker.run(deliver));
        Self { broker, heard }
    }

    fn say(&self, message: &[u8]) {
        let message = Bytes::copy_from_slice(message);
        self.broker.publish(vec![Publication { channel: "all".into(), message, heard: None }]);
    }

    async fn next_on(&mut self, wanted: &str) -> Bytes {
        loop {
            match self.heard.recv().await.unwrap() {
                Delivery::Message { channel, message } if &*channel == wanted => return message,
                _ => {}
            }
        }
    }
}
