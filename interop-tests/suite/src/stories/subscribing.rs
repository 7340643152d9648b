//! Stories about topics.

use bowline_client::{RequestError, Since, Subscription, TopicItem, Uuid};
use bowline_contract::Echo;
use bowline_fault_proxy::Cut;
use futures::StreamExt as _;

use super::World;

/// What is published arrives once and in order, whatever happens to the connections of both.
pub async fn what_is_published_arrives_once_and_in_order_through_cuts(world: World) {
    const MESSAGES: u64 = 200;
    let (reader, writer) = (world.connected().await, world.connected().await);
    let _right = writer.subscribe("wall/cuts").await.unwrap();
    let mut wall = reader.subscribe("wall/cuts").await.unwrap();
    let mut all = reader.subscribe("wall/*").await.unwrap();
    for number in 1..=MESSAGES {
        writer.publish("wall/cuts", "said", &number).await.unwrap();
        if number % 40 == 0 {
            world.proxy.cut_all(Cut::Reset);
        }
    }
    assert!(numbers(&mut wall, MESSAGES).await.into_iter().eq(1..=MESSAGES));
    assert!(numbers(&mut all, MESSAGES).await.into_iter().eq(1..=MESSAGES));
    assert_eq!(reader.stats().sessions_lost, 0);
}

/// A client whose session is lost receives what it has missed from the history of the topic.
pub async fn a_lost_session_recovers_its_topics_from_their_histories(world: World) {
    let (reader, writer) = (world.connected().await, world.connected().await);
    let _right = writer.subscribe("log/lost").await.unwrap();
    for number in 1..=5 {
        writer.publish("log/lost", "said", &number).await.unwrap();
    }
    let mut log = reader.subscribe("log/lost").since(Since::Last(2)).await.unwrap();
    for round in 1..=3u64 {
        reader.emit("lose-me", &()).unwrap();
        for number in 0..10 {
            writer.publish("log/lost", "said", &(round * 10 - 4 + number)).await.unwrap();
        }
    }
    assert!(numbers(&mut log, 32).await.into_iter().eq(4..=35));
    reader.request(Echo, &"still here".to_owned()).await.unwrap();
    assert!(reader.stats().sessions_lost >= 1);
}

/// A client that published, lost its session and publishes again has published once.
pub async fn what_is_published_again_with_its_id_arrives_once(world: World) {
    let (reader, writer) = (world.connected().await, world.connected().await);
    let _right = writer.subscribe("log/again").await.unwrap();
    let mut log = reader.subscribe("log/again").await.unwrap();
    let mut all = reader.subscribe("log/*").await.unwrap();
    let id = Uuid::from_u128(7);
    let publish = async |number: u64| writer.publish("log/again", "said", &number).id(id).await;
    let first = publish(1).await.unwrap();
    writer.emit("lose-me", &()).unwrap();
    let again = loop {
        // The new session may have no grant yet, and the old one may end with the request.
        match publish(1).await {
            Ok(at) => break at,
            Err(RequestError::SessionLost { .. } | RequestError::Failed { .. }) => {
                tokio::task::yield_now().await;
            }
            Err(error) => panic!("{error}"),
        }
    };
    assert!(first.is_some() && first == again, "{first:?} {again:?}");
    while writer.publish("log/again", "said", &2u64).await.is_err() {
        tokio::task::yield_now().await;
    }
    for subscription in [&mut log, &mut all] {
        assert_eq!(numbers(subscription, 2).await, [1, 2]);
    }
}

/// The numbers of the next messages.
async fn numbers(subscription: &mut Subscription, count: u64) -> Vec<u64> {
    let mut numbers = Vec::new();
    for _ in 0..count {
        match subscription.next().await {
            Some(TopicItem::Message(message)) => numbers.push(message.decode().unwrap()),
            other => panic!("{other:?} after {numbers:?}"),
        }
    }
    numbers
}
