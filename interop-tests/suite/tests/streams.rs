//! Streams between the native client and the server: over cuts and changes of the transport, and at
//! the end of sessions.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bowline_client::{Client, ItemStream, StreamError, Transport, TryRecvError};
use bowline_fixtures::nodes::{Balancer, Bus, Nodes, builder, builder_for, eventually};
use bowline_fixtures::streams::handlers;
use bowline_fixtures::test_server::{Shape, TestServer};
use bowline_fixtures::within_a_minute;
use bowline_server::{BowlineBuilder, ItemStream as Outgoing};
use bytes::Bytes;
use futures::future::join_all;
use futures::{StreamExt as _, stream};

const TRANSPORTS: [Transport; 3] = [Transport::WebSocket, Transport::Sse, Transport::Polling];

fn serve(builder: BowlineBuilder) -> TestServer {
    TestServer::start_with(handlers(builder).build(), Shape::default())
}

async fn connect(server: &TestServer) -> Client {
    let url = format!("http://{}/bowline", server.address());
    let client = builder_for(&url).build().expect("the address is valid");
    client.connect().await.expect("the server lets it in");
    client
}

/// The error with which a stream ends.
async fn last_error(items: &mut ItemStream<u64>) -> StreamError {
    while let Some(item) = items.next().await {
        if let Err(error) = item {
            return error;
        }
    }
    panic!("it has ended without an error");
}

