//! Streams, packet by packet: what a server sends, and how it treats clients that break the rules.
//!
//! Spec: 12-streams.

use std::sync::Arc;

use actix_web::App;
use bowline_server::test_util::{TestApp, TestSession};
use bowline_server::{Binary, Bowline, BowlineBuilder, Chunks, Failure, ItemStream, Items, Json};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::{Value, json};

async fn serve(builder: BowlineBuilder) -> TestApp {
    let bowline = builder.build();
    TestApp::new(&bowline, App::new().service(bowline.service())).await
}

/// Opens a stream whose items the client receives in twos.
async fn open(session: &mut TestSession, number: u64, name: &str, payload: Value) -> Value {
    try_open(session, number, name, payload).await.unwrap()
}

async fn try_open(
    session: &mut TestSession,
    number: u64,
    name: &str,
    payload: Value,
) -> Result<Value, Failure> {
    let window = json!({"items": 2, "bytes": 1024});
    let asked = json!({"stream": number, "name": name, "window": window, "payload": payload});
    session.request("bowline.stream", &asked).await
}

/// The next items of a stream.
async fn items(session: &mut TestSession, number: u64, count: usize) -> Vec<Value> {
    let name = format!("bowline.item.{number}");
    let mut items = Vec::new();
    for _ in 0..count {
        items.push(session.expect(name.as_str()).await);
    }
    items
}

async fn end(session: &mut TestSession) -> Value {
    session.expect("bowline.end").await
}

async fn count(to: u64) -> ItemStream {
    ItemStream::new(stream::iter(1..=to))
}

async fn sum(numbers: Items<u64>, start: u64) -> Result<Json<u64>, Failure> {
    Ok(Json(numbers.try_fold(start, async |sum, number| Ok(sum + number)).await?))
}

#[actix_web::test]
async fn items_wait_for_credit_and_the_end_follows_the_last() {
    let app = serve(Bowline::builder().stream("count", count)).await;
    let mut anna = app.connect().await.unwrap();
    assert_eq!(open(&mut anna, 1, "count", json!(5)).await, json!({}));
    assert_eq!(items(&mut anna, 1, 2).await, [1, 2]);
    anna.expect_nothing().await;
    // Neither is a credit: one was given before, the other is for items that were not sent.
    for taken in [0, 3] {
        anna.emit("bowline.credit", &json!({"stream": 1, "taken": taken})).await;
    }
    anna.expect_nothing().await;
    anna.emit("bowline.credit", &json!({"stream": 1, "taken": 1})).await;
    assert_eq!(items(&mut anna, 1, 1).await, [3]);
    anna.expect_nothing().await;
    anna.emit("bowline.credit", &json!({"stream": 1, "taken": 3})).await;
    assert_eq!(items(&mut anna, 1, 2).await, [4, 5]);
    anna.emit("bowline.credit", &json!({"stream": 1, "taken": 5})).await;
    assert_eq!(end(&mut anna).await, json!({"stream": 1}));
}

#[actix_web::test]
async fn bytes_bound_what_is_sent_as_items_do() {
    async fn parts(size: usize) -> ItemStream {
        ItemStream::bytes(stream::repeat_with(move || Ok::<_, Failure>(vec![7; size].into())))
    }
    let app = serve(Bowline::builder().stream("parts", parts)).await;
    let mut anna = app.connect().await.unwrap();
    open(&mut anna, 1, "parts", json!(512)).await;
    assert_eq!(items(&mut anna, 1, 2).await.len(), 2);
    anna.expect_nothing().await;
    open(&mut anna, 2, "parts", json!(513)).await;
    let failure = json!({"code": "item-too-large", "payload": 512});
    assert_eq!(end(&mut anna).await, json!({"stream": 2, "failure": failure}));
}

