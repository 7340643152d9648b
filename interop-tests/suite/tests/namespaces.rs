//! Namespaces on one session: who may join, what stays apart, and what ends.

#[path = "namespaces/nodes.rs"]
mod nodes;

use std::sync::{Arc, Mutex, PoisonError};

use actix_web::App;
use bowline_server::test_util::{TestApp, TestSession};
use bowline_server::{
    Auth, Bowline, BowlineBuilder, Close, CloseCode, Ext, Failure, JoinError, Json,
    NamespaceBuilder, Socket,
};
use serde_json::{Value, json};

/// The namespaces of which clients were reported gone, with the code.
#[derive(Debug, Clone, Default)]
struct Gone(Arc<Mutex<Vec<Left>>>);

type Left = (Option<String>, u16);

impl Gone {
    fn note(&self, socket: &Socket, close: &Close) {
        let mut gone = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        gone.push((socket.namespace().map(str::to_owned), close.code.get()));
    }

    fn seen(&self) -> Vec<Left> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn enter(socket: Socket, Auth(name): Auth<Option<String>>) -> Result<(), Failure> {
    let name = name.ok_or("log in first")?;
    socket.set_user(&name)?;
    socket.join("hall")?;
    Ok(())
}

async fn say(socket: Socket, text: String) -> Result<Json<usize>, Failure> {
    Ok(Json(socket.to("hall").emit("said", &text)?))
}

async fn rooms(socket: Socket, (): ()) -> Json<Value> {
    let rooms: Vec<_> = socket.rooms().iter().map(ToString::to_string).collect();
    Json(json!([socket.namespace(), socket.user(), rooms]))
}

fn part(namespace: NamespaceBuilder) -> NamespaceBuilder {
    namespace.on_connect(enter).on("say", say).on("rooms", rooms)
}

fn builder() -> BowlineBuilder {
    let connect = async |socket: Socket| socket.join("hall").map_err(|_| "too many rooms");
    Bowline::builder()
        .on_connect(connect)
        .on("say", say)
        .on("rooms", rooms)
        .on_any(async |(): ()| Json("any"))
        .namespace("/admin", part)
        .namespace("/shop", part)
}

async fn serve(builder: BowlineBuilder) -> TestApp {
    let bowline = builder.build();
    TestApp::new(&bowline, App::new().service(bowline.service())).await
}

async fn join(session: &mut TestSession, namespace: &str, auth: Value) -> Result<(), Failure> {
    session.request("bowline.join", &json!({"namespace": namespace, "auth": auth})).await
}

fn is(outcome: Result<impl Sized, Failure>, code: &str) -> bool {
    outcome.is_err_and(|failure| failure.code() == code)
}

#[actix_web::test]
async fn a_refusal_leaves_the_other_namespaces_alone() {
    let app = serve(builder()).await;
    let mut anna = app.connect().await.unwrap();
    join(&mut anna, "/shop", json!("anna")).await.unwrap();
    let refused = join(&mut anna, "/admin", Value::Null).await.unwrap_err();
    assert_eq!(refused.code(), "refused");
    assert_eq!(refused.detail::<Value>().unwrap(), json!({"code": 4300, "reason": "log in first"}));
    assert!(is(join(&mut anna, "/nothing", Value::Null).await, "no-namespace"));
    assert!(is(anna.request::<_, usize>("/admin,say", "hi").await, "no-namespace"));
    assert!(is(anna.request::<_, usize>("/nothing,say", "hi").await, "no-handler"));
    assert_eq!(anna.request::<_, usize>("/shop,say", "hi").await.unwrap(), 0);
    assert_eq!(
        anna.request::<_, Value>("rooms", &()).await.unwrap(),
        json!([null, null, ["hall"]])
    );
    let rooms = anna.request::<_, Value>("/shop,rooms", &()).await.unwrap();
    assert_eq!(rooms, json!(["/shop", "anna", ["hall"]]));
    assert!(app.bowline().of("/admin").to("hall").sessions().is_empty(), "refused: in no room");
}

#[actix_web::test]
async fn rooms_users_and_events_do_not_mix() {
    let app = serve(builder()).await;
    let (mut anna, mut ben) = (app.connect().await.unwrap(), app.connect().await.unwrap());
    for namespace in ["/admin", "/shop"] {
        join(&mut anna, namespace, json!("anna")).await.unwrap();
    }
    join(&mut ben, "/shop", json!("ben")).await.unwrap();
    assert_eq!(anna.request::<_, usize>("/shop,say", "hi").await.unwrap(), 1);
    assert_eq!(ben.expect::<String>("/shop,said").await, "hi");
    assert_eq!(anna.request::<_, usize>("/admin,say", "hi").await.unwrap(), 0);
    assert_eq!(anna.request::<_, usize>("say", "hi").await.unwrap(), 1);
    assert_eq!(ben.expect::<String>("said").await, "hi");
    let bowline = app.bowline();
    assert_eq!(bowline.of("/admin").emit("news", &7).unwrap(), 1);
    assert_eq!(anna.expect::<u32>("/admin,news").await, 7);
    assert_eq!(bowline.of("/shop").to_user("ben").emit("you", &()).unwrap(), 1);
    ben.expect::<()>("/shop,you").await;
    assert!(bowline.to_user("ben").sessions().is_empty());
    assert!(bowline.of("/admin").to_user("ben").sessions().is_empty());
    let but_ben = bowline.of("/shop").to_all().except("quiet");
    bowline.of("/shop").to_user("ben").join("quiet").unwrap();
    assert_eq!(but_ben.emit("news", &8).unwrap(), 1);
    assert_eq!(anna.expect::<u32>("/shop,news").await, 8);
    bowline.of("/shop").to_user("ben").leave("quiet");
    assert!(bowline.of("/shop").to("quiet").sessions().is_empty());
    anna.expect_nothing().await;
    ben.expect_nothing().await;
}

#[actix_web::test]
async fn a_client_asks_and_is_asked_in_its_namespace() {
    async fn sure(socket: Socket, (): ()) -> Result<Json<bool>, Failure> {
        Ok(Json(socket.request("sure?", &()).await?))
    }
    let app = serve(Bowline::builder().namespace("/shop", |shop| shop.on("sure", sure))).await;
    let mut anna = app.connect().await.unwrap();
    join(&mut anna, "/shop", Value::Null).await.unwrap();
    let asked = anna.ask("/shop,sure", &()).await;
    let question = anna.expect_request::<()>("/shop,sure?").await;
    anna.reply(question, &true).await;
    assert!(anna.answer::<bool>(asked).await.unwrap());
}

#[actix_web::test]
async fn nothing_is_sent_before_the_hook_has_accepted() {
    async fn early(socket: Socket) {
        assert!(socket.emit("early", &()).is_err());
        assert!(!socket.emit_volatile("early", &()).unwrap());
    }
    let app = serve(Bowline::builder().namespace("/shop", |shop| shop.on_connect(early))).await;
    let mut anna = app.connect().await.unwrap();
    join(&mut anna, "/shop", Value::Null).await.unwrap();
    anna.expect_nothing().await;
}

#[actix_web::test]
async fn a_membership_survives_a_cut() {
    let app = serve(builder()).await;
    let mut anna = app.connect().await.unwrap();
    join(&mut anna, "/shop", json!("anna")).await.unwrap();
    anna.cut().await;
    assert_eq!(app.bowline().of("/shop").to("hall").emit("said", "hi").unwrap(), 1);
    anna.resume().await.unwrap();
    assert_eq!(anna.expect::<String>("/shop,said").await, "hi");
    assert_eq!(anna.request::<_, usize>("/shop,say", "hi").await.unwrap(), 0);
}

#[actix_web::test]
async fn after_leaving_messages_are_refused_and_none_arrives() {
    let gone = Gone::default();
    let noted = gone.clone();
    let hook = move |socket: Socket, close: Close| {
        noted.note(&socket, &close);
        std::future::ready(())
    };
    let builder = builder()
        .on_disconnect(hook.clone())
        .namespace("/one", |one| part(one).on_disconnect(hook.clone()))
        .namespace("/two", |two| part(two).on_disconnect(hook.clone()));
    let app = serve(builder).await;
    let mut anna = app.connect().await.unwrap();
    for namespace in ["/one", "/two"] {
        join(&mut anna, namespace, json!("anna")).await.unwrap();
    }
    let one = json!({"namespace": "/one"});
    anna.request::<_, ()>("bowline.leave", &one).await.unwrap();
    anna.request::<_, ()>("bowline.leave", &one).await.unwrap();
    assert_eq!(gone.seen(), [(Some("/one".to_owned()), CloseCode::NORMAL.get())]);
    anna.emit("/one,say", "late").await;
    assert!(is(anna.request::<_, usize>("/one,say", "late").await, "no-namespace"));
    assert_eq!(app.bowline().of("/one").to("hall").emit("said", "hi").unwrap(), 0);
    anna.expect_nothing().await;
    anna.leave().await;
    app.settle().await;
    let left = [(Some("/two".to_owned()), 1000), (None, 1000)];
    assert_eq!(gone.seen()[1..], left);
}

#[actix_web::test]
async fn the_application_ends_one_namespace_of_a_session() {
    async fn keep(socket: Socket, (): ()) {
        socket.insert(socket.clone());
    }
    async fn kick(Ext(kept): Ext<Socket>, (): ()) -> Result<(), Failure> {
        let reason = Close::with_reason(CloseCode::application(4500).unwrap(), "shift over");
        kept.disconnect_with(reason);
        kept.disconnect();
        assert!(kept.emit("late", &()).is_err());
        assert_eq!(kept.join("hall"), Err(JoinError::Closed));
        Ok(())
    }
    let builder = builder().on("kick", kick).namespace("/own", |own| part(own).on("keep", keep));
    let app = serve(builder).await;
    let mut anna = app.connect().await.unwrap();
    for namespace in ["/own", "/shop", "/admin"] {
        join(&mut anna, namespace, json!("anna")).await.unwrap();
    }
    anna.emit("/own,keep", &()).await;
    anna.request::<_, ()>("kick", &()).await.unwrap();
    let left = json!({"namespace": "/own", "code": "kicked", "reason": "shift over"});
    assert_eq!(anna.expect::<Value>("bowline.left").await, left);
    assert!(is(anna.request::<_, usize>("/own,say", "hi").await, "no-namespace"));

    app.bowline().of("/admin").to_user("anna").disconnect(&Close::new(CloseCode::NORMAL));
    let left = json!({"namespace": "/admin", "code": "kicked"});
    assert_eq!(anna.expect::<Value>("bowline.left").await, left);
    assert_eq!(anna.request::<_, usize>("/shop,say", "hi").await.unwrap(), 0);
    join(&mut anna, "/own", json!("anna")).await.expect("a client may join again");
    anna.expect_nothing().await;
}

#[actix_web::test]
async fn a_session_joins_as_many_namespaces_as_it_may() {
    let app = serve(builder().max_namespaces(1)).await;
    let mut anna = app.connect().await.unwrap();
    join(&mut anna, "/shop", json!("anna")).await.unwrap();
    join(&mut anna, "/shop", json!("anna")).await.expect("it is in it already");
    let failure = join(&mut anna, "/admin", json!("anna")).await.unwrap_err();
    assert_eq!((failure.code(), failure.detail::<u32>().unwrap()), ("too-many-namespaces", 1));
    assert!(is(join(&mut anna, "/shop", Value::Null).await, "refused"));
    join(&mut anna, "/admin", json!("anna")).await.expect("a refusal ended the other");
}

#[actix_web::test]
async fn an_old_server_has_no_handler_for_namespaces() {
    let app = serve(Bowline::builder().on_any(async |(): ()| Json("any"))).await;
    let mut anna = app.connect().await.unwrap();
    assert!(is(join(&mut anna, "/shop", Value::Null).await, "no-handler"));
}

#[test]
#[should_panic(expected = "BowlineBuilder::namespace")]
fn a_main_handler_has_no_name_of_a_namespace() {
    drop(Bowline::builder().on("/shop,say", async |(): ()| ()));
}
