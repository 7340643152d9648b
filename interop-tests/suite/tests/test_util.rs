//! `bowline_server::test_util`: sessions of an application that is served within the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use actix_web::{App, HttpRequest, web};
use bowline_server::test_util::TestApp;
use bowline_server::{
    Auth, Bowline, BowlineBuilder, Close, CloseCode, Emitted, Failure, Grant, RequestError, Socket,
};
use serde_json::{Value, json};

/// What hooks have seen.
#[derive(Debug, Clone, Default)]
struct Seen(Arc<AtomicU32>);

impl Seen {
    fn note(&self) -> impl Future<Output = ()> + use<> {
        self.0.fetch_add(1, Ordering::Relaxed);
        std::future::ready(())
    }

    fn times(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

async fn serve(builder: BowlineBuilder) -> TestApp {
    let bowline = builder.build();
    TestApp::new(&bowline, App::new().service(bowline.service())).await
}

#[actix_web::test]
async fn hooks_see_the_request_and_the_authentication() {
    async fn connect(
        socket: Socket,
        request: HttpRequest,
        words: web::Data<&'static str>,
        Auth(name): Auth<Option<String>>,
    ) -> Result<(), &'static str> {
        assert_eq!(**words, "data of the application");
        let has_cookie = request.headers().contains_key("cookie");
        let name = name.filter(|_| has_cookie).ok_or("log in first")?;
        socket.set_user(name).map_err(|_| "a user has a name")
    }
    let bowline = Bowline::builder().on_connect(connect).build();
    let data = web::Data::new("data of the application");
    let app = TestApp::new(&bowline, App::new().app_data(data).service(bowline.service())).await;
    let refused = app.connect().auth(&"anna").await.unwrap_err();
    assert_eq!((refused.code, refused.reason()), (CloseCode::REFUSED, r#""log in first""#));
    let anna = app.connect().auth(&"anna").header("cookie", "id=7").await.unwrap();
    assert_eq!(anna.socket().unwrap().user().as_deref(), Some("anna"));
}

#[actix_web::test]
async fn handlers_answer_fail_and_ask_back() {
    async fn double(
        socket: Socket,
        number: u64,
    ) -> Result<bowline_server::Json<u64>, RequestError> {
        socket.request::<_, u64>("sure?", &number).await.map(|sure| bowline_server::Json(sure * 2))
    }
    let app = serve(
        Bowline::builder()
            .on("double", double)
            .on("fail", |(): ()| async { Err::<(), _>(Failure::new("no-luck").with(&7)) }),
    )
    .await;
    let mut anna = app.connect().await.unwrap();
    let asked = anna.ask("double", &4).await;
    let question = anna.expect_request::<u64>("sure?").await;
    let sure = question.payload + 1;
    anna.reply(question, &sure).await;
    assert_eq!(anna.answer::<u64>(asked).await.unwrap(), 10);
    let failure = anna.request::<_, ()>("fail", &()).await.unwrap_err();
    assert_eq!((failure.code(), failure.detail::<u32>().unwrap()), ("no-luck", 7));
}

#[actix_web::test]
async fn what_handlers_emit_late_is_seen_before_nothing_is_expected() {
    async fn later(socket: Socket, (): ()) {
        tokio::time::sleep(Duration::from_millis(20)).await;
        socket.broadcast().emit("late", &json!([1, 2])).unwrap();
        socket.emit_with("image", &(), vec![1, 2].into()).unwrap();
    }
    let app = serve(Bowline::builder().on("later", later)).await;
    let (mut anna, mut ben) = (app.connect().await.unwrap(), app.connect().await.unwrap());
    anna.emit("later", &()).await;
    app.settle().await;
    assert_eq!(ben.expect::<Value>("late").await, json!([1, 2]));
    let image = anna.next_event().await;
    assert_eq!((&*image.name, &*image.json, image.bytes), ("image", "", Some(vec![1, 2].into())));
    anna.expect_nothing().await;
    ben.expect_nothing().await;
}

#[actix_web::test]
#[should_panic(expected = "these events were not expected")]
async fn an_event_that_was_not_expected_fails_the_test() {
    let app = serve(Bowline::builder()).await;
    let mut anna = app.connect().await.unwrap();
    app.bowline().emit("news", &1).unwrap();
    anna.expect_nothing().await;
}

#[actix_web::test]
async fn time_passes_when_the_test_says_so() {
    let (away, back, over) = (Seen::default(), Seen::default(), Seen::default());
    let (on_away, on_back, on_over) = (away.clone(), back.clone(), over.clone());
    let app = serve(
        Bowline::builder()
            .on_away(move || on_away.note())
            .on_back(move || on_back.note())
            .on_disconnect(move |_: Close| on_over.note())
            .topic("news", || async { Grant::subscribe().expires_in(Duration::from_secs(60)) }),
    )
    .await;
    let mut anna = app.connect().await.unwrap();
    anna.expect_nothing().await;
    let _: Value = anna.request("bowline.subscribe", &json!({ "topic": "news" })).await.unwrap();
    anna.cut().await;
    app.advance(Duration::from_secs(30)).await;
    assert_eq!((away.times(), back.times()), (1, 0));
    app.bowline().topic("news").emit("said", &1).await.unwrap();
    app.advance(Duration::from_secs(40)).await;
    anna.resume().await.unwrap();
    app.settle().await;
    assert_eq!((away.times(), back.times(), over.times()), (1, 1, 0));
    let said = anna.expect::<Value>("bowline.topic").await;
    assert_eq!(said, json!({ "payload": { "topic": "news", "name": "said", "payload": 1 } }));
    let ended = anna.expect::<Value>("bowline.topic-ended").await;
    assert_eq!(ended, json!({ "topic": "news", "code": "expired" }));

    anna.cut().await;
    app.advance(Duration::from_secs(3600)).await;
    let close = anna.resume().await.unwrap_err();
    assert_eq!((close.code, over.times()), (CloseCode::SESSION_EXPIRED, 1));
}

#[actix_web::test]
async fn a_session_ends_at_either_end() {
    let over = Seen::default();
    let on_over = over.clone();
    let app = serve(
        Bowline::builder()
            .on("kick", |socket: Socket, (): ()| async move {
                let code = CloseCode::application(4501).unwrap();
                socket.disconnect_with(Close::with_reason(code, "out"));
            })
            .on_disconnect(move |_: Close| on_over.note()),
    )
    .await;
    let (mut anna, ben) = (app.connect().await.unwrap(), app.connect().await.unwrap());
    anna.emit("kick", &()).await;
    let close = anna.expect_close().await;
    assert_eq!((close.code.get(), close.reason()), (4501, r#""out""#));
    ben.leave().await;
    app.advance(Duration::from_secs(60)).await;
    assert_eq!((over.times(), app.bowline().session_count()), (2, 0));
}

#[actix_web::test]
async fn more_than_a_server_takes_at_once_is_sent_in_parts() {
    async fn slowly(total: web::Data<Seen>, _: String) {
        tokio::task::yield_now().await;
        total.note().await;
    }
    let bowline = Bowline::builder().on("slowly", slowly).build();
    let seen = Seen::default();
    let data = web::Data::new(seen.clone());
    let app = TestApp::new(&bowline, App::new().app_data(data).service(bowline.service())).await;
    let mut anna = app.connect().await.unwrap();
    for _ in 0..50 {
        anna.emit("slowly", &"x".repeat(100_000)).await;
    }
    app.settle().await;
    assert_eq!(seen.times(), 50);
}

#[actix_web::test]
async fn of_events_with_a_key_a_slow_client_receives_the_latest() {
    let join = |socket: Socket| async move { socket.join("map").map_err(|_| "no room") };
    let bowline = Bowline::builder().on_connect(join).build();
    let app = TestApp::new(&bowline, App::new().service(bowline.service())).await;
    let (mut anna, mut ben) = (app.connect().await.unwrap(), app.connect().await.unwrap());
    ben.cut().await;
    let emit = |key, at: u32| bowline.to("map").emit_latest("moved", key, &at).unwrap();
    let counts = |emitted: Emitted| (emitted.queued, emitted.replaced, emitted.dropped);
    // Nothing is sent while the test does not wait.
    assert_eq!(counts(emit("a", 1)), (1, 0, 1), "ben is away");
    assert_eq!(counts(emit("b", 2)), (1, 0, 1));
    assert_eq!(counts(emit("a", 3)), (1, 1, 1));
    let elsewhere = bowline.to_all().emit_latest("moved", "a", &4).unwrap();
    assert_eq!(elsewhere.replaced, 0, "another audience has keys of its own");
    for at in [3, 2, 4] {
        assert_eq!(anna.expect::<u32>("moved").await, at);
    }
    assert_eq!(counts(emit("a", 5)), (1, 0, 1), "nothing waits");
    assert_eq!(anna.expect::<u32>("moved").await, 5);
    ben.resume().await.unwrap();
    ben.expect_nothing().await;
}
