//! Whose address counts: who has connected, or whom the proxies name that are believed. Spec:
//! 09-security, "Addresses".

use bowline_fixtures::app;
use bowline_fixtures::nodes::{Bus, Nodes};
use bowline_fixtures::within_a_minute;
use bowline_raw_client::{RawClient, Response};
use bowline_server::{Attaching, BowlineBuilder, Socket};

use super::journal;
use super::scene::{Scene, Session, assert_refused, open};

const FOR: &str = "x-forwarded-for";

/// A POST that says where it comes from.
async fn post(scene: &Scene, endpoint: &str, from: (&str, &str), body: &str) -> Response {
    let mut client = scene.connect().await;
    let path = format!("/bowline/{endpoint}");
    client.request("POST", &path, &[from], body).await.expect("the server reads");
    client.response().await.expect("a POST is answered")
}

fn behind_a_proxy(builder: BowlineBuilder) -> BowlineBuilder {
    builder.trusted_proxies(["127.0.0.1", "10.0.0.0/8"])
}

#[tokio::test]
async fn a_limit_for_one_address_is_for_those_whom_the_proxy_names() {
    let scene = Scene::with(|builder| behind_a_proxy(builder).max_sessions_per_address(1));
    // Streams, so that each of them has a carrier.
    let mut streams = Vec::new();
    for (header, from) in [
        (FOR, "192.0.2.1"),
        (FOR, "203.0.113.9, 192.0.2.2, 10.0.0.7"),
        ("forwarded", "for=\"[2001:db8::1]:4711\""),
    ] {
        let mut client = scene.connect().await;
        client.request("POST", "/bowline/sse", &[(header, from)], open()).await.unwrap();
        let mut stream = super::scene::Stream::begin(client).await;
        Session::welcomed(&stream.line().await);
        streams.push(stream);
        assert_refused(&post(&scene, "poll", (header, from), &open()).await, 503, 4200);
    }
    let neighbor = (FOR, "2001:db8::2:1");
    assert_refused(&post(&scene, "poll", neighbor, &open()).await, 503, 4200);
    assert_eq!(post(&scene, "poll", (FOR, "2001:db8:0:1::1"), &open()).await.head.status, 200);
}

#[tokio::test]
async fn what_a_client_says_of_its_own_address_counts_for_nothing() {
    let scene = Scene::with(|builder| builder.max_sessions_per_address(1));
    let (_session, _socket) = scene.open().await;
    for header in [(FOR, "192.0.2.1"), ("forwarded", "for=192.0.2.1"), ("x-real-ip", "192.0.2.1")] {
        assert_refused(&post(&scene, "poll", header, &open()).await, 503, 4200);
    }
}

#[tokio::test]
async fn opens_that_nobody_comes_back_to_lock_out_nobody() {
    let scene = Scene::with(|builder| {
        builder
            .max_sessions_per_address(20)
            .max_carrierless_per_address(5)
            .max_opens_per_address(u32::MAX)
    });
    let mut innocent = scene.innocent().await;
    for _ in 0..100 {
        scene.open_polling().await;
    }
    let (_, mut newcomer) = scene.open().await;
    newcomer.say("q echo \"hello\"").await;
    assert_eq!(newcomer.line().await, "r 1 \"hello\"");
    innocent.assert_served().await;
}

#[tokio::test]
async fn a_session_that_had_to_go_is_told_so_when_its_client_comes_back() {
    let scene = Scene::with(|builder| builder.max_carrierless_per_address(1));
    let first = scene.open_polling().await;
    scene.open_polling().await;
    let poll = scene.post("poll", first.attach("n=2 recv=0 next=1")).await;
    assert_refused(&poll, 404, 4100);
    journal::assert_logged(&["INFO session ", &first.id, "ended: 4100"]);
}

#[tokio::test]
async fn logs_and_hooks_see_the_address_of_the_client() {
    let scene = Scene::with(|builder| {
        behind_a_proxy(builder)
            .on_connect(async |socket: Socket| {
                let is_right = socket.address() == Some([192, 0, 2, 77].into());
                if is_right { Ok(()) } else { Err("the wrong address") }
            })
            .on_attach(async |attaching: Attaching| {
                let is_right = attaching.address() == Some([192, 0, 2, 78].into());
                if is_right { Ok(()) } else { Err("the wrong address") }
            })
    });
    let mut client = scene.connect().await;
    client.upgrade("/bowline/ws", &[(FOR, "192.0.2.77")]).await.unwrap();
    client.send_text(&open()).await.unwrap();
    let welcome = client.frame().await.unwrap().unwrap();
    let session = Session::welcomed(welcome.text().unwrap());
    journal::assert_logged(&[&session.id, "opened, from 192.0.2.77, over websocket"]);
    let from = (FOR, "192.0.2.78");
    let poll = post(&scene, "poll", from, &session.attach("n=2 recv=0 next=1 greet=1")).await;
    assert!(poll.text().starts_with("welcome "), "{}", poll.text());
    journal::assert_logged(&[&session.id, "from 192.0.2.78, over polling"]);
    let ticket = post(&scene, "ticket", from, &session.attach("n=3 recv=0 next=1")).await;
    let ticket = ticket.text().split_once("ticket ").expect("a ticket is issued").1.to_owned();
    let mut stream = scene.connect().await;
    let path = format!("/bowline/sse?ticket={ticket}");
    stream.request("GET", &path, &[(FOR, "192.0.2.79")], "").await.unwrap();
    super::scene::Stream::begin(stream).await.line().await;
    journal::assert_logged(&[&session.id, "from 192.0.2.79, over sse"]);
}

#[tokio::test]
async fn the_node_that_holds_a_session_knows_where_a_client_is_that_lands_elsewhere() {
    journal::record();
    within_a_minute(async {
        let nodes = Nodes::start_with(Bus::Local, 2, || behind_a_proxy(app::builder())).await;
        let connect = async |node: usize| {
            RawClient::connect(nodes.servers[node].address()).await.expect("the node listens")
        };
        let post = async |node: usize, from: &str, body: String| {
            let mut client = connect(node).await;
            client.request("POST", "/bowline/poll", &[(FOR, from)], body).await.unwrap();
            client.response().await.unwrap().text().to_owned()
        };
        let session = Session::welcomed(&post(0, "192.0.2.81", open()).await);
        post(1, "192.0.2.82", session.attach("n=2 recv=0 next=1 greet=1")).await;
        let mut client = connect(1).await;
        client.upgrade("/bowline/ws", &[(FOR, "192.0.2.83")]).await.unwrap();
        client.send_text(&session.attach("n=3 recv=0 next=1")).await.unwrap();
        client.frame().await.unwrap().expect("it is welcomed");
        journal::assert_logged(&[
            &session.id,
            "moved from polling, from 192.0.2.83, over websocket",
        ]);
        let socket = nodes.servers[0].bowline().socket(&session.typed()).expect("it is there");
        assert_eq!(socket.address(), Some([192, 0, 2, 81].into()));
    })
    .await;
}
