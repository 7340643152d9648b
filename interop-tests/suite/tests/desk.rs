//! The support desk (`server/examples/desk`), used by native clients over every transport and over
//! HTTP/2. Its page is used by `interop-tests/browser/desk.mjs`.

use std::future::ready;
use std::net::{SocketAddr, TcpListener};
use std::process::Stdio;
use std::time::{Duration, Instant};

use actix_web::dev::ServerHandle;
use bowline_client::{
    Client, Received, RequestError, Since, Status, SubscribeError, Subscription, TopicItem,
    Transport,
};
use bowline_desk::{Desk, LOGGED_OUT, SENT_AWAY};
use bowline_fixtures::authority::{Authority, trusting};
use bowline_fixtures::within_a_minute;
use bowline_raw_client::RawClient;
use futures::StreamExt as _;
use futures::future::join_all;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;
use tokio_rustls::rustls::ServerConfig;

const TRANSPORTS: [Transport; 3] = [Transport::WebSocket, Transport::Sse, Transport::Polling];

#[tokio::test]
async fn the_desk_works_over_every_transport() {
    for transport in TRANSPORTS {
        within_a_minute(visit(&Office::open(None), transport)).await;
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_desk_works_over_http2() {
    let visits = async |authority: Authority| {
        for transport in TRANSPORTS {
            visit(&Office::open(Some(authority.certify(&["localhost"]))), transport).await;
        }
    };
    let test = "the_desk_works_over_http2";
    within_a_minute(trusting(env!("CARGO_TARGET_TMPDIR"), test, visits)).await;
}

#[tokio::test]
async fn nobody_comes_in_without_a_login() {
    within_a_minute(async {
        let office = Office::open(None);
        for transport in TRANSPORTS {
            let stranger = client(&office.url, transport, "desk=forged");
            let refused = stranger.connect().await.unwrap_err();
            assert!(refused.to_string().contains("log in first"), "{transport}: {refused}");
        }
        assert_eq!(log_in(office.plain, "ada", "wrong").await, None);
    })
    .await;
}

#[cfg(unix)]
#[tokio::test]
async fn on_sigterm_everyone_is_told_and_the_desk_ends() {
    within_a_minute(async {
        let mut program = Command::new(env!("CARGO_BIN_EXE_desk-host"));
        program.arg("/nowhere").stdout(Stdio::piped()).kill_on_drop(true);
        let mut desk = program.spawn().unwrap();
        let mut lines = BufReader::new(desk.stdout.take().unwrap()).lines();
        let urls: Value = serde_json::from_str(&lines.next_line().await.unwrap().unwrap()).unwrap();
        let url = urls["plain"].as_str().unwrap();
        let at = url.strip_prefix("http://").unwrap().parse().unwrap();
        let cookie = log_in(at, "ada", "knot").await.unwrap();
        let url = format!("{url}/bowline");
        let clients = TRANSPORTS.map(|transport| client(&url, transport, &cookie));
        for client in &clients {
            client.connect().await.unwrap();
        }
        let waits = clients.each_ref().map(|client| {
            client.status_stream().filter(|status| ready(matches!(status, Status::Waiting { .. })))
        });
        let process = desk.id().unwrap().to_string();
        assert!(Command::new("kill").args(["-TERM", &process]).status().await.unwrap().success());
        for mut waiting in waits {
            waiting.next().await.expect("the client is told to come back later");
        }
        let begun = Instant::now();
        assert!(desk.wait().await.unwrap().success());
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    })
    .await;
}

/// What a customer and an agent do in a day.
async fn visit(office: &Office, transport: Transport) {
    let ada = office.enter("ada", transport).await;
    let tickets: Value = ada.client.request("tickets", &()).await.unwrap();
    let subjects = tickets.as_array().unwrap().iter().map(|ticket| ticket["id"].clone());
    assert!(subjects.eq([1, 3]), "{tickets}");
    let other = ada.client.subscribe("ticket/2").await;
    assert!(matches!(other, Err(SubscribeError::NotGranted { .. })));
    refused("no-such-ticket", ada.say(2, "not mine").await);
    let mut ticket = ada.client.subscribe("ticket/1").await.unwrap();
    ada.say(1, "it slips").await.unwrap();
    assert_eq!(published(&mut ticket, "said").await["text"], "it slips");

    // Who comes late finds what was said, and is seen.
    let mut seen = ada.client.on("bowline.presence");
    let cleo = office.enter("cleo", transport).await;
    let mut late = cleo.client.subscribe("ticket/1").since(Since::Last(1)).await.unwrap();
    let expected = json!({ "who": "ada", "text": "it slips" });
    assert_eq!(published(&mut late, "said").await, expected);
    loop {
        let change: Value = seen.next().await.unwrap().unwrap().payload;
        if change["joined"][0]["info"]["name"] == "cleo" {
            break;
        }
    }
    assert!(cleo.client.emit_volatile("typing", &1));
    assert_eq!(published(&mut ticket, "typing").await, "cleo");

    // Over HTTP/2 actix notices a stream that was reset only when it writes to it, with the next
    // heartbeat.
    if transport == Transport::WebSocket || office.url.starts_with("http:") {
        is_seen_to_be_away(&ada, &cleo).await;
    }

    // The agent's tools, which customers do not have.
    let of = ada.client.session_id().unwrap().to_string();
    refused("agents-only", ada.client.request("probe", &of).await);
    ada.client.handle("how-are-you", |asked: Received<String>| async move {
        Ok(format!("well, {}", asked.payload))
    });
    let probed: Value = cleo.client.request("probe", &of).await.unwrap();
    assert_eq!(probed["page"], "well, cleo");
    let () = cleo.client.request("send-away", &of).await.unwrap();
    assert_eq!(ada.closed().await, SENT_AWAY);

    // A logout ends every session of the user, and no other.
    let (one, other) = (office.enter("ben", transport).await, office.enter("ben", transport).await);
    office.log_out(&one.cookie).await;
    assert_eq!((one.closed().await, other.closed().await), (LOGGED_OUT, LOGGED_OUT));
    cleo.say(1, "still here").await.unwrap();
    assert_eq!(cleo.client.transport(), Some(transport));
}

/// The payload of the next message of a ticket, which has to have this name.
async fn published(ticket: &mut Subscription, name: &str) -> Value {
    match ticket.next().await {
        Some(TopicItem::Message(message)) if message.name == name => message.decode().unwrap(),
        other => panic!("{name} was expected, not {other:?}"),
    }
}

/// The agent sees that the customer's network is gone, and that it is back.
async fn is_seen_to_be_away(ada: &Visitor, cleo: &Visitor) {
    let mut seen = cleo.client.on("bowline.presence");
    let mut told = async |away: Value| loop {
        let change: Value = seen.next().await.unwrap().unwrap().payload;
        let of = &change["joined"][0];
        if (&of["info"]["name"], &of["away"]) == (&json!("ada"), &away) {
            break;
        }
    };
    ada.client.suspend();
    told(json!(true)).await;
    ada.client.wake();
    told(Value::Null).await;
}

#[track_caller]
fn refused(code: &str, outcome: Result<Value, RequestError>) {
    match outcome {
        Err(RequestError::Failed { code: told, .. }) => assert_eq!(&*told, code),
        other => panic!("{code} was expected, not {other:?}"),
    }
}

/// Where the desk is.
struct Office {
    url: String,
    /// For the login, whose transport does not matter.
    plain: SocketAddr,
    handles: Vec<ServerHandle>,
}

/// Somebody who has logged in.
struct Visitor {
    client: Client,
    cookie: String,
}

impl Office {
    fn open(tls: Option<ServerConfig>) -> Self {
        // The page is of no use here.
        let desk = Desk::new("/nowhere".into());
        let ((plain, at), (secure, secure_at)) = (bind(), bind());
        let url = match tls {
            Some(_) => format!("https://localhost:{}/bowline", secure_at.port()),
            None => format!("http://{at}/bowline"),
        };
        let (told, handles) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let servers =
                    [desk.server(plain, None).unwrap(), desk.server(secure, tls).unwrap()];
                told.send(servers.iter().map(|server| server.handle()).collect()).unwrap();
                join_all(servers).await;
            });
        });
        Self { url, plain: at, handles: handles.recv().unwrap() }
    }

    async fn log_out(&self, cookie: &str) {
        let mut page = RawClient::connect(self.plain).await.unwrap();
        page.request("POST", "/logout", &[("Cookie", cookie)], "").await.unwrap();
        assert_eq!(page.response().await.unwrap().head.status, 204);
    }

    async fn enter(&self, name: &str, transport: Transport) -> Visitor {
        let cookie = log_in(self.plain, name, "knot").await.expect("the password is right");
        let client = client(&self.url, transport, &cookie);
        client.connect().await.unwrap();
        Visitor { client, cookie }
    }
}

