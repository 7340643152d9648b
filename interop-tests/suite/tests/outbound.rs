//! The application's hook for events on their way to one client.

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use actix_web::App;
use bowline_protocol::{SUBSCRIBE, Subscribe};
use bowline_server::test_util::{TestApp, TestSession};
use bowline_server::{
    Auth, Bowline, BowlineBuilder, Grant, Json, Outbound, Payload, Since, Socket, Verdict,
};
use bytes::Bytes;
use serde_json::{Value, json};

/// Users other than anna do not receive the secret of a payload, and no event named `hidden`.
fn redact(outbound: &Outbound<'_>) -> Verdict {
    if outbound.user().as_deref() == Some("anna") {
        return Verdict::Send;
    }
    if outbound.name() == "hidden" {
        return Verdict::Drop;
    }
    let mut value: Value = serde_json::from_str(outbound.payload().json_or_null()).unwrap();
    let inner = if value.get("at").is_some() { &mut value["payload"] } else { &mut value };
    inner.as_object_mut().map(|fields| fields.remove("secret"));
    Verdict::Replace(Payload { json: value.to_string().into(), ..outbound.payload().clone() })
}

async fn enter(socket: Socket, Auth(user): Auth<String>) -> Result<(), &'static str> {
    socket.set_user(user).map_err(|_| "a user has a name")?;
    socket.join("room").map_err(|_| "the room is full")
}

async fn serve(builder: BowlineBuilder) -> TestApp {
    let bowline = builder.on_connect(enter).build();
    TestApp::new(&bowline, App::new().service(bowline.service())).await
}

async fn connect(app: &TestApp, user: &str) -> TestSession {
    app.connect().auth(&user).await.unwrap()
}

fn news() -> Value {
    json!({ "public": 1, "secret": 2 })
}

