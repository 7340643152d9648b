//! What surrounds the handlers of an application: hooks around each message, and the catch-all.

use std::sync::{Arc, Mutex};

use actix_web::web::Data;
use actix_web::{App, web};
use bowline_protocol::{STREAM, STREAM_END, SUBSCRIBE, Subscribe};
use bowline_server::test_util::TestApp;
use bowline_server::{
    Answer, Bowline, BowlineBuilder, Failure, Grant, Inbound, Items, Json, MessageName, Next,
    Payload, Socket,
};
use futures::TryStreamExt as _;
use serde_json::{Value, json};

/// What hooks and handlers have done, in order.
#[derive(Debug, Clone, Default)]
struct Journal(Arc<Mutex<Vec<String>>>);

impl Journal {
    fn note(&self, line: impl Into<String>) {
        self.0.lock().unwrap().push(line.into());
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

async fn serve(builder: BowlineBuilder, journal: &Journal) -> TestApp {
    let (bowline, journal) = (builder.build(), journal.clone());
    let app = App::new().app_data(Data::new(journal)).service(bowline.service());
    TestApp::new(&bowline, app).await
}

async fn say(journal: Data<Journal>, text: String) -> Json<String> {
    journal.note(format!("handled {text}"));
    Json(text.to_uppercase())
}

#[actix_web::test]
async fn hooks_nest_around_the_handler_in_the_order_in_which_they_are_stated() {
    let journal = Journal::default();
    let named = |who: &'static str| {
        let journal = journal.clone();
        async move |inbound: Inbound, next: Next| {
            journal.note(format!("{who} {} {}", inbound.name(), inbound.is_request()));
            let answer = next.run(inbound).await;
            journal.note(format!("{who} {}", answer.is_ok()));
            answer
        }
    };
    let builder = Bowline::builder().on("say", say).around(named("outer")).around(named("inner"));
    let app = serve(builder, &journal).await;
    let mut anna = app.connect().await.unwrap();
    assert_eq!(anna.request::<_, String>("say", "a").await.unwrap(), "A");
    let request = ["outer say true", "inner say true", "handled a", "inner true", "outer true"];
    assert_eq!(journal.take(), request);
    anna.emit("say", "b").await;
    anna.expect_nothing().await;
    let event = ["outer say false", "inner say false", "handled b", "inner true", "outer true"];
    assert_eq!(journal.take(), event);
    let unknown = anna.request::<_, ()>("unknown", &()).await.unwrap_err();
    assert_eq!(unknown.code(), "no-handler");
    let around_nothing = ["outer unknown true", "inner unknown true", "inner false", "outer false"];
    assert_eq!(journal.take(), around_nothing);
}

#[actix_web::test]
async fn a_hook_that_denies_by_default_lets_nothing_else_through() {
    async fn guard(inbound: Inbound, next: Next) -> Result<Answer, Failure> {
        let is_allowed = match inbound.name() {
            "say" => true,
            "ban" => inbound.socket().user().is_some(),
            _ => false,
        };
        if is_allowed { next.run(inbound).await } else { Err(Failure::new("denied").with(&7)) }
    }
    async fn log_in(socket: Socket, name: String) -> Result<(), Failure> {
        Ok(socket.set_user(name)?)
    }
    let journal = Journal::default();
    let builder = Bowline::builder()
        .around(guard)
        .on("say", say)
        .on("ban", say)
        .on("log in", log_in)
        .topic("open", async || Grant::subscribe());
    let app = serve(builder, &journal).await;
    let mut anna = app.connect().await.unwrap();
    anna.emit("ban", "ben").await;
    let denied = anna.request::<_, ()>("ban", "ben").await.unwrap_err();
    assert_eq!((denied.code(), denied.detail::<u32>().unwrap()), ("denied", 7));
    let topic = Subscribe { topic: "open".into(), since: None, grant: None };
    let denied = anna.request::<_, Value>(SUBSCRIBE, &topic).await.unwrap_err();
    assert_eq!(denied.code(), "denied", "the requests of the protocol pass the hook as well");
    anna.emit("say", "hello").await;
    anna.socket().unwrap().set_user("anna").unwrap();
    anna.emit("ban", "ben").await;
    anna.expect_nothing().await;
    assert_eq!(journal.take(), ["handled hello", "handled ben"]);
}

#[actix_web::test]
async fn a_hook_passes_on_a_changed_payload() {
    let trim = async |inbound: Inbound, next: Next| {
        let text: String = serde_json::from_str(inbound.payload().json_or_null())
            .map_err(|_| Failure::new("no-text"))?;
        let payload = Payload::json(serde_json::to_string(text.trim()).unwrap());
        next.run(inbound.with_payload(payload)).await
    };
    let journal = Journal::default();
    let app = serve(Bowline::builder().around(trim).on("say", say), &journal).await;
    let mut anna = app.connect().await.unwrap();
    assert_eq!(anna.request::<_, String>("say", "  hello ").await.unwrap(), "HELLO");
    assert_eq!(anna.request::<_, String>("say", &7).await.unwrap_err().code(), "no-text");
}

#[actix_web::test]
async fn messages_stay_in_order_while_a_hook_waits() {
    let pause = async |inbound: Inbound, next: Next| {
        if inbound.payload().json_or_null() == r#""slow""# {
            tokio::task::yield_now().await;
        }
        next.run(inbound).await
    };
    let journal = Journal::default();
    let app = serve(Bowline::builder().around(pause).on("say", say), &journal).await;
    let mut anna = app.connect().await.unwrap();
    for text in ["slow", "quick", "slow", "quick"] {
        anna.emit("say", text).await;
    }
    anna.expect_nothing().await;
    let lines = ["handled slow", "handled quick", "handled slow", "handled quick"];
    assert_eq!(journal.take(), lines);
}

