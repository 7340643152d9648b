//! Stories about streams.

use std::future::IntoFuture as _;

use bowline_client::{ItemStream, StreamError, Transport};
use bowline_contract::Echo;
use bowline_fault_proxy::Cut;
use bytes::Bytes;
use futures::channel::mpsc;
use futures::future::join_all;
use futures::{SinkExt as _, StreamExt as _};

use super::World;

/// The items of both directions arrive once and in order, whatever happens to the connections.
pub async fn items_arrive_once_and_in_order_both_ways_through_cuts(world: World) {
    const ITEMS: u64 = 300;
    let client = world.connected().await;
    let opened = client.stream::<u64>("double", &()).window(16, 4096).both_ways().await;
    let (mut sender, mut items) = opened.unwrap();
    let send = async {
        for number in 1..=ITEMS {
            assert!(sender.send(&number).await.unwrap());
            if number % 60 == 0 {
                world.proxy.cut_all(Cut::Reset);
            }
        }
        sender.finish();
    };
    let receive = async {
        for number in 1..=ITEMS {
            assert_eq!(items.next().await.unwrap().unwrap(), number * 2);
        }
        assert_eq!(items.next().await, None);
    };
    futures::join!(send, receive);
    assert_eq!(client.stats().sessions_lost, 0);
}

/// A file of 2 MiB arrives whole, whatever happens to the connections.
pub async fn a_file_goes_up_whole_through_cuts(world: World) {
    const PARTS: usize = 32;
    let client = world.connected().await;
    let cut = |part: usize| {
        if part % 8 == 4 {
            world.proxy.cut_all(Cut::Reset);
        }
        Ok::<_, StreamError>(Bytes::from(vec![part as u8; 64 * 1024]))
    };
    let (parts, receiver) = mpsc::channel(0);
    let give = async {
        let mut parts = parts;
        for part in 0..PARTS {
            parts.send(cut(part)).await.unwrap();
        }
    };
    let upload = client.upload::<_, _, (u64, u64)>("store", &(), receiver);
    let ((), stored) = futures::join!(give, upload.into_future());
    assert_eq!(stored.unwrap().0, PARTS as u64 * 64 * 1024);
}

/// Many streams at once, of which some end with an error and some are dropped.
pub async fn many_streams_share_a_session(world: World) {
    let client = world.connected().await;
    let one = |number: u64| {
        let client = client.clone();
        async move {
            match number % 3 {
                0 => {
                    let items = client.stream::<u64>("count", &number).await.unwrap();
                    assert!(values(items).await.into_iter().eq(1..=number));
                }
                1 => {
                    let mut items = client.stream::<u64>("fail", &number).await.unwrap();
                    for expected in 1..=number {
                        assert_eq!(items.next().await, Some(Ok(expected)));
                    }
                    let error = items.next().await.unwrap().unwrap_err();
                    assert_eq!(error.failure_code(), Some("broken"));
                }
                _ => {
                    let mut items = client.stream::<u64>("endless", &()).await.unwrap();
                    assert_eq!(items.next().await, Some(Ok(0)));
                }
            }
        }
    };
    join_all((0..60).map(one)).await;
    client.request(Echo, &"still here".to_owned()).await.unwrap();
}

/// A stream goes on over another transport.
pub async fn a_stream_goes_on_over_another_transport(world: World) {
    let all = [Transport::WebSocket, Transport::Sse, Transport::Polling];
    let client = world.builder().transports(all).build().unwrap();
    client.connect().await.unwrap();
    let mut items = client.stream::<u64>("count", &600).window(8, 4096).await.unwrap();
    let mut others = [Transport::Polling, Transport::Sse, world.transport].into_iter();
    for expected in 1..=600 {
        assert_eq!(items.next().await, Some(Ok(expected)));
        if expected % 150 == 0
            && let Some(transport) = others.next()
        {
            client.switch_transport(transport);
        }
    }
    assert_eq!(items.next().await, None);
}

async fn values(items: ItemStream<u64>) -> Vec<u64> {
    items.map(|item| item.expect("an item is a number")).collect().await
}