impl Drop for Office {
    fn drop(&mut self) {
        for handle in &self.handles {
            drop(handle.stop(false));
        }
    }
}

impl Visitor {
    async fn say(&self, ticket: u32, text: &str) -> Result<Value, RequestError> {
        self.client.request("say", &json!({ "ticket": ticket, "text": text })).await
    }

    /// The code with which the session has ended for good.
    async fn closed(&self) -> u16 {
        let closed = self.client.status_stream().filter_map(async |status| match status {
            Status::Closed { code, .. } => Some(code.get()),
            _ => None,
        });
        std::pin::pin!(closed).next().await.expect("the session ends")
    }
}

/// The cookie, if the password is right.
async fn log_in(at: SocketAddr, name: &str, password: &str) -> Option<String> {
    let mut page = RawClient::connect(at).await.unwrap();
    let login = json!({ "name": name, "password": password }).to_string();
    let headers = [("Content-Type", "application/json")];
    page.request("POST", "/login", &headers, login).await.unwrap();
    let answer = page.response().await.unwrap();
    let cookie = answer.head.header("set-cookie")?;
    Some(cookie.split(';').next().unwrap().to_owned())
}

fn client(url: &str, transport: Transport, cookie: &str) -> Client {
    let client = Client::builder(url).transports([transport]);
    client.header("cookie", cookie).build().unwrap()
}

fn bind() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}