#[actix_web::test]
async fn a_hook_that_panics_or_returns_another_answer_fails_its_own_message_only() {
    let kept = Arc::new(Mutex::new(None));
    let hook = async move |inbound: Inbound, next: Next| {
        let word = inbound.payload().json_or_null().to_owned();
        assert_ne!(word, r#""panic""#);
        if word == r#""keep""# {
            let answer = next.run(inbound).await?;
            *kept.lock().unwrap() = Some(answer);
            return Err(Failure::new("kept"));
        }
        if let Some(answer) = kept.lock().unwrap().take() {
            return Ok(answer);
        }
        next.run(inbound).await
    };
    let journal = Journal::default();
    let app = serve(Bowline::builder().around(hook).on("say", say), &journal).await;
    let mut anna = app.connect().await.unwrap();
    for (word, code) in [("panic", "internal"), ("keep", "kept"), ("other", "internal")] {
        let failure = anna.request::<_, String>("say", word).await.unwrap_err();
        assert_eq!(failure.code(), code, "{word}");
    }
    assert_eq!(anna.request::<_, String>("say", "well").await.unwrap(), "WELL");
}

#[actix_web::test]
async fn the_catch_all_handles_names_without_a_handler_except_the_protocols() {
    async fn any(
        MessageName(name): MessageName,
        journal: web::Data<Journal>,
        payload: Value,
    ) -> Json<Value> {
        journal.note(format!("{name} {payload}"));
        Json(json!([name, payload]))
    }
    let journal = Journal::default();
    let app = serve(Bowline::builder().on_any(any).on("say", say), &journal).await;
    let mut anna = app.connect().await.unwrap();
    anna.emit("whatever", &json!({ "a": 1 })).await;
    assert_eq!(anna.request::<_, String>("say", "a").await.unwrap(), "A");
    let answer = anna.request::<_, Value>("else", &()).await.unwrap();
    assert_eq!(answer, json!(["else", null]));
    assert_eq!(journal.take(), [r#"whatever {"a":1}"#, "handled a", "else null"]);
    let topic = Subscribe { topic: "open".into(), since: None, grant: None };
    let failure = anna.request::<_, Value>(SUBSCRIBE, &topic).await.unwrap_err();
    assert_eq!(failure.code(), "no-handler", "this server opens no topics");
}

#[actix_web::test]
async fn a_stream_is_opened_through_the_hooks_and_its_items_pass_beside_them() {
    async fn sum(numbers: Items<u64>, start: u64) -> Result<Json<u64>, Failure> {
        Ok(Json(numbers.try_fold(start, async |sum, number| Ok(sum + number)).await?))
    }
    let journal = Journal::default();
    let seen = journal.clone();
    let hook = async move |inbound: Inbound, next: Next| {
        seen.note(inbound.name());
        if inbound.socket().user().is_some() { next.run(inbound).await } else { Err("no".into()) }
    };
    let app = serve(Bowline::builder().around(hook).stream("sum", sum), &journal).await;
    let mut anna = app.connect().await.unwrap();
    let window = json!({ "items": 9, "bytes": 9_000 });
    let asked = json!({ "stream": 1, "name": "sum", "window": window, "payload": 1 });
    let refused = anna.request::<_, Value>(STREAM, &asked).await.unwrap_err();
    assert_eq!(refused.code(), "no");
    anna.socket().unwrap().set_user("anna").unwrap();
    anna.request::<_, Value>(STREAM, &asked).await.unwrap();
    for number in [2, 3] {
        anna.emit("bowline.item.1", &number).await;
    }
    anna.emit(STREAM_END, &json!({ "stream": 1 })).await;
    assert_eq!(anna.expect::<Value>(STREAM_END).await, json!({ "stream": 1, "payload": 6 }));
    assert_eq!(journal.take(), [STREAM, STREAM]);
}
