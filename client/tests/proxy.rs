//! WebSockets use the proxy that the environment configures.

use std::process::Stdio;
use std::time::Duration;

use bowline_client::{Client, Transport};
use futures::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};

#[tokio::test]
async fn a_web_socket_without_tls_asks_the_proxy_for_a_tunnel() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = format!("http://me:secret@{}", listener.local_addr().unwrap());
    let mut child = tokio::task::spawn_blocking(move || run_client(&proxy));
    let conversation = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let asked = read_head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.unwrap();
        serve(stream).await;
        asked
    };
    // A client that fails ends the test, too.
    let asked = tokio::select! {
        asked = conversation => asked,
        output = &mut child => panic!("{}", output.unwrap().unwrap_err()),
    };
    assert!(asked.starts_with("CONNECT server.invalid:80 HTTP/1.1\r\n"), "{asked}");
    assert!(asked.contains("\r\nProxy-Authorization: Basic bWU6c2VjcmV0\r\n"), "{asked}");
    child.await.unwrap().unwrap();
}

/// Runs the test below in a process of its own, because the environment belongs to the whole
/// process.
fn run_client(proxy: &str) -> Result<(), String> {
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "the_client_behind_the_proxy", "--ignored"]);
    for variable in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"] {
        command.env_remove(variable).env_remove(variable.to_lowercase());
    }
    let output = command.env("http_proxy", proxy).stderr(Stdio::piped()).output().unwrap();
    if output.status.success() {
        return Ok(());
    }
    Err(format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    ))
}

#[tokio::test]
#[ignore = "run by the test above, with a proxy in its environment"]
async fn the_client_behind_the_proxy() {
    let client = Client::builder("ws://server.invalid/bowline")
        .transports([Transport::WebSocket])
        .header("x-flavour", "plain")
        .build()
        .unwrap();
    let talk = async {
        client.connect().await.unwrap();
        assert_eq!(client.request::<_, _, String>("echo", "hello").await.unwrap(), "hello");
        client.close().await;
    };
    tokio::time::timeout(Duration::from_secs(10), talk).await.expect("nothing happens");
}

/// The server at the other end of the tunnel: sends a welcome, answers one request, closes.
async fn serve(stream: TcpStream) {
    let mut socket = tokio_tungstenite::accept_hdr_async(stream, check_header).await.unwrap();
    let welcome = "welcome sid=AAAAAAAA.AAAAAAAAAAAAAAAA secret=AAAAAAAAAAAAAAAAAAAAAA recv=0 \
                   next=1 heartbeat=25000 grace=15000 window=120000 packet=1048576 batch=2097152";
    while let Some(Ok(message)) = socket.next().await {
        let Message::Text(text) = message else { continue };
        for line in text.lines() {
            let answer = match line.split_once(' ') {
                Some(("open", _)) => welcome.to_owned(),
                Some(("q", rest)) => format!("r 1 {}", rest.split_once(' ').unwrap().1),
                Some(("h", token)) => format!("a {token}"),
                Some(("x", _)) => line.to_owned(),
                _ => continue,
            };
            socket.send(Message::text(answer)).await.unwrap();
        }
    }
}

#[expect(clippy::result_large_err, reason = "tungstenite's signature")]
fn check_header(request: &Request, response: Response) -> Result<Response, ErrorResponse> {
    assert_eq!(request.headers()["x-flavour"], "plain");
    Ok(response)
}

async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap().into());
    }
    head
}
