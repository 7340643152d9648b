//! Requests, drops and ends of grants that meet.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bowline_client::{Client, RequestError, SubscribeError, Subscription};
use bowline_fixtures::nodes::{builder_for, eventually};
use bowline_fixtures::test_server::TestServer;
use bowline_fixtures::within_a_minute;
use bowline_server::{Bowline, BowlineBuilder, Grant, SessionId, Socket};
use futures::FutureExt as _;
use tokio::sync::Semaphore;

use super::{connect, next, serve};

/// A topic `slow` whose function waits for a permit, and tells that it was called.
fn slow() -> (BowlineBuilder, Arc<Semaphore>, Arc<AtomicU32>) {
    let (permits, called) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicU32::new(0)));
    let (gate, counter) = (Arc::clone(&permits), Arc::clone(&called));
    let rule = move || {
        counter.fetch_add(1, Ordering::Relaxed);
        let gate = Arc::clone(&gate);
        async move {
            gate.acquire().await.expect("it stays open").forget();
            Grant::subscribe()
        }
    };
    let builder = Bowline::builder().concurrency(4).topic("slow", rule);
    (builder.topic("quick", || async { Grant::subscribe() }), permits, called)
}

fn is_subscribed(server: &TestServer, session: SessionId, topic: &str) -> bool {
    server.bowline().socket(&session).is_some_and(|socket| socket.is_subscribed(topic))
}

/// Returns when the server has handled everything before.
async fn settle(client: &Client) {
    client.subscribe("quick").await.expect("anybody may");
}

#[tokio::test]
async fn what_is_dropped_before_the_answer_leaves_no_subscription() {
    within_a_minute(async {
        let (builder, permits, called) = slow();
        let server = serve(builder);
        let client = connect(&server).await;
        let session = client.session_id().unwrap();
        let mut asking = client.subscribe("slow").into_future();
        assert!((&mut asking).now_or_never().is_none());
        eventually(|| called.load(Ordering::Relaxed) == 1).await;
        drop(asking);
        settle(&client).await;
        permits.add_permits(1);
        let decided = || permits.available_permits() == 0;
        eventually(decided).await;
        eventually(|| !is_subscribed(&server, session, "slow")).await;
        settle(&client).await;
        assert!(!is_subscribed(&server, session, "slow"));
        assert_eq!(server.bowline().topic("slow").subscribers().sessions(), []);
    })
    .await;
}

#[tokio::test]
async fn a_grant_that_comes_after_the_timeout_is_given_back() {
    within_a_minute(async {
        let (builder, permits, _) = slow();
        let server = serve(builder.concurrency(1));
        let client = connect(&server).await;
        let asked = client.subscribe("slow").timeout(Duration::from_millis(20)).await;
        let is_late =
            matches!(asked, Err(SubscribeError::Request(RequestError::TimedOut { sent: true })));
        assert!(is_late, "{asked:?}");
        permits.add_permits(1);
        settle(&client).await;
        assert!(!is_subscribed(&server, client.session_id().unwrap(), "slow"));
    })
    .await;
}

#[tokio::test]
async fn the_last_request_decides_whichever_is_answered_first() {
    within_a_minute(async {
        let (builder, permits, called) = slow();
        let server = serve(builder);
        let client = connect(&server).await;
        let session = client.session_id().unwrap();
        let mut first = client.subscribe("slow").into_future();
        assert!((&mut first).now_or_never().is_none());
        eventually(|| called.load(Ordering::Relaxed) == 1).await;
        drop(first);
        let mut second = client.subscribe("slow").into_future();
        assert!((&mut second).now_or_never().is_none());
        eventually(|| called.load(Ordering::Relaxed) == 2).await;
        permits.add_permits(2);
        let mut second = second.await.unwrap();
        assert!(is_subscribed(&server, session, "slow"));
        server.bowline().topic("slow").emit("said", &1).await.unwrap();
        assert_eq!(next(&mut second).await, "slow said 1");
    })
    .await;
}