#[actix_web::test]
async fn the_items_of_a_client_are_taken_and_credited_and_the_end_has_the_result() {
    let app = serve(Bowline::builder().stream("sum", sum).stream_window(4, 1024)).await;
    let mut anna = app.connect().await.unwrap();
    let window = json!({"window": {"items": 4, "bytes": 1024}});
    assert_eq!(open(&mut anna, 7, "sum", json!(100)).await, window);
    for number in 1..=6_u64 {
        anna.emit("bowline.item.7", &number).await;
        let credit: Value = anna.expect("bowline.credit").await;
        assert_eq!(credit, json!({"stream": 7, "taken": number}));
    }
    anna.emit("bowline.end", &json!({"stream": 7})).await;
    assert_eq!(end(&mut anna).await, json!({"stream": 7, "payload": 121}));
    // It is over for the client as well.
    anna.emit("bowline.item.7", &8).await;
    anna.emit("bowline.cancel", &json!({"stream": 7})).await;
    anna.expect_nothing().await;
}

#[actix_web::test]
async fn a_failure_of_either_end_reaches_the_other() {
    async fn failing((): ()) -> ItemStream {
        let items = stream::iter([Ok(1), Err(Failure::new("broken").with(&"disk")), Ok(2)]);
        ItemStream::fallible(items)
    }
    async fn refusing((): ()) -> Result<ItemStream, Failure> {
        Err(Failure::new("not-today"))
    }
    async fn panicking((): ()) {
        panic!("on purpose");
    }
    let builder = Bowline::builder().stream("sum", sum).stream("failing", failing);
    let app = serve(builder.stream("refusing", refusing).stream("panicking", panicking)).await;
    let mut anna = app.connect().await.unwrap();
    open(&mut anna, 1, "failing", json!(null)).await;
    assert_eq!(items(&mut anna, 1, 1).await, [1]);
    let failure = json!({"code": "broken", "payload": "disk"});
    assert_eq!(end(&mut anna).await, json!({"stream": 1, "failure": failure}));
    for (number, name, code) in [(2, "refusing", "not-today"), (3, "panicking", "internal")] {
        open(&mut anna, number, name, json!(null)).await;
        assert_eq!(end(&mut anna).await, json!({"stream": number, "failure": {"code": code}}));
    }
    open(&mut anna, 4, "sum", json!(0)).await;
    anna.emit("bowline.end", &json!({"stream": 4, "failure": {"code": "aborted"}})).await;
    assert_eq!(end(&mut anna).await, json!({"stream": 4, "failure": {"code": "aborted"}}));
    open(&mut anna, 5, "sum", json!(0)).await;
    anna.emit("bowline.item.5", &"no number").await;
    let ended = end(&mut anna).await;
    assert_eq!(ended["failure"]["code"], "invalid-payload", "{ended}");
}

#[actix_web::test]
async fn what_cannot_be_opened_is_refused() {
    let app = serve(Bowline::builder().stream("sum", sum).max_streams_per_session(2)).await;
    let mut anna = app.connect().await.unwrap();
    let window = json!({"items": 2, "bytes": 1024});
    for (asked, code) in [
        (json!({"stream": 1, "name": "other", "window": window}), "no-stream"),
        (json!({"stream": -1, "name": "sum", "window": window}), "invalid-stream"),
        (json!({"stream": 0, "name": "sum", "window": window}), "invalid-stream"),
        (json!({"stream": 1, "name": "sum"}), "invalid-stream"),
        (
            json!({"stream": 1, "name": "sum", "window": {"items": 0, "bytes": 1024}}),
            "invalid-stream",
        ),
        (
            json!({"stream": 1, "name": "sum", "window": {"items": 65_537, "bytes": 1024}}),
            "invalid-stream",
        ),
        (
            json!({"stream": 1, "name": "sum", "window": {"items": 1, "bytes": 1023}}),
            "invalid-stream",
        ),
        (json!({"stream": 1, "name": "sum", "window": window, "payload": "x"}), "invalid-payload"),
    ] {
        let failure = anna.request::<_, Value>("bowline.stream", &asked).await.unwrap_err();
        assert_eq!(failure.code(), code, "{asked}");
    }
    open(&mut anna, 2, "sum", json!(0)).await;
    open(&mut anna, 4, "sum", json!(0)).await;
    for (number, code) in [(4, "invalid-stream"), (3, "too-many-streams")] {
        let failure = try_open(&mut anna, number, "sum", json!(0)).await.unwrap_err();
        assert_eq!(failure.code(), code, "{number}");
    }
    anna.emit("bowline.cancel", &json!({"stream": 2})).await;
    open(&mut anna, 5, "sum", json!(0)).await;
}

