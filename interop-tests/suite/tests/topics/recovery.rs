//! Subscriptions to topics with a history, and what becomes of them in a new session.

use bowline_client::{Position, Since};
use bowline_fixtures::within_a_minute;
use bowline_server::{Bowline, Close, CloseCode, Grant};

use super::{connect, next, serve, with_log};

#[tokio::test]
async fn a_late_subscriber_receives_what_was_published_before() {
    within_a_minute(async {
        let rule = || async { Grant::subscribe().and_publish() };
        let server = serve(with_log(Bowline::builder()).topic("log/a", rule).topic("log/*", rule));
        let topic = server.bowline().topic("log/a");
        for number in 1..=3 {
            let at = topic.emit("said", &number).await.unwrap();
            assert_eq!(at.unwrap().offset, number);
        }
        let client = connect(&server).await;
        let mut all = client.subscribe("log/*").await.unwrap();
        let mut log = client.subscribe("log/a").since(Since::Last(2)).await.unwrap();
        assert_eq!(log.position().unwrap().offset, 3);
        let at = client.publish("log/a", "said", &4).await.unwrap();
        assert_eq!(at.unwrap().offset, 4);
        for number in 2..=4 {
            assert_eq!(next(&mut log).await, format!("log/a said {number}"));
        }
        assert_eq!(next(&mut all).await, "log/a said 4", "patterns have no history");
        topic.emit_volatile("typing", &()).unwrap();
        for subscription in [&mut log, &mut all] {
            assert_eq!(next(subscription).await, "log/a typing null");
        }
    })
    .await;
}

#[tokio::test]
async fn a_new_session_subscribes_again_from_where_the_last_one_was() {
    within_a_minute(async {
        let rule = || async { Grant::subscribe() };
        let server = serve(with_log(Bowline::builder()).topic("log/a", rule).topic("news", rule));
        let client = connect(&server).await;
        let mut log = client.subscribe("log/a").await.unwrap();
        let mut news = client.subscribe("news").await.unwrap();
        let bowline = server.bowline();
        bowline.topic("log/a").emit("said", &1).await.unwrap();
        assert_eq!(next(&mut log).await, "log/a said 1");
        let lost = client.session_id().unwrap();
        bowline.to_session(lost).disconnect(&Close::new(CloseCode::SESSION_EXPIRED));
        bowline.topic("log/a").emit("said", &2).await.unwrap();
        bowline.topic("log/a").emit("said", &3).await.unwrap();
        for number in [2, 3] {
            assert_eq!(next(&mut log).await, format!("log/a said {number}"));
        }
        assert_eq!(next(&mut news).await, "missed Unknown", "it has no history");
        assert_ne!(client.session_id().unwrap(), lost);
        bowline_fixtures::nodes::eventually(|| {
            let session = client.session_id().and_then(|id| bowline.socket(&id));
            session.is_some_and(|socket| socket.is_subscribed("news"))
        })
        .await;
        bowline.topic("news").emit("said", &4).await.unwrap();
        assert_eq!(next(&mut news).await, "news said 4");
    })
    .await;
}

#[tokio::test]
async fn what_the_history_no_longer_has_is_reported_before_the_next_message() {
    within_a_minute(async {
        let rule = || async { Grant::subscribe() };
        let builder = Bowline::builder().history("log/", 2, std::time::Duration::from_secs(60));
        let server = serve(builder.topic("log/a", rule));
        let topic = server.bowline().topic("log/a");
        let first = topic.emit("said", &1).await.unwrap().unwrap();
        for number in 2..=5 {
            topic.emit("said", &number).await.unwrap();
        }
        let client = connect(&server).await;
        let mut log = client.subscribe("log/a").since(Since::After(first)).await.unwrap();
        assert_eq!(next(&mut log).await, "missed Range { from: 2, to: 3 }");
        assert_eq!(next(&mut log).await, "log/a said 4");
        assert_eq!(next(&mut log).await, "log/a said 5");
    })
    .await;
}

#[tokio::test]
async fn a_position_behind_the_end_of_the_history_loses_no_message() {
    within_a_minute(async {
        let rule = || async { Grant::subscribe() };
        let server = serve(with_log(Bowline::builder()).topic("log/a", rule));
        let topic = server.bowline().topic("log/a");
        let mut at = topic.emit("said", &1).await.unwrap().unwrap();
        at.offset = 100;
        let client = connect(&server).await;
        let mut log = client.subscribe("log/a").since(Since::After(at)).await.unwrap();
        assert_eq!(next(&mut log).await, "missed Unknown");
        topic.emit("said", &2).await.unwrap();
        assert_eq!(next(&mut log).await, "log/a said 2");
    })
    .await;
}

#[tokio::test]
async fn a_position_hides_no_loss_of_a_topic_without_history() {
    within_a_minute(async {
        let rule = || async { Grant::subscribe() };
        let server = serve(Bowline::builder().topic("news", rule));
        let client = connect(&server).await;
        let since = Since::After(Position { epoch: "e".into(), offset: 1 });
        let mut news = client.subscribe("news").since(since).await.unwrap();
        assert_eq!(news.position(), None);
        let lost = client.session_id().unwrap();
        server.bowline().to_session(lost).disconnect(&Close::new(CloseCode::SESSION_EXPIRED));
        assert_eq!(next(&mut news).await, "missed Unknown");
    })
    .await;
}
