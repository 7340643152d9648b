//! Limits of how fast clients may send messages, with a clock that the test holds.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::App;
use actix_web::web::Data;
use bowline_protocol::{STREAM, STREAM_END};
use bowline_server::test_util::{TestApp, TestSession};
use bowline_server::{
    Auth, Bowline, BowlineBuilder, CloseCode, Failure, Items, Json, RateLimit, RateLimits, Socket,
};
use futures::TryStreamExt as _;
use serde_json::{Value, json};

type Handled = Arc<Mutex<Vec<u32>>>;

async fn count(handled: Data<Handled>, number: u32) -> Json<u32> {
    handled.lock().unwrap().push(number);
    Json(number)
}

async fn name(socket: Socket, Auth(user): Auth<Option<String>>) -> Result<(), &'static str> {
    user.map_or(Ok(()), |user| socket.set_user(user).map_err(|_| "a user has a name"))
}

async fn serve(limits: RateLimits, handled: &Handled) -> TestApp {
    serve_with(Bowline::builder().rate_limits(limits), handled).await
}

async fn serve_with(builder: BowlineBuilder, handled: &Handled) -> TestApp {
    let builder = builder.trusted_proxies(["unix"]).on_connect(name).on("count", count);
    let (bowline, handled) = (builder.build(), Handled::clone(handled));
    let app = App::new().app_data(Data::new(handled)).service(bowline.service());
    TestApp::new(&bowline, app).await
}

/// Asks so often, and returns how many requests were answered, and the last failure.
async fn ask(session: &mut TestSession, times: u32) -> (usize, Option<Failure>) {
    let (mut answered, mut failed) = (0, None);
    for number in 0..times {
        match session.request::<_, u32>("count", &number).await {
            Ok(_) => answered += 1,
            Err(failure) => failed = Some(failure),
        }
    }
    (answered, failed)
}

fn is_limited(failure: Option<Failure>, limit: &str, retry: std::ops::RangeInclusive<u64>) {
    let failure = failure.expect("a request was refused");
    let detail: Value = failure.detail().unwrap();
    assert_eq!((failure.code(), &detail["limit"]), ("rate-limited", &json!(limit)));
    assert!(retry.contains(&detail["retry"].as_u64().unwrap()), "{detail}");
}

#[actix_web::test]
async fn messages_beyond_the_limit_of_a_session_are_dropped() {
    let handled = Handled::default();
    let limit = RateLimit::new(6, Duration::from_secs(3600)).burst(3);
    let app = serve(RateLimits::new().per_session(limit), &handled).await;
    let (mut anna, mut ben) = (app.connect().await.unwrap(), app.connect().await.unwrap());
    let (answered, failed) = ask(&mut anna, 5).await;
    assert_eq!(answered, 3);
    is_limited(failed, "session", 590_000..=600_000);
    anna.emit("count", &7).await;
    anna.expect_nothing().await;
    assert_eq!(*handled.lock().unwrap(), [0, 1, 2], "an event is dropped as well");
    assert_eq!(ask(&mut ben, 5).await.0, 3, "another session has its own");
    // A resume window is shorter than what has to pass: the client remains attached.
    for _ in 0..10 {
        app.advance(Duration::from_secs(30)).await;
        anna.expect_nothing().await;
    }
    assert_eq!(ask(&mut anna, 1).await.0, 0);
    for _ in 0..10 {
        app.advance(Duration::from_secs(30)).await;
        anna.expect_nothing().await;
    }
    assert_eq!(ask(&mut anna, 5).await.0, 1);
}

#[actix_web::test]
async fn sessions_of_a_user_and_of_an_address_count_together() {
    let handled = Handled::default();
    let hourly = |burst| RateLimit::new(1, Duration::from_secs(3600)).burst(burst);
    let limits = RateLimits::new().per_user(hourly(3)).per_address(hourly(8));
    let app = serve(limits, &handled).await;
    let connect = async |user: Option<&str>, address: &str| {
        app.connect().auth(&user).header("x-forwarded-for", address).await.unwrap()
    };
    let mut first = connect(Some("anna"), "192.0.2.1").await;
    let mut second = connect(Some("anna"), "192.0.2.2").await;
    assert_eq!(ask(&mut first, 2).await.0, 2);
    let (answered, failed) = ask(&mut second, 2).await;
    assert_eq!(answered, 1);
    is_limited(failed, "user", 3_590_000..=3_600_000);
    let mut stranger = connect(None, "192.0.2.1").await;
    let mut neighbor = connect(None, "192.0.2.1").await;
    assert_eq!(ask(&mut stranger, 4).await.0, 4);
    let (answered, failed) = ask(&mut neighbor, 4).await;
    assert_eq!(answered, 2, "two of eight were those of anna");
    is_limited(failed, "address", 3_590_000..=3_600_000);
    let mut other = connect(None, "192.0.2.3").await;
    assert_eq!(ask(&mut other, 4).await.0, 4);
}