#[actix_web::test]
async fn a_client_that_exceeds_the_window_loses_its_stream() {
    async fn patient(numbers: Items<u64>, (): ()) {
        std::future::pending::<()>().await;
        drop(numbers);
    }
    let app = serve(Bowline::builder().stream("patient", patient).stream_window(3, 1024)).await;
    let mut anna = app.connect().await.unwrap();
    open(&mut anna, 1, "patient", json!(null)).await;
    open(&mut anna, 2, "patient", json!(null)).await;
    for number in 0..4_u64 {
        anna.emit("bowline.item.1", &number).await;
    }
    let ended = end(&mut anna).await;
    assert_eq!(
        (&ended["stream"], &ended["failure"]["code"]),
        (&json!(1), &json!("window-exceeded"))
    );
    anna.emit("bowline.item.2", &"x".repeat(512)).await;
    assert_eq!(end(&mut anna).await["failure"]["code"], "window-exceeded", "its size");
}

#[actix_web::test]
async fn a_cancelled_stream_drops_the_work_of_the_application_and_sends_nothing_more() {
    let alive = Arc::new(());
    let kept = Arc::clone(&alive);
    let builder = Bowline::builder().stream("endless", move |(): ()| {
        let kept = Arc::clone(&kept);
        async move { ItemStream::new(stream::iter(0_u64..).inspect(move |_| _ = &kept)) }
    });
    let app = serve(builder).await;
    let mut anna = app.connect().await.unwrap();
    open(&mut anna, 1, "endless", json!(null)).await;
    assert_eq!(items(&mut anna, 1, 2).await, [0, 1]);
    assert_eq!(Arc::strong_count(&alive), 3, "it waits for credit");
    anna.emit("bowline.cancel", &json!({"stream": 1})).await;
    anna.emit("bowline.credit", &json!({"stream": 1, "taken": 2})).await;
    anna.expect_nothing().await;
    assert_eq!(Arc::strong_count(&alive), 2);
    open(&mut anna, 2, "endless", json!(null)).await;
    assert_eq!(items(&mut anna, 2, 1).await, [0]);
    anna.leave().await;
    app.settle().await;
    assert_eq!(Arc::strong_count(&alive), 2, "a stream ends with its session");
}

#[actix_web::test]
async fn an_application_that_drops_its_items_stops_the_client() {
    async fn first(mut numbers: Chunks, (): ()) -> Result<Binary<Json<u64>>, Failure> {
        let first = numbers.next().await.ok_or("nothing")??;
        drop(numbers);
        Ok(Binary(Json(1), first))
    }
    let app = serve(Bowline::builder().stream("first", first)).await;
    let mut anna = app.connect().await.unwrap();
    open(&mut anna, 1, "first", json!(null)).await;
    anna.emit("bowline.item.1", &json!("no bytes")).await;
    assert_eq!(end(&mut anna).await["failure"]["code"], "invalid-payload");
    open(&mut anna, 2, "first", json!(null)).await;
    anna.emit("bowline.end", &json!({"stream": 2})).await;
    assert_eq!(end(&mut anna).await, json!({"stream": 2, "failure": {"code": "nothing"}}));
}

#[actix_web::test]
async fn a_stream_goes_on_after_a_cut_where_it_was() {
    let app = serve(Bowline::builder().stream("count", count)).await;
    let mut anna = app.connect().await.unwrap();
    open(&mut anna, 1, "count", json!(4)).await;
    assert_eq!(items(&mut anna, 1, 1).await, [1]);
    anna.cut().await;
    anna.resume().await.unwrap();
    assert_eq!(items(&mut anna, 1, 1).await, [2]);
    anna.emit("bowline.credit", &json!({"stream": 1, "taken": 2})).await;
    assert_eq!(items(&mut anna, 1, 2).await, [3, 4]);
}
