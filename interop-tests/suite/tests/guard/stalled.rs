//! Peers that stop in the middle of what they say.

use std::time::Duration;

use bowline_fixtures::test_server::Listening;
use bowline_fixtures::within_a_minute;
use bowline_raw_client::RawClient;

use bytes::Bytes;
use tokio::net::TcpStream;

use super::scene::{Scene, assert_ended, open};

const HEAD: &str = "POST /bowline/poll HTTP/1.1\r\nHost: x\r\n";

#[tokio::test]
async fn a_connection_that_stalls_in_its_second_head_is_ended_whatever_the_first_was_for() {
    within_a_minute(async {
        for as_middleware in [false, true] {
            let scene = Scene::with(|builder| builder, as_middleware, Listening::Plain);
            for first in ["/bowline/health", "/bowline/unknown", "/nothing", "/large"] {
                let mut client = scene.connect().await;
                client.get(first).await.expect("it is answered");
                client.send(HEAD).await.expect("the server reads");
                assert_ended(client).await;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_head_that_comes_byte_by_byte_is_no_request() {
    within_a_minute(async {
        let scene = Scene::start();
        let mut client = scene.connect().await;
        client.get("/bowline/health").await.expect("it is answered");
        let mut beat = tokio::time::interval(Duration::from_millis(50));
        let mut bytes = HEAD.bytes().chain(std::iter::repeat(b'x'));
        let sent = async {
            loop {
                beat.tick().await;
                let byte = bytes.next().expect("it has no end");
                if client.send([byte]).await.is_err() {
                    break;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(10), sent).await.expect("it is ended");
    })
    .await;
}

#[tokio::test]
async fn a_peer_that_closes_its_half_in_the_middle_of_a_head_is_not_waited_for() {
    within_a_minute(async {
        let scene = Scene::start();
        let mut client = scene.connect().await;
        client.get("/bowline/health").await.expect("it is answered");
        client.send("GET /bowl").await.expect("the server reads");
        client.finish().await.expect("the server listens");
        assert_ended(client).await;
    })
    .await;
}

#[tokio::test]
async fn a_connection_over_http_2_is_ended_when_it_asks_for_nothing() {
    within_a_minute(async {
        let scene = Scene::with(|builder| builder, false, Listening::Either);
        let stream = TcpStream::connect(scene.server.address()).await.expect("it listens");
        let handshake = h2::client::handshake(stream).await;
        // It answers pings, by which actix finds out who is gone.
        let (_requests, connection): (h2::client::SendRequest<Bytes>, _) =
            handshake.expect("the server speaks HTTP/2");
        let _ = connection.await;
    })
    .await;
}

/// Answers that come before the end of a chunked body, without a guard: the connection is closed
/// behind them.
#[tokio::test]
async fn nobody_waits_for_the_rest_of_a_body_that_was_answered() {
    within_a_minute(async {
        let scene = Scene::with(
            |builder| {
                let patient = Duration::from_secs(600);
                let short = Duration::from_millis(100);
                builder.idle_timeout(patient).handshake_timeout(short).publish_token(TOKEN)
            },
            false,
            Listening::Plain,
        );
        let origin = "Origin: http://evil.test\r\n";
        let token = format!("Authorization: Bearer {TOKEN}\r\n");
        let huge = format!("{:x}\r\n{}\r\n", HUGE, "x".repeat(HUGE));
        let table = [
            ("poll", "", "4\r\nopen\r\n", 408),
            ("poll", origin, "4\r\nopen\r\n", 403),
            ("sse", "", "4\r\nopen\r\n", 408),
            ("post", "", "4\r\nopen\r\n", 408),
            ("post", "", &huge, 413),
            ("ticket", "", "4\r\nopen\r\n", 408),
            ("health", "", "4\r\nopen\r\n", 405),
            ("unknown", "", "4\r\nopen\r\n", 404),
            ("publish", "", "4\r\nopen\r\n", 401),
            ("publish", &token, "4\r\nopen\r\n", 413),
        ];
        for (endpoint, headers, body, status) in table {
            let head = format!("POST /bowline/{endpoint} HTTP/1.1\r\nHost: x\r\n{headers}");
            let mut client =
                scene.sent(format!("{head}Transfer-Encoding: chunked\r\n\r\n{body}")).await;
            let answer = client.response().await.expect("it is answered");
            assert_eq!(answer.head.status, status, "{endpoint}");
            assert_eq!(answer.head.header("connection"), Some("close"), "{endpoint}");
            assert_closed(client, endpoint).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_body_that_is_read_whole_leaves_its_connection_open() {
    within_a_minute(async {
        let scene = Scene::start();
        let mut client = scene.connect().await;
        for _ in 0..3 {
            let body = open();
            let chunked = format!(
                "Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
                body.len()
            );
            client.send(format!("{HEAD}{chunked}")).await.expect("the server reads");
            let answer = client.response().await.expect("it is answered");
            assert_eq!((answer.head.status, answer.head.header("connection")), (200, None));
        }
    })
    .await;
}

async fn assert_closed(mut client: RawClient, endpoint: &str) {
    let rest = client.rest().await.unwrap_or_else(|error| panic!("{endpoint}: {error}"));
    assert_eq!(rest, "", "{endpoint}");
}

const TOKEN: &str = "a token of the tests";
const HUGE: usize = 3 * 1024 * 1024;