#[tokio::test]
async fn items_arrive_in_order_while_the_transport_changes() {
    within_a_minute(async {
        let server = serve(builder());
        let client = connect(&server).await;
        let mut items = client.stream::<u64>("count", &3000).window(16, 4096).await.unwrap();
        let mut last = 0;
        while let Some(item) = items.next().await {
            assert_eq!(item.unwrap(), last + 1);
            last += 1;
            if last % 400 == 0 {
                client.switch_transport(TRANSPORTS[(last / 400) as usize % 3]);
            }
        }
        assert_eq!(last, 3000);
        items.result::<()>().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_file_goes_up_while_the_transport_changes() {
    within_a_minute(async {
        let server = serve(builder().stream_window(4, 256 * 1024));
        let client = connect(&server).await;
        let parts =
            stream::iter((0..40).map(|_| Ok::<_, std::io::Error>(Bytes::from(vec![7; 100_000]))));
        let switching = client.clone();
        let parts = parts.enumerate().map(move |(part, bytes)| {
            if part % 10 == 5 {
                switching.switch_transport(TRANSPORTS[part / 10 % 3]);
            }
            bytes
        });
        let progress = Arc::new(AtomicU64::new(0));
        let seen = Arc::clone(&progress);
        let upload = client.upload::<_, _, (u64, u64)>("store", &(), parts);
        let stored = upload.on_progress(move |sent| seen.store(sent, Ordering::Relaxed)).await;
        assert_eq!((stored.unwrap().0, progress.load(Ordering::Relaxed)), (4_000_000, 4_000_000));
    })
    .await;
}

#[tokio::test]
async fn both_ways_at_once_and_many_at_once() {
    within_a_minute(async {
        let server = serve(builder().max_streams_per_session(1000));
        let client = connect(&server).await;
        let one = |number: u64| {
            let client = client.clone();
            async move {
                let opened = client.stream::<u64>("double", &()).both_ways().await;
                let (mut sender, mut items) = opened.unwrap();
                let send = async {
                    for step in 0..5 {
                        assert!(sender.send(&(number + step)).await.unwrap());
                    }
                    sender.finish();
                };
                let receive = async {
                    for step in 0..5 {
                        assert_eq!(items.next().await.unwrap().unwrap(), 2 * (number + step));
                    }
                    assert_eq!(items.next().await, None);
                };
                futures::join!(send, receive);
            }
        };
        join_all((0..1000).map(one)).await;
    })
    .await;
}

#[tokio::test]
async fn the_end_is_told_as_it_is() {
    within_a_minute(async {
        let server = serve(builder());
        let client = connect(&server).await;
        let unknown = client.stream::<u64>("other", &()).await.unwrap_err();
        assert_eq!(unknown, StreamError::NoStream);
        let refused = client.stream::<u64>("count", "no number").await.unwrap_err();
        assert_eq!(refused.failure_code(), Some("invalid-payload"));

        let mut failing = client.stream::<u64>("fail", &2).await.unwrap();
        assert_eq!(failing.next().await, Some(Ok(1)));
        assert_eq!(failing.next().await, Some(Ok(2)));
        let broken = failing.next().await.unwrap().unwrap_err();
        assert_eq!(broken.failure_code(), Some("broken"));
        assert_eq!(failing.next().await, None);
        assert_eq!(failing.result::<()>().await.unwrap_err(), broken);

        // The application takes one item, and the client stops.
        let opened = client.stream::<()>("first", &()).both_ways().await;
        let (mut sender, items) = opened.unwrap();
        while sender.send(&7).await.unwrap() {}
        assert_eq!(items.result::<u64>().await.unwrap(), 7);

        // A source that fails, and one that is dropped.
        let source = stream::iter([Ok(Bytes::from_static(b"a")), Err("the disk is gone")]);
        let failed = client.upload::<_, _, (u64, u64)>("store", &(), source).await.unwrap_err();
        assert_eq!(failed, StreamError::Source("the disk is gone".to_owned()));
        let opened = client.stream::<u64>("double", &()).both_ways().await;
        let (sender, mut items) = opened.unwrap();
        drop(sender);
        let aborted = items.next().await.unwrap().unwrap_err();
        assert_eq!(aborted.failure_code(), Some("aborted"));

        let opened = client.stream::<u64>("double", &()).both_ways().await;
        let (mut sender, _items) = opened.unwrap();
        let large = sender.send(&"x".repeat(200_000)).await.unwrap_err();
        assert_eq!(large, StreamError::ItemTooLarge { limit: 128 * 1024 });
    })
    .await;
}

#[tokio::test]
async fn what_is_dropped_is_cancelled_and_nothing_is_left() {
    within_a_minute(async {
        let server = serve(builder().max_streams_per_session(2));
        let client = connect(&server).await;
        for _ in 0..10 {
            let mut items = client.stream::<u64>("endless", &()).await.unwrap();
            assert_eq!(items.next().await, Some(Ok(0)));
        }
        // An open that is dropped before the answer.
        let open = client.stream::<u64>("endless", &());
        drop(tokio::time::timeout(Duration::ZERO, open.into_future()).await);
        let mut items = client.stream::<u64>("endless", &()).await.unwrap();
        while items.try_recv() == Err(TryRecvError::Empty) {
            tokio::task::yield_now().await;
        }
        let _other = client.stream::<u64>("endless", &()).await.unwrap();
        let third = client.stream::<u64>("endless", &()).await.unwrap_err();
        assert_eq!(third.failure_code(), Some("too-many-streams"));
    })
    .await;
}

#[tokio::test]
async fn a_session_that_ends_ends_its_streams() {
    within_a_minute(async {
        let server = serve(builder());
        let client = connect(&server).await;
        let mut lost = client.stream::<u64>("endless", &()).window(1, 1024).await.unwrap();
        let opened = client.stream::<u64>("double", &()).both_ways().await;
        let (mut sender, mut items) = opened.unwrap();
        let session = client.session_id().unwrap();
        let close = bowline_server::Close::new(bowline_server::CloseCode::SESSION_EXPIRED);
        server.bowline().socket(&session).unwrap().disconnect_with(close);
        assert_eq!(items.next().await, Some(Err(StreamError::SessionLost)));
        assert_eq!(sender.send(&1).await, Err(StreamError::SessionLost));
        assert_eq!(last_error(&mut lost).await, StreamError::SessionLost);

        let mut closed = client.stream::<u64>("endless", &()).await.unwrap();
        client.close().await;
        assert_eq!(last_error(&mut closed).await, StreamError::Closed);
    })
    .await;
}

#[tokio::test]
async fn a_stream_is_interrupted_when_its_session_moves() {
    within_a_minute(async {
        let nodes = Nodes::start_with(Bus::Local, 2, || {
            handlers(builder().drain_spread(Duration::from_millis(100)))
        });
        let nodes = nodes.await;
        let addresses: Vec<_> = nodes.servers.iter().map(TestServer::address).collect();
        let balancer = Balancer::start(vec![addresses[0]]).await;
        let url = format!("http://{}/bowline", balancer.address());
        let client: Client = builder_for(&url).build().unwrap();
        client.connect().await.unwrap();
        let mut items = client.stream::<u64>("endless", &()).await.unwrap();
        let opened = client.stream::<()>("store", &()).both_ways().await;
        let (mut sender, stored) = opened.unwrap();
        balancer.set_targets(addresses[1..].to_vec());
        nodes.servers[0].bowline().shutdown(Duration::from_secs(20)).await;
        let mut last = None;
        let end = loop {
            match items.next().await.unwrap() {
                Ok(item) => {
                    assert_eq!(item, last.map_or(0, |last| last + 1));
                    last = Some(item);
                }
                Err(end) => break end,
            }
        };
        assert_eq!(end, StreamError::Interrupted);
        assert_eq!(stored.result::<(u64, u64)>().await, Err(StreamError::Interrupted));
        assert!(sender.send_bytes(vec![1]).await.is_err());
        // The application goes on from where it is.
        let mut items = client.stream::<u64>("count", &3).await.unwrap();
        assert_eq!(items.next().await, Some(Ok(1)));
    })
    .await;
}

#[tokio::test]
async fn a_slow_reader_bounds_what_is_sent_to_it() {
    within_a_minute(async {
        let taken = Arc::new(AtomicU64::new(0));
        let pulled = Arc::clone(&taken);
        let server = serve(builder().stream("pull", move |(): ()| {
            let pulled = Arc::clone(&pulled);
            async move {
                Outgoing::new(stream::iter(1_u64..).inspect(move |item| {
                    pulled.store(*item, Ordering::SeqCst);
                }))
            }
        }));
        let client = connect(&server).await;
        let mut items = client.stream::<u64>("pull", &()).window(10, 4096).await.unwrap();
        eventually(|| taken.load(Ordering::SeqCst) == 10).await;
        for item in 1..=3 {
            assert_eq!(items.next().await, Some(Ok(item)));
        }
        eventually(|| taken.load(Ordering::SeqCst) == 13).await;
    })
    .await;
}
