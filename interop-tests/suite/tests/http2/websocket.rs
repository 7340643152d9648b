//! WebSockets stay on HTTP/1.1: HTTP/2 has no upgrades. Spec: 02-carriers, "WebSocket".

use bowline_fixtures::within_a_minute;
use h2::ext::Protocol;

use super::client::{Connection, open, serve};

#[tokio::test]
async fn a_websocket_is_refused_with_words_that_say_where_it_goes() {
    within_a_minute(async {
        let server = serve(|builder| builder);
        let connection = Connection::open(&server).await;
        let request = connection.request("GET", "ws").header("sec-websocket-version", "13");
        let answer = connection.send(request, "").await.unwrap();
        assert_eq!(answer.status, 426);
        // An upgrade is what HTTP/2 may not speak of.
        assert_eq!(answer.headers.get("upgrade"), None);
        assert_eq!(answer.headers.get("connection"), None);
        let text = answer.text().await;
        assert!(text.contains("over HTTP/2 there are none, only over HTTP/1.1"), "{text}");
    })
    .await;
}

#[tokio::test]
async fn an_extended_connect_is_refused_and_the_connection_goes_on() {
    within_a_minute(async {
        let server = serve(|builder| builder);
        let connection = Connection::open(&server).await;
        let request = connection.request("CONNECT", "ws").extension(Protocol::from("websocket"));
        let request = request.header("sec-websocket-version", "13");
        let refused = connection.send(request, "").await.err().expect("no WebSocket");
        assert_eq!(refused.reason(), Some(h2::Reason::PROTOCOL_ERROR), "{refused}");
        let answer = connection.post("poll", &open()).await;
        assert_eq!(answer.status, 200);
    })
    .await;
}
