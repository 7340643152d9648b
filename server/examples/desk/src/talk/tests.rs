use actix_web::{App, web};
use bowline_server::test_util::{TestApp, TestSession};
use bowline_server::{Auth, Bowline, CloseCode, PRESENCE, PresenceChange, Since, Socket};
use bytes::Bytes;
use serde_json::{Value, json};
use std::time::Duration;

use super::{SENT_AWAY, enter, handlers};
use crate::files::Files;
use crate::people::Person;

/// The desk without its cookies: who connects says who it is.
async fn desk() -> TestApp {
    let builder = Bowline::builder().history("ticket/", 200, Duration::from_secs(3600));
    let bowline = handlers(builder)
        .on_connect(|socket: Socket, Auth(name): Auth<String>| async move { enter(&socket, &name) })
        .build();
    let app = App::new().app_data(web::Data::<Files>::default());
    TestApp::new(&bowline, app.service(bowline.service())).await
}

async fn visit(desk: &TestApp, name: &str) -> TestSession {
    desk.connect().auth(&name).await.unwrap()
}

async fn say(session: &mut TestSession, text: &str) -> Result<(), bowline_server::Failure> {
    session.request("say", &json!({"ticket": 1, "text": text})).await
}

#[actix_web::test]
async fn customers_see_their_own_tickets_and_agents_all() {
    let desk = desk().await;
    for (name, seen) in [("ada", vec![1, 3]), ("ben", vec![2]), ("cleo", vec![1, 2, 3])] {
        let mut session = visit(&desk, name).await;
        let tickets: Vec<Value> = session.request("tickets", &()).await.unwrap();
        assert!(tickets.iter().map(|ticket| &ticket["id"]).eq(seen), "{name}");
    }
    let mut ben = visit(&desk, "ben").await;
    let refused = ben.subscribe("ticket/1", Since::Now).await.unwrap_err();
    assert_eq!(refused.detail::<String>().unwrap(), "no such ticket");
    assert_eq!(say(&mut ben, "not mine").await.unwrap_err().code(), "no-such-ticket");
}

#[actix_web::test]
async fn who_comes_late_finds_what_was_said_and_is_seen() {
    let desk = desk().await;
    let (mut ada, mut cleo) = (visit(&desk, "ada").await, visit(&desk, "cleo").await);
    ada.subscribe("ticket/1", Since::Now).await.unwrap();
    say(&mut ada, "it slips").await.unwrap();
    let said: Value = ada.expect_published("ticket/1", "said").await;
    assert_eq!(said, json!({"who": "ada", "text": "it slips"}));

    cleo.subscribe("ticket/1", Since::Last(50)).await.unwrap();
    assert_eq!(cleo.expect_published::<Value>("ticket/1", "said").await, said);
    ada.expect::<PresenceChange<Person>>(PRESENCE).await;
    let change: PresenceChange<Person> = ada.expect(PRESENCE).await;
    assert_eq!(change.joined[0].info.name, "cleo");
    let here: Vec<Value> = ada.request("here", &1).await.unwrap();
    assert_eq!(here.len(), 2);

    cleo.emit("typing", &1).await;
    assert_eq!(ada.expect_published::<String>("ticket/1", "typing").await, "cleo");
    cleo.unsubscribe("ticket/1").await;
    assert_eq!(ada.expect::<PresenceChange<Person>>(PRESENCE).await.left.len(), 1);
}

#[actix_web::test]
async fn an_attachment_goes_up_and_down() {
    let desk = desk().await;
    let (mut ada, mut ben) = (visit(&desk, "ada").await, visit(&desk, "ben").await);
    ada.subscribe("ticket/1", Since::Now).await.unwrap();
    let part = Bytes::from(vec![7; 100_000]);
    let about = json!({"ticket": 1, "name": "sheet.png"});
    let file: u64 = ada.upload("attach", &about, vec![part; 5]).await.unwrap();
    let attached: Value = ada.expect_published("ticket/1", "attached").await;
    let expected = json!({"who": "ada", "file": file, "name": "sheet.png", "size": 500_000});
    assert_eq!(attached, expected);

    let parts = ada.stream_raw("file", &file).await.unwrap();
    let size: usize = parts.iter().filter_map(|part| part.bytes.as_ref()).map(Bytes::len).sum();
    assert_eq!(size, 500_000);
    assert_eq!(ben.stream_raw("file", &file).await.unwrap_err().code(), "no-such-file");
    let large = vec![Bytes::from(vec![7; 100_000]); 84];
    let refused = ada.upload::<_, u64>("attach", &about, large).await.unwrap_err();
    assert_eq!(refused.code(), "too-large");
}

#[actix_web::test]
async fn an_agent_asks_a_page_and_sends_somebody_away() {
    let desk = desk().await;
    let (mut ada, mut cleo) = (visit(&desk, "ada").await, visit(&desk, "cleo").await);
    let of = ada.id().to_string();
    let refused = ada.request::<_, Value>("probe", &of).await.unwrap_err();
    assert_eq!(refused.code(), "agents-only");
    let asked = cleo.ask("probe", &of).await;
    let question = ada.expect_request::<String>("how-are-you").await;
    assert_eq!(question.payload, "cleo");
    ada.reply(question, "well").await;
    assert_eq!(cleo.answer::<Value>(asked).await.unwrap()["page"], "well");
    let () = cleo.request("send-away", &of).await.unwrap();
    let close = ada.expect_close().await;
    assert_eq!(close.code, CloseCode::application(SENT_AWAY).unwrap());
}
