//! The numbers of 08-limits that are not about memory.

use bowline_fixtures::app;
use bowline_fixtures::nodes::{Bus, Nodes, stats};
use bowline_fixtures::within_a_minute;
use bowline_raw_client::{Frame, RawClient};
use bowline_server::broker::{Broker as _, Entry, LocalBroker};

use super::journal;
use super::scene::{Scene, Session, assert_refused, open, open_key};

#[tokio::test]
async fn a_packet_of_the_limit_is_taken_in_every_form_and_a_larger_one_in_none() {
    const LIMIT: usize = 1024;
    let scene = Scene::with(|builder| builder.max_packet(LIMIT));
    let mut innocent = scene.innocent().await;
    let text = |length: usize| format!("v t \"{}\"", "a".repeat(length - 6));
    // A line of 7 bytes, a newline and raw bytes are one packet; here as the text of it.
    let base64_length = |length: usize| "V t ".len() + length;
    // "V t", a newline and as many bytes as are left, 3 for 4 characters.
    let fitting = (LIMIT - base64_length(0)) / 3 * 4;
    let based = |length: usize| format!("V t {}", "A".repeat(length));

    let (_, mut socket) = scene.open().await;
    socket.say(&text(LIMIT)).await;
    socket.say(&based(fitting)).await;
    let raw = [b"Q reverse \"a\"\n".as_slice(), &[7; LIMIT - 14]].concat();
    assert_eq!(raw.len(), LIMIT);
    socket.frame(Frame::FIN | Frame::BINARY, &raw).await;
    let reply = loop {
        let frame = socket.next_frame().await;
        if frame.opcode == Frame::BINARY {
            break frame.payload;
        }
    };
    assert_eq!(reply.len(), b"R 1 \"a\"\n".len() + LIMIT - 14);

    for line in [text(LIMIT + 1), based(fitting + 4)] {
        let (session, mut socket) = scene.open().await;
        socket.say(&line).await;
        socket.assert_closed("x 4305").await;
        journal::assert_logged(&["WARN", &session.id, "larger than the limit"]);
        for endpoint in ["sse", "poll"] {
            let body = open() + "\n" + &line;
            assert_refused(&scene.post(endpoint, body).await, 413, 4305);
        }
        let session = scene.open_polling().await;
        let body = session.attach("recv=0 next=1") + "\n" + &line;
        assert_refused(&scene.post("post", body).await, 413, 4305);
        innocent.assert_served().await;
    }
    let (_, mut socket) = scene.open().await;
    socket.frame(Frame::FIN | Frame::BINARY, [raw, vec![7]].concat()).await;
    socket.assert_closed("x 4305").await;
    innocent.assert_served().await;
}

#[tokio::test]
async fn json_of_any_depth_is_a_failure_and_no_crash() {
    let scene = Scene::start();
    let mut innocent = scene.innocent().await;
    let (_, mut socket) = scene.open().await;
    for (number, depth) in (1..).zip([128, 129, 100_000]) {
        let json = "[".repeat(depth) + &"]".repeat(depth);
        socket.say(&format!("q echo-dynamic {json}")).await;
        let answer = socket.line().await;
        assert!(answer.starts_with(&format!("f {number} invalid-payload ")), "{answer}");
        innocent.assert_served().await;
    }
    let open = "{\"a\":".repeat(100_000);
    socket.say(&format!("q echo-dynamic {open}")).await;
    assert!(socket.line().await.starts_with("f 4 invalid-payload "));
    let shallow = "[".repeat(100) + &"]".repeat(100);
    socket.say(&format!("q echo-dynamic {shallow}")).await;
    assert_eq!(socket.line().await, format!("r 5 {shallow}"));
    innocent.assert_served().await;
}

#[tokio::test]
async fn sessions_over_the_limit_come_later() {
    let scene = Scene::with(|builder| builder.max_sessions(2));
    let mut innocent = scene.innocent().await;
    let first = open();
    let session = Session::welcomed(scene.post("poll", &first).await.text());
    let close = "x 4200 retry=30000 \"max_sessions is reached\"";
    for endpoint in ["sse", "poll", "ticket"] {
        let refused = scene.post(endpoint, open()).await;
        assert_refused(&refused, 503, 4200);
        assert_eq!(refused.text(), close);
        assert_eq!(refused.head.header("retry-after"), Some("30"));
    }
    scene.websocket(&open()).await.assert_closed(close).await;
    journal::assert_logged(&["4200", "max_sessions is reached"]);
    innocent.assert_served().await;

    // Those who are in may come and go, and repeat what opened them.
    let again = scene.post("poll", first.replace("n=1", "n=2")).await;
    assert!(session.mask(again.text()).starts_with("welcome sid=SID secret=SECRET "));
    let closed = scene.post("post", session.attach("recv=0 next=1") + "\nx 1000").await;
    assert_eq!(closed.text(), "c 0\nx 1000");
    let polled = scene.post("poll", session.attach("n=3 recv=0 next=1")).await;
    assert!(matches!(polled.text(), "x 4100" | "n 1\nx 1000"), "{}", polled.text());
    Session::welcomed(scene.post("poll", open()).await.text());
}

