//! Peers that stop reading.

use std::time::Duration;

use bowline_fixtures::test_server::Listening;
use bowline_fixtures::within_a_minute;
use bowline_raw_client::RawClient;
use bowline_server::EmitError;

use super::scene::{LARGE, Scene, open};

#[derive(Debug, Clone, Copy)]
enum Carrier {
    WebSocket,
    Sse,
}

#[tokio::test]
async fn a_carrier_that_is_not_read_is_cut() {
    within_a_minute(async {
        for carrier in [Carrier::WebSocket, Carrier::Sse] {
            let scene = Scene::with(|builder| builder.outbox_limit(LARGE), false, Listening::Plain);
            let mut client = scene.connect().await;
            let welcome = match carrier {
                Carrier::WebSocket => {
                    client.upgrade("/bowline/ws", &[]).await.expect("it is answered");
                    client.send_text(&open()).await.expect("the server reads");
                    client.frame().await.expect("it is welcomed").expect("it is open").payload
                }
                Carrier::Sse => {
                    client.request("POST", "/bowline/sse", &[], open()).await.expect("it reads");
                    client.head().await.expect("it is answered");
                    client.chunk().await.expect("it goes on").expect("it is welcomed")
                }
            };
            let welcome = std::str::from_utf8(&welcome).expect("it is text");
            let id = welcome.split(' ').find_map(|pair| pair.strip_prefix("sid="));
            let session = id.and_then(|id| id.parse().ok()).expect("a welcome has a session");
            let socket = scene.server.bowline().socket(&session).expect("it lives");
            let piece = "x".repeat(64 * 1024);
            while !matches!(
                socket.emit("piece", &piece),
                Err(EmitError::Full { .. } | EmitError::Closed)
            ) {}
            assert_cut(client, carrier).await;
        }
    })
    .await;
}

#[tokio::test]
async fn an_answer_of_the_application_that_is_not_read_is_cut() {
    within_a_minute(async {
        let scene = Scene::start();
        let mut client = scene.connect().await;
        client.request("GET", "/large", &[], "").await.expect("the server reads");
        assert_cut(client, Carrier::Sse).await;
    })
    .await;
}

#[tokio::test]
async fn polls_that_are_not_read_are_cut() {
    within_a_minute(async {
        let scene = Scene::start();
        let mut client = scene.connect().await;
        // Each answer is small, so there are many; the server takes no more of them than it can
        // answer.
        let body = "h poll";
        let request = format!(
            "POST /bowline/poll HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let many = request.repeat(1000);
        let flood = async { while client.send(&many).await.is_ok() {} };
        tokio::time::timeout(Duration::from_secs(10), flood).await.expect("it is cut");
    })
    .await;
}

/// The peer goes on speaking, and does not read: what it sends is refused once the connection is
/// gone.
async fn assert_cut(mut client: RawClient, carrier: Carrier) {
    let mut beat = tokio::time::interval(Duration::from_millis(50));
    let cut = async {
        loop {
            beat.tick().await;
            if client.send("x").await.is_err() {
                break;
            }
        }
    };
    let patience = Duration::from_secs(10);
    tokio::time::timeout(patience, cut).await.unwrap_or_else(|_| panic!("{carrier:?} is not cut"));
}