#[actix_web::test]
async fn a_delayed_message_waits_for_its_turn_and_those_behind_it_stay_in_order() {
    let handled = Handled::default();
    let limit = RateLimit::new(60, Duration::from_secs(600)).burst(2).or_delay();
    let app = serve(RateLimits::new().per_session(limit), &handled).await;
    let mut anna = app.connect().await.unwrap();
    for number in 0..5 {
        anna.emit("count", &number).await;
    }
    let asked = anna.ask("count", &5).await;
    for turns in 2..=5 {
        anna.expect_nothing().await;
        assert_eq!(*handled.lock().unwrap(), Vec::from_iter(0..turns));
        app.advance(Duration::from_secs(10)).await;
    }
    app.advance(Duration::from_secs(10)).await;
    assert_eq!(anna.answer::<u32>(asked).await.unwrap(), 5);
    assert_eq!(*handled.lock().unwrap(), [0, 1, 2, 3, 4, 5]);
    anna.leave().await;
}

#[actix_web::test]
async fn a_session_that_may_be_closed_ends_and_what_waits_is_dropped() {
    let handled = Handled::default();
    let limit = RateLimit::new(2, Duration::from_secs(3600)).or_close();
    let app = serve(RateLimits::new().per_session(limit), &handled).await;
    let mut anna = app.connect().await.unwrap();
    assert_eq!(ask(&mut anna, 2).await.0, 2);
    anna.emit("count", &7).await;
    let close = anna.expect_close().await;
    assert_eq!(close.code, CloseCode::RATE_LIMITED);
    assert!(close.reason().contains("RateLimits::per_session"), "{close:?}");
    assert_eq!(*handled.lock().unwrap(), [0, 1]);
}

#[actix_web::test]
async fn limits_are_raised_for_one_session_and_lifted() {
    let handled = Handled::default();
    let hourly = |messages| RateLimit::new(messages, Duration::from_secs(3600));
    let app = serve(RateLimits::new().per_session(hourly(2)), &handled).await;
    let (mut anna, mut ben) = (app.connect().await.unwrap(), app.connect().await.unwrap());
    assert_eq!(ask(&mut anna, 4).await.0, 2);
    anna.socket().unwrap().set_limits(RateLimits::new());
    assert_eq!(ask(&mut anna, 100).await.0, 100);
    assert_eq!(ask(&mut ben, 4).await.0, 2);
}

#[actix_web::test]
async fn limits_of_one_session_need_none_for_all() {
    let handled = Handled::default();
    let app = serve_with(Bowline::builder(), &handled).await;
    let (mut anna, mut ben) = (app.connect().await.unwrap(), app.connect().await.unwrap());
    let limit = RateLimit::new(2, Duration::from_secs(3600));
    anna.socket().unwrap().set_limits(RateLimits::new().per_session(limit));
    assert_eq!(ask(&mut anna, 4).await.0, 2);
    assert_eq!(ask(&mut ben, 100).await.0, 100);
}

#[actix_web::test]
async fn the_items_of_a_stream_have_their_window_and_count_against_no_rate() {
    async fn add(numbers: Items<u32>, (): ()) -> Result<Json<u32>, Failure> {
        Ok(Json(numbers.try_fold(0, async |sum, number| Ok(sum + number)).await?))
    }
    let handled = Handled::default();
    let limit = RateLimit::new(2, Duration::from_secs(3600));
    let builder = Bowline::builder().rate_limits(RateLimits::new().per_session(limit));
    let app = serve_with(builder.stream("add", add), &handled).await;
    let mut anna = app.connect().await.unwrap();
    let asked = json!({ "stream": 1, "name": "add", "window": { "items": 9, "bytes": 9_000 } });
    anna.request::<_, Value>(STREAM, &asked).await.unwrap();
    for number in 1..=5 {
        anna.emit("bowline.item.1", &number).await;
    }
    anna.emit(STREAM_END, &json!({ "stream": 1 })).await;
    assert_eq!(anna.expect::<Value>(STREAM_END).await, json!({ "stream": 1, "payload": 15 }));
    assert_eq!(ask(&mut anna, 2).await.0, 1, "to open a stream counts");
}