#[tokio::test]
async fn what_is_revoked_while_the_application_decides_is_not_granted() {
    within_a_minute(async {
        let (builder, permits, called) = slow();
        let server = serve(builder);
        let client = connect(&server).await;
        let session = client.session_id().unwrap();
        let mut asking = client.subscribe("slow").into_future();
        assert!((&mut asking).now_or_never().is_none());
        eventually(|| called.load(Ordering::Relaxed) == 1).await;
        server.bowline().to_session(session).revoke("slow");
        permits.add_permits(1);
        let refused = asking.await;
        assert!(matches!(refused, Err(SubscribeError::NotGranted { .. })), "{refused:?}");
        assert!(!is_subscribed(&server, session, "slow"));
    })
    .await;
}

#[tokio::test]
async fn a_topic_that_is_revoked_while_the_application_decides_is_not_granted() {
    within_a_minute(async {
        let (builder, permits, called) = slow();
        let server = serve(builder);
        let client = connect(&server).await;
        let session = client.session_id().unwrap();
        let mut asking = client.subscribe("slow").into_future();
        assert!((&mut asking).now_or_never().is_none());
        eventually(|| called.load(Ordering::Relaxed) == 1).await;
        server.bowline().topic("slow").revoke();
        permits.add_permits(1);
        let refused = asking.await;
        assert!(matches!(refused, Err(SubscribeError::NotGranted { .. })), "{refused:?}");
        assert!(!is_subscribed(&server, session, "slow"));
        // The application decides about what a client requests afterwards.
        permits.add_permits(1);
        client.subscribe("slow").await.expect("the application grants it");
    })
    .await;
}

#[tokio::test]
async fn subscriptions_that_come_and_go_do_not_disturb_one_another() {
    within_a_minute(async {
        let (builder, ..) = slow();
        let server = serve(builder);
        let client = connect(&server).await;
        let topic = server.bowline().topic("quick");
        for number in 0..200 {
            let mut news = client.subscribe("quick").await.unwrap();
            topic.emit("said", &number).await.unwrap();
            assert_eq!(next(&mut news).await, format!("quick said {number}"));
        }
        let session = client.session_id().unwrap();
        eventually(|| !is_subscribed(&server, session, "quick")).await;
    })
    .await;
}

#[tokio::test]
async fn messages_for_dropped_subscriptions_do_not_stop_the_client() {
    within_a_minute(async {
        let (builder, ..) = slow();
        let server = serve(builder);
        let url = format!("http://{}/bowline", server.address());
        let client = builder_for(&url).backlog_limit(1_000).build().unwrap();
        client.connect().await.unwrap();
        let topic = server.bowline().topic("quick");
        for number in 0..100 {
            let news = client.subscribe("quick").await.unwrap();
            topic.emit("said", &number).await.unwrap();
            drop(news);
            topic.emit("said", &number).await.unwrap();
        }
        let mut news = client.subscribe("quick").await.unwrap();
        topic.emit("said", "last").await.unwrap();
        // Messages of the subscription before may still arrive.
        while next(&mut news).await != r#"quick said "last""# {}
    })
    .await;
}

#[tokio::test]
async fn many_subscriptions_come_back_in_a_new_session() {
    within_a_minute(async {
        let rule = || async { Grant::subscribe() };
        let server = serve(Bowline::builder().topic("many/{id}", rule).max_rooms_per_session(500));
        let client = connect(&server).await;
        let mut all: Vec<Subscription> = Vec::new();
        for number in 0..500 {
            all.push(client.subscribe(format!("many/{number}")).await.unwrap());
        }
        let refused = client.subscribe("many/500").await.unwrap_err();
        assert_eq!(refused, SubscribeError::Failed { code: "too-many-rooms".into() });
        let lost = client.session_id().unwrap();
        let close = bowline_server::Close::new(bowline_server::CloseCode::SESSION_EXPIRED);
        server.bowline().to_session(lost).disconnect(&close);
        for subscription in &mut all {
            assert_eq!(next(subscription).await, "missed Unknown");
        }
        let subscribers = || server.bowline().to("many/499").sessions().len();
        eventually(|| subscribers() == 1).await;
        for (number, subscription) in all.iter_mut().enumerate() {
            let topic = format!("many/{number}");
            let session = client.session_id().unwrap();
            eventually(|| is_subscribed(&server, session, &topic)).await;
            server.bowline().topic(&topic).emit("said", &number).await.unwrap();
            assert_eq!(next(subscription).await, format!("{topic} said {number}"));
        }
    })
    .await;
}