#[actix_web::test]
async fn each_member_of_a_room_receives_what_the_hook_leaves_of_an_event() {
    let app = serve(Bowline::builder().outbound(redact)).await;
    let (mut anna, mut ben) = (connect(&app, "anna").await, connect(&app, "ben").await);
    let room = app.bowline().to("room");
    room.emit("news", &news()).unwrap();
    room.emit("hidden", &news()).unwrap();
    room.emit_with("news", &news(), Bytes::from_static(b"raw")).unwrap();
    room.emit_volatile("news", &news()).unwrap();
    assert_eq!(room.emit_latest("hidden", "a", &news()).unwrap().dropped, 1, "for ben");
    room.emit_latest("news", "a", &news()).unwrap();
    ben.socket().unwrap().emit("news", &news()).unwrap();
    assert!(!ben.socket().unwrap().emit_volatile("hidden", &news()).unwrap());
    let all = [("news", false), ("hidden", false), ("news", true), ("news", false)];
    let latest = [("hidden", false), ("news", false)];
    for (name, has_bytes) in all.into_iter().chain(latest) {
        let event = anna.next_event().await;
        assert_eq!((&*event.name, event.bytes.is_some()), (name, has_bytes));
        assert_eq!(event.json, news().to_string());
    }
    for has_bytes in [false, true, false, false, false] {
        let event = ben.next_event().await;
        assert_eq!((&*event.name, &*event.json), ("news", r#"{"public":1}"#));
        assert_eq!(event.bytes.is_some(), has_bytes);
    }
    anna.expect_nothing().await;
    ben.expect_nothing().await;
}

#[actix_web::test]
async fn histories_and_topics_reach_a_client_through_the_hook_now_and_later() {
    async fn follow(socket: Socket, (): ()) -> Json<u64> {
        let followed = socket.history("log/1").follow(&socket, Since::Last(9)).await;
        Json(followed.unwrap().replayed as u64)
    }
    let builder = Bowline::builder()
        .outbound(redact)
        .history("log/", 9, Duration::from_secs(60))
        .on("follow", follow)
        .topic("log/{id}", async || Grant::subscribe())
        .topic("wall/*", async || Grant::subscribe());
    let app = serve(builder).await;
    let (mut anna, mut ben) = (connect(&app, "anna").await, connect(&app, "ben").await);
    app.bowline().history("log/1").emit("news", &news()).await.unwrap();
    for (session, expected) in [(&mut anna, news()), (&mut ben, json!({ "public": 1 }))] {
        session.request::<_, u64>("follow", &()).await.unwrap();
        assert_eq!(session.expect::<Value>("news").await["payload"], expected);
        let topic = Subscribe { topic: "wall/*".into(), since: None, grant: None };
        session.request::<_, Value>(SUBSCRIBE, &topic).await.unwrap();
    }
    app.bowline().history("log/1").emit("news", &news()).await.unwrap();
    app.bowline().topic("wall/7").emit("news", &news()).await.unwrap();
    app.bowline().topic("wall/7").emit("hidden", &1).await.unwrap();
    app.bowline().topic("log/2").emit("news", &news()).await.unwrap();
    for (session, expected) in [(&mut anna, news()), (&mut ben, json!({ "public": 1 }))] {
        assert_eq!(session.expect::<Value>("news").await["payload"], expected);
        let published: Value = session.expect("bowline.topic").await;
        let message = json!({ "topic": "wall/7", "name": "news", "payload": expected });
        assert_eq!(published, json!({ "payload": message }));
    }
    anna.expect::<Value>("bowline.topic").await;
    let since = Some(Since::Last(1));
    let topic = Subscribe { topic: "log/2".into(), since, grant: None };
    ben.request::<_, Value>(SUBSCRIBE, &topic).await.unwrap();
    let published: Value = ben.expect("bowline.topic").await;
    assert_eq!(published["payload"]["payload"], json!({ "public": 1 }));
    assert_eq!(published["at"]["offset"], 1);
    ben.expect_nothing().await;
}

#[actix_web::test]
async fn what_is_the_protocols_own_does_not_pass_the_hook() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let names = Arc::clone(&seen);
    let count = move |outbound: &Outbound<'_>| {
        names
            .lock()
            .unwrap()
            .push((outbound.name().to_owned(), outbound.topic().map(str::to_owned)));
        Verdict::Send
    };
    let builder = Bowline::builder()
        .outbound(count)
        .topic("wall", async || Grant::subscribe())
        .on("echo", async |text: String| Json(text));
    let app = serve(builder).await;
    let mut anna = connect(&app, "anna").await;
    let topic = Subscribe { topic: "wall".into(), since: None, grant: None };
    anna.request::<_, Value>(SUBSCRIBE, &topic).await.unwrap();
    assert_eq!(anna.request::<_, String>("echo", "a").await.unwrap(), "a");
    app.bowline().topic("wall").emit("news", &1).await.unwrap();
    app.bowline().presence("room").enter(&anna.socket().unwrap(), &1).unwrap();
    app.bowline().topic("wall").revoke();
    assert_eq!(anna.expect::<Value>("bowline.topic").await["payload"]["name"], "news");
    assert_eq!(anna.expect::<Value>("bowline.topic-ended").await["topic"], "wall");
    assert_eq!(anna.expect::<Value>("bowline.presence").await["room"], "room");
    assert_eq!(*seen.lock().unwrap(), [("news".to_owned(), Some("wall".to_owned()))]);
}

#[actix_web::test]
async fn a_hook_that_panics_emits_or_returns_no_json_drops_the_event() {
    static SERVER: OnceLock<Bowline> = OnceLock::new();
    let hook = |outbound: &Outbound<'_>| match outbound.name() {
        "panic" => panic!("as you wished"),
        "nested" => {
            SERVER.get().unwrap().to("room").emit("within", &1).unwrap();
            Verdict::Send
        }
        "no-json" => Verdict::Replace(Payload::json("{")),
        _ => Verdict::Send,
    };
    let app = serve(Bowline::builder().outbound(hook)).await;
    SERVER.set(app.bowline().clone()).unwrap();
    let mut anna = connect(&app, "anna").await;
    for name in ["panic", "nested", "no-json", "well"] {
        app.bowline().to("room").emit(name, &1).unwrap();
    }
    assert_eq!(anna.next_event().await.name, "nested");
    assert_eq!(anna.next_event().await.name, "well");
    anna.expect_nothing().await;
}