#[tokio::test]
async fn an_address_opens_no_more_sessions_in_a_time_than_allowed() {
    let scene = Scene::with(|builder| builder.max_sessions_per_address(3).max_opens_per_address(1));
    let mut innocent = scene.innocent().await;
    // One is open, and three at once are allowed; another one each second.
    let mut refused = loop {
        let opened = scene.post("poll", open() + "\nx 1000").await;
        if !opened.text().ends_with("x 1000") {
            break opened;
        }
    };
    assert_refused(&refused, 503, 4200);
    assert_eq!(refused.text(), "x 4200 retry=30000 \"max_opens_per_address is reached\"");
    // Nobody waits for half a minute in vain.
    while refused.head.status == 503 {
        refused = scene.post("poll", open()).await;
    }
    Session::welcomed(refused.text());
    innocent.assert_served().await;
}

#[tokio::test]
async fn a_session_joins_no_more_rooms_than_allowed() {
    let scene = Scene::with(|builder| builder.max_rooms_per_session(2));
    let (_, mut socket) = scene.open().await;
    socket.say("q join \"a\"\nq join \"b\"\nq join \"a\"\nq join \"c\"").await;
    for number in 1..=3 {
        assert_eq!(socket.line().await, format!("r {number}"));
    }
    assert_eq!(socket.line().await, "f 4 too-many-rooms");
    socket.say("e leave \"a\"\nq join \"c\"").await;
    assert_eq!(socket.line().await, "r 6");
    for name in ["".to_owned(), "n".repeat(129)] {
        socket.say(&format!("q join \"{name}\"")).await;
        assert!(socket.line().await.ends_with(" invalid-room"));
    }
    scene.innocent().await.assert_served().await;
}

#[tokio::test]
async fn opens_that_are_refused_leave_no_key_in_the_directory() {
    let broker = LocalBroker::new();
    let scene = Scene::with(|builder| builder.broker(broker.neighbour()).max_sessions(1));
    let _innocent = scene.innocent().await;
    let key = open_key();
    let refused = scene.post("poll", format!("open v=1 key={key} n=1")).await;
    assert_refused(&refused, 503, 4200);
    assert_forgotten(&broker, &key).await;
    let scene = Scene::with(|builder| builder.broker(broker.neighbour()));
    let key = open_key();
    let refused = scene.post("poll", format!("open v=1 key={key} n=1 \"wrong\"")).await;
    assert!(refused.text().contains("x 4300"), "{}", refused.text());
    assert_forgotten(&broker, &key).await;
    let key = open_key();
    Session::welcomed(scene.post("poll", format!("open v=1 key={key} n=1")).await.text());
    assert!(broker.directory(&format!("k:{key}"), Entry::Read).await.unwrap().is_some());
}

/// Waits until the directory knows nothing of an open key.
async fn assert_forgotten(broker: &LocalBroker, key: &str) {
    within_a_minute(async {
        while broker.directory(&format!("k:{key}"), Entry::Read).await.unwrap().is_some() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_token_to_publish_with_is_not_found_by_trying() {
    let scene = Scene::with(|builder| {
        builder.publish_token("the right bearer token").trusted_proxies(["127.0.0.1"])
    });
    let publish = async |from: &str, token: &str| {
        let token = format!("Bearer {token}");
        let headers = [("x-forwarded-for", from), ("authorization", &*token)];
        let mut client = scene.connect().await;
        let body = r#"{"event": "news", "everyone": true}"#;
        client.request("POST", "/bowline/publish", &headers, body).await.unwrap();
        client.response().await.unwrap()
    };
    for number in 0..10 {
        let refused = publish("192.0.2.1", &format!("wrong {number}")).await;
        assert_eq!(refused.head.status, 401);
    }
    let refused = publish("192.0.2.1", "the right bearer token").await;
    assert_eq!((refused.head.status, refused.head.header("retry-after")), (429, Some("60")));
    journal::assert_logged(&["WARN", "without the token", "from 192.0.2.1"]);
    for _ in 0..30 {
        assert_eq!(publish("192.0.2.2", "the right bearer token").await.head.status, 200);
    }
}

#[tokio::test]
async fn a_large_body_is_not_passed_on_to_another_node_without_the_secret() {
    journal::record();
    within_a_minute(async {
        let nodes = Nodes::start_with(Bus::Local, 2, app::builder).await;
        let post = async |node: usize, endpoint: &str, body: String| {
            let address = nodes.servers[node].address();
            let mut client = RawClient::connect(address).await.expect("the node listens");
            client.post(&format!("/bowline/{endpoint}"), body).await.expect("it answers")
        };
        let session = Session::welcomed(post(0, "poll", open()).await.text());
        let large = format!("\nv t \"{}\"", "a".repeat(900_000));
        let forged = Session { secret: "A".repeat(22), ..session.clone() };
        for endpoint in ["post", "poll", "sse"] {
            let body = forged.attach("n=2 recv=0 next=1") + &large;
            assert_refused(&post(1, endpoint, body).await, 404, 4100);
        }
        assert_eq!(stats(&nodes.servers[1]).relayed, 0);
        let body = session.attach("recv=0 next=1") + &large;
        assert_eq!(post(1, "post", body).await.text(), "c 0");
        assert_eq!(stats(&nodes.servers[1]).relayed, 1);
    })
    .await;
}