#[tokio::test]
async fn a_refusal_of_a_second_subscription_ends_the_first() {
    within_a_minute(async {
        let asked = Arc::new(AtomicU32::new(0));
        let rule = move || {
            let times = asked.fetch_add(1, Ordering::Relaxed);
            async move { if times == 0 { Ok(Grant::subscribe()) } else { Err("once only") } }
        };
        let server = serve(Bowline::builder().topic("news", rule));
        let client = connect(&server).await;
        let mut first = client.subscribe("news").await.unwrap();
        let second = client.subscribe("news").await;
        assert!(matches!(second, Err(SubscribeError::NotGranted { .. })), "{second:?}");
        assert_eq!(next(&mut first).await, "ended: not-granted");
    })
    .await;
}

#[tokio::test]
async fn a_subscription_that_is_granted_again_goes_on_after_the_refusal_of_another() {
    within_a_minute(async {
        let asked = Arc::new(AtomicU32::new(0));
        let counter = Arc::clone(&asked);
        let rule = move || {
            let times = counter.fetch_add(1, Ordering::Relaxed);
            async move { if times == 1 { Err("not now") } else { Ok(Grant::subscribe()) } }
        };
        let server = serve(Bowline::builder().topic("news", rule));
        let client = connect(&server).await;
        let session = client.session_id().unwrap();
        let mut first = client.subscribe("news").await.unwrap();
        let second = client.subscribe("news").await;
        assert!(matches!(second, Err(SubscribeError::NotGranted { .. })), "{second:?}");
        eventually(|| asked.load(Ordering::Relaxed) == 3).await;
        eventually(|| is_subscribed(&server, session, "news")).await;
        server.bowline().topic("news").emit("said", &1).await.unwrap();
        assert_eq!(next(&mut first).await, "news said 1");
    })
    .await;
}

#[tokio::test]
async fn what_a_lapsed_grant_may_have_lost_is_reported() {
    within_a_minute(async {
        let rule = || async { Grant::subscribe().expires_in(Duration::from_millis(300)) };
        let server = serve(Bowline::builder().topic("news", rule));
        let client = connect(&server).await;
        let session = client.session_id().unwrap();
        let mut news = client.subscribe("news").await.unwrap();
        let topic = server.bowline().topic("news");
        client.suspend();
        eventually(|| !is_subscribed(&server, session, "news")).await;
        topic.emit("said", "to nobody").await.unwrap();
        client.wake();
        assert_eq!(next(&mut news).await, "missed Unknown");
        eventually(|| is_subscribed(&server, session, "news")).await;
        topic.emit("said", &1).await.unwrap();
        assert_eq!(next(&mut news).await, "news said 1");
    })
    .await;
}

#[tokio::test]
async fn a_handler_of_a_client_may_subscribe() {
    within_a_minute(async {
        let answered = Arc::new(AtomicU32::new(0));
        let counter = Arc::clone(&answered);
        let ask = move |socket: Socket, (): ()| {
            let counter = Arc::clone(&counter);
            async move {
                let answer: u32 = socket.request("go", &()).await.expect("the client answers");
                counter.store(answer, Ordering::Relaxed);
            }
        };
        let server = serve(
            Bowline::builder()
                .concurrency(4)
                .on("ask", ask)
                .topic("news", || async { Grant::subscribe() }),
        );
        let client = connect(&server).await;
        let inner = client.clone();
        client.handle("go", move |_: bowline_client::Received<()>| {
            let inner = inner.clone();
            async move {
                Ok::<u32, bowline_client::Failure>(
                    1 + u32::from(inner.subscribe("news").await.is_ok()),
                )
            }
        });
        client.emit("ask", &()).unwrap();
        eventually(|| answered.load(Ordering::Relaxed) == 2).await;
    })
    .await;
}
