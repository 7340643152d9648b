//! No stickiness: each connection of a client goes to another node than the one before, and is cut.

use bowline_client::{Client, Transport};
use bowline_contract::{AskBack, CountDown, Down, Echo, Said, Up};
use bowline_fault_proxy::{Cut, FaultProxy};
use bowline_fixtures::nodes::{Balancer, Bus, Nodes, builder_for, stats};
use bowline_fixtures::within_a_minute;
use bytes::Bytes;
use futures::StreamExt as _;
use futures::future::join_all;

macro_rules! over_every_transport {
    ($($story:ident)*) => {
        $(mod $story {
            use super::*;

            #[tokio::test]
            async fn over_websocket() {
                run(Bus::Local, Transport::WebSocket).await;
            }

            #[tokio::test]
            async fn over_sse() {
                run(Bus::Local, Transport::Sse).await;
            }

            #[tokio::test]
            async fn over_polling() {
                run(Bus::Local, Transport::Polling).await;
            }

            #[tokio::test]
            async fn over_websocket_and_redis() {
                run(Bus::Redis, Transport::WebSocket).await;
            }

            #[tokio::test]
            async fn over_sse_and_redis() {
                run(Bus::Redis, Transport::Sse).await;
            }

            #[tokio::test]
            async fn over_polling_and_redis() {
                run(Bus::Redis, Transport::Polling).await;
            }

            async fn run(bus: Bus, transport: Transport) {
                let _ = env_logger::try_init();
                within_a_minute(async {
                    let scene = Scene::new(bus, transport).await;
                    super::$story(&scene).await;
                    let relayed = scene.nodes.servers.iter().map(|server| stats(server).relayed);
                    assert!(relayed.sum::<u64>() > 0, "nothing was relayed");
                })
                .await;
            }
        })*
    };
}

over_every_transport! {
    numbered_messages_survive_cuts_and_other_nodes
    requests_survive_cuts_and_other_nodes
    a_session_goes_from_transport_to_transport_and_from_node_to_node
    large_messages_and_bytes_are_relayed
}

struct Scene {
    nodes: Nodes,
    proxy: FaultProxy,
    _balancer: Balancer,
    transport: Transport,
}

impl Scene {
    async fn new(bus: Bus, transport: Transport) -> Self {
        let nodes = Nodes::start(bus, 3).await;
        let (proxy, balancer) = nodes.front().await;
        Self { nodes, proxy, _balancer: balancer, transport }
    }

    async fn connected(&self) -> Client {
        let all = [Transport::WebSocket, Transport::Sse, Transport::Polling];
        let mut order = vec![self.transport];
        order.extend(all.into_iter().filter(|other| *other != self.transport));
        let client = builder_for(&self.proxy.url("/bowline")).transports(order);
        let client = client.build().unwrap();
        client.connect().await.unwrap();
        client.switch_transport(self.transport);
        client
    }
}

async fn numbered_messages_survive_cuts_and_other_nodes(scene: &Scene) {
    const MESSAGES: u64 = 300;
    let client = scene.connected().await;
    let mut down = client.on(Down);
    let session = client.session_id().unwrap();
    client.emit(CountDown, &MESSAGES).unwrap();
    for number in 1..=MESSAGES {
        client.emit(Up, &number).unwrap();
        assert_eq!(down.next().await.unwrap().unwrap().payload, number);
        if number % 30 == 0 {
            scene.proxy.cut_all(if number % 60 == 0 { Cut::Reset } else { Cut::Finish });
        }
    }
    client.request(Echo, &"done".to_owned()).await.unwrap();
    assert_eq!(client.session_id(), Some(session), "the session was lost");
    let journal = scene.nodes.owner(&session).journal();
    assert!(journal.numbers(session).into_iter().eq(1..=MESSAGES));
}

async fn requests_survive_cuts_and_other_nodes(scene: &Scene) {
    let client = scene.connected().await;
    client.handle(Down, |asked| async move { Ok(asked.payload * 2) });
    for round in 0..10u64 {
        let asked = (0..10).map(|number| {
            let number = round * 10 + number;
            let answer = client.request(AskBack, &number);
            async move { answer.await.unwrap() == number * 2 }
        });
        let cut = async { scene.proxy.cut_all(Cut::Reset) };
        let (answers, _) = futures::join!(join_all(asked), cut);
        assert!(answers.into_iter().all(|right| right));
    }
}

async fn a_session_goes_from_transport_to_transport_and_from_node_to_node(scene: &Scene) {
    let client = scene.connected().await;
    let mut down = client.on(Down);
    let session = client.session_id().unwrap();
    let mut number = 0;
    let targets = [Transport::Sse, Transport::Polling, Transport::WebSocket, scene.transport];
    for target in targets.into_iter().cycle().take(8) {
        client.switch_transport(target);
        let mut served = 0;
        while served < 5 {
            number += 1;
            client.emit(Up, &number).unwrap();
            client.emit("down-again", &number).unwrap();
            assert_eq!(down.next().await.unwrap().unwrap().payload, number);
            served += u32::from(client.transport() == Some(target));
        }
    }
    client.request(Echo, &"done".to_owned()).await.unwrap();
    assert_eq!(client.session_id(), Some(session));
    let journal = scene.nodes.owner(&session).journal();
    assert!(journal.numbers(session).into_iter().eq(1..=number));
}

async fn large_messages_and_bytes_are_relayed(scene: &Scene) {
    let client = scene.connected().await;
    let mut said = client.on::<_, String>("sent-back");
    // More than goes out before the other node has taken something.
    let large = Bytes::from(vec![7; 700_000]);
    for round in 0..4u32 {
        client.emit_with("send-back", &round.to_string(), large.clone()).unwrap();
        let back = said.next().await.unwrap().unwrap();
        assert_eq!((back.payload, back.bytes), (round.to_string(), Some(large.clone())));
        scene.proxy.cut_all(Cut::Finish);
    }
    let bowline = scene.nodes.servers[0].bowline();
    let mut heard = client.on(Said);
    let line = |text: &str| bowline_contract::Line { room: String::new(), text: text.to_owned() };
    bowline.to_session(client.session_id().unwrap()).emit(Said, &line("hello")).unwrap();
    assert_eq!(heard.next().await.unwrap().unwrap().payload.text, "hello");
}
