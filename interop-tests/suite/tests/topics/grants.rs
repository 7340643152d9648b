//! Who is let in.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use actix_web::web::Path;
use bowline_client::{RequestError, SubscribeError};
use bowline_fixtures::nodes::eventually;
use bowline_fixtures::within_a_minute;
use bowline_server::{Bowline, Grant, PRESENCE, PresenceChange, Socket, TopicKey};
use futures::StreamExt as _;
use serde_json::{Value, json};

use super::{connect, next, serve};

#[tokio::test]
async fn nothing_is_open_but_what_the_application_grants() {
    within_a_minute(async {
        let rule = |id: Path<u64>| async move {
            if *id == 7 {
                Ok(Grant::subscribe())
            } else {
                Err("this ticket belongs to somebody else")
            }
        };
        let server = serve(Bowline::builder().topic("ticket/{id}", rule));
        let client = connect(&server).await;
        let refused = async |topic: &str| client.subscribe(topic).await.unwrap_err();
        assert_eq!(refused("order/7").await, SubscribeError::NoTopic);
        assert_eq!(refused("ticket/seven").await, SubscribeError::NoTopic, "it is no number");
        assert_eq!(refused("ticket/7/more").await, SubscribeError::NoTopic);
        assert_eq!(
            refused("ticket/*").await,
            SubscribeError::NoTopic,
            "a parameter is no wildcard"
        );
        assert_eq!(refused("**").await, SubscribeError::NoTopic);
        assert_eq!(refused("ticket//7").await, SubscribeError::InvalidTopic);
        let SubscribeError::NotGranted { reason } = refused("ticket/8").await else {
            panic!("the application refuses it");
        };
        assert_eq!(&*reason.json, r#""this ticket belongs to somebody else""#);

        let mut ticket = client.subscribe("ticket/7").await.unwrap();
        assert!(!ticket.may_publish());
        let bowline = server.bowline();
        for topic in ["ticket/8", "ticket/*", "order/7"] {
            let _ = bowline.topic(topic).emit("said", "to others").await;
        }
        bowline.topic("ticket/7").emit("said", "hello").await.unwrap();
        assert_eq!(next(&mut ticket).await, r#"ticket/7 said "hello""#);
    })
    .await;
}

#[tokio::test]
async fn a_server_without_topics_says_so() {
    within_a_minute(async {
        let server = serve(Bowline::builder());
        let client = connect(&server).await;
        assert_eq!(client.subscribe("news").await.unwrap_err(), SubscribeError::NoTopic);
    })
    .await;
}

#[tokio::test]
async fn publishing_is_a_right_of_its_own() {
    within_a_minute(async {
        let rule = |name: Path<String>| async move {
            if *name == "open" { Grant::subscribe().and_publish() } else { Grant::subscribe() }
        };
        let server = serve(Bowline::builder().topic("wall/{name}", rule));
        let (anna, ben) = (connect(&server).await, connect(&server).await);
        let mut heard = ben.subscribe("wall/open").await.unwrap();
        let publish = async |topic: &str| anna.publish(topic, "said", &json!("hi")).await;
        let is_refused = |outcome: Result<_, RequestError>| {
            matches!(outcome, Err(RequestError::Failed { code, .. }) if &*code == "not-granted")
        };
        assert!(is_refused(publish("wall/open").await), "it is not subscribed");
        let mut open = anna.subscribe("wall/open").await.unwrap();
        let closed = anna.subscribe("wall/closed").await.unwrap();
        assert!(open.may_publish() && !closed.may_publish());
        assert!(is_refused(publish("wall/closed").await));
        assert_eq!(publish("wall/open").await.unwrap(), None);
        for subscription in [&mut open, &mut heard] {
            assert_eq!(next(subscription).await, r#"wall/open said "hi""#);
        }
        // The right ends with the subscription.
        let session = anna.session_id().unwrap();
        drop(open);
        let socket = server.bowline().socket(&session).unwrap();
        eventually(|| !socket.is_subscribed("wall/open")).await;
        assert!(is_refused(publish("wall/open").await));
        assert!(socket.is_subscribed("wall/closed"));
    })
    .await;
}

#[tokio::test]
async fn a_session_receives_once_what_several_of_its_subscriptions_match() {
    within_a_minute(async {
        let server = serve(
            Bowline::builder()
                .topic("{org}/*", |_: Path<String>| async { Grant::subscribe() })
                .topic("{org}/**", |_: Path<String>| async { Grant::subscribe() })
                .topic("{org}/{id}", |_: Path<(String, u64)>| async { Grant::subscribe() }),
        );
        let client = connect(&server).await;
        let mut exact = client.subscribe("acme/7").await.unwrap();
        let mut one = client.subscribe("acme/*").await.unwrap();
        let mut all = client.subscribe("acme/**").await.unwrap();
        let mut packets = client.on_raw("bowline.topic");
        let bowline = server.bowline();
        bowline.topic("acme/7").emit("said", &1).await.unwrap();
        bowline.topic("other/7").emit("said", &2).await.unwrap();
        bowline.topic("acme/7/more").emit("said", &3).await.unwrap();
        bowline.topic("acme/7").emit_with("said", &4, vec![1, 2].into()).await.unwrap();
        for number in [1, 4] {
            assert_eq!(next(&mut exact).await, format!("acme/7 said {number}"));
            assert_eq!(next(&mut one).await, format!("acme/7 said {number}"));
        }
        for (topic, number) in [("acme/7", 1), ("acme/7/more", 3), ("acme/7", 4)] {
            assert_eq!(next(&mut all).await, format!("{topic} said {number}"));
        }
        let received = std::iter::from_fn(|| packets.try_recv().ok()).count();
        assert_eq!(received, 3, "one packet for each message");
    })
    .await;
}

#[tokio::test]
async fn a_grant_that_expires_is_renewed_in_band_until_the_application_refuses() {
    within_a_minute(async {
        let asked = Arc::new(AtomicU32::new(0));
        let counter = Arc::clone(&asked);
        let rule = move || {
            let times = counter.fetch_add(1, Ordering::Relaxed);
            async move {
                let grant = Grant::subscribe().expires_in(Duration::from_millis(1_500));
                if times < 2 { Ok(grant) } else { Err("enough") }
            }
        };
        let server = serve(Bowline::builder().topic("news", rule));
        let client = connect(&server).await;
        let mut news = client.subscribe("news").await.unwrap();
        eventually(|| asked.load(Ordering::Relaxed) == 2).await;
        server.bowline().topic("news").emit("said", &1).await.unwrap();
        assert_eq!(next(&mut news).await, "news said 1");
        assert_eq!(next(&mut news).await, "ended: not-granted");
        assert_eq!(next(&mut news).await, "nothing");
        let socket = server.bowline().socket(&client.session_id().unwrap()).unwrap();
        assert!(!socket.is_subscribed("news"));
        assert_eq!(server.bowline().topic("news").subscribers().sessions(), []);
    })
    .await;
}

#[tokio::test]
async fn a_grant_however_short_is_renewed_at_most_once_a_second() {
    within_a_minute(async {
        let asked = Arc::new(AtomicU32::new(0));
        let counter = Arc::clone(&asked);
        let rule = move || {
            counter.fetch_add(1, Ordering::Relaxed);
            async { Grant::subscribe().expires_in(Duration::from_millis(20)) }
        };
        let server = serve(Bowline::builder().topic("news", rule));
        let client = connect(&server).await;
        // On a busy machine it expires before the session has entered.
        let mut news = client.subscribe("news").await;
        while news.is_err() {
            news = client.subscribe("news").await;
        }
        let (granted, before) = (Instant::now(), asked.load(Ordering::Relaxed));
        eventually(|| asked.load(Ordering::Relaxed) > before).await;
        // The answer arrived a moment before.
        assert!(granted.elapsed() >= Duration::from_millis(900), "{:?}", granted.elapsed());
        assert_eq!(asked.load(Ordering::Relaxed), before + 1);
    })
    .await;
}

#[tokio::test]
async fn a_grant_that_nobody_renews_expires() {
    within_a_minute(async {
        let rule = || async { Grant::subscribe().expires_in(Duration::from_millis(300)) };
        let server = serve(Bowline::builder().topic("news", rule));
        let client = connect(&server).await;
        let mut ended = client.on::<_, Value>("bowline.topic-ended");
        // As a client that knows nothing of topics.
        let granted: Value =
            client.request("bowline.subscribe", &json!({ "topic": "news" })).await.unwrap();
        assert_eq!(granted, json!({ "publish": false, "expires": 300 }));
        let ended = futures::StreamExt::next(&mut ended).await.unwrap().unwrap().payload;
        assert_eq!(ended, json!({ "topic": "news", "code": "expired" }));
        assert_eq!(server.bowline().topic("news").subscribers().sessions(), []);
    })
    .await;
}

#[tokio::test]
async fn what_is_revoked_ends_and_is_not_asked_for_again() {
    within_a_minute(async {
        let connected = |socket: Socket| async move { socket.set_user("ada").unwrap() };
        let rule = || async { Grant::subscribe() };
        let server = serve(
            Bowline::builder().on_connect(connected).topic("news", rule).topic("other", rule),
        );
        let client = connect(&server).await;
        let mut news = client.subscribe("news").await.unwrap();
        let mut other = client.subscribe("other").await.unwrap();
        server.bowline().to_user("ada").revoke("news");
        server.bowline().topic("news").emit("said", &1).await.unwrap();
        server.bowline().topic("other").emit("said", &2).await.unwrap();
        assert_eq!(next(&mut news).await, "ended: revoked");
        assert_eq!(next(&mut news).await, "nothing");
        assert_eq!(next(&mut other).await, "other said 2");
        server.bowline().topic("other").revoke();
        assert_eq!(next(&mut other).await, "ended: revoked");
    })
    .await;
}

#[tokio::test]
async fn a_client_leaves_no_room_that_the_server_let_it_join() {
    within_a_minute(async {
        let connected = |socket: Socket| async move { socket.join("news").unwrap() };
        let rule = || async { Grant::subscribe() };
        let server = serve(Bowline::builder().on_connect(connected).topic("{name}", rule));
        let client = connect(&server).await;
        client
            .request::<_, _, ()>("bowline.unsubscribe", &json!({ "topic": "news" }))
            .await
            .unwrap();
        assert_eq!(server.bowline().to("news").sessions().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn subscribers_are_present_while_they_are_subscribed() {
    within_a_minute(async {
        let rule = |name: Path<String>| async move {
            Grant::subscribe().expires_in(Duration::from_secs(600)).present(&json!({"in": *name}))
        };
        let server = serve(Bowline::builder().topic("ticket/{id}", rule));
        let (anna, ben) = (connect(&server).await, connect(&server).await);
        let presence = server.bowline().presence("ticket/7");
        let present = async |count: usize| {
            while presence.list::<Value>().await.unwrap().len() != count {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let ticket = anna.subscribe("ticket/7").await.unwrap();
        let mut seen = anna.on::<_, PresenceChange<Value>>(PRESENCE);
        let bens = ben.subscribe("ticket/7").await.unwrap();
        present(2).await;
        let change = seen.next().await.unwrap().unwrap().payload;
        assert_eq!(change.joined[0].info, json!({"in": "7"}));
        drop(bens);
        present(1).await;
        let change = seen.next().await.unwrap().unwrap().payload;
        assert_eq!(change.left.len(), 1);
        let bens = ben.subscribe("ticket/7").await.unwrap();
        present(2).await;
        server.bowline().topic("ticket/7").revoke();
        present(0).await;
        drop((ticket, bens));
    })
    .await;
}

#[tokio::test]
async fn a_signed_grant_opens_a_topic_and_is_renewed_with_another_one() {
    within_a_minute(async {
        let key = TopicKey::new("a secret that nobody knows");
        let server = serve(Bowline::builder().topic_key(key.clone()));
        let client = connect(&server).await;
        let code = |error| match error {
            SubscribeError::Failed { code } => code.to_string(),
            other => format!("{other:?}"),
        };
        let refused = client.subscribe("invoice/7").grant("0.{}").await.unwrap_err();
        assert_eq!(code(refused), "invalid-grant");
        assert_eq!(client.subscribe("invoice/7").await.unwrap_err(), SubscribeError::NoTopic);

        let signed = Arc::new(AtomicU32::new(0));
        let (signing, times) = (key.clone(), Arc::clone(&signed));
        let source = move || {
            times.fetch_add(1, Ordering::SeqCst);
            let grant = signing.grant("invoice/7").expires_in(Duration::from_millis(1500));
            std::future::ready(Ok::<_, String>(grant.and_publish().sign()))
        };
        let mut invoice = client.subscribe("invoice/7").grant_with(source).await.unwrap();
        assert!(invoice.may_publish());
        client.publish("invoice/7", "paid", &1).await.unwrap();
        assert_eq!(next(&mut invoice).await, "invoice/7 paid 1");
        eventually(|| signed.load(Ordering::SeqCst) >= 2).await;
        client.publish("invoice/7", "paid", &2).await.unwrap();
        assert_eq!(next(&mut invoice).await, "invoice/7 paid 2");

        let others = key.grant("invoice/8").sign();
        let refused = client.subscribe("invoice/7").grant(others).await.unwrap_err();
        assert_eq!(code(refused), "invalid-grant");
    })
    .await;
}
