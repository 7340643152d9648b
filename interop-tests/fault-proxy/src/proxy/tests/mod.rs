//! Every fault against a server that echoes.

mod answers;
mod connections;
mod requests;

use std::time::Instant;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::*;

/// Echoes: the body of a request, or the bytes of a connection that does not speak HTTP or was
/// upgraded.
struct Echo {
    addr: SocketAddr,
    /// Every request as it arrived.
    requests: mpsc::UnboundedReceiver<String>,
    _task: JoinSet<()>,
}

impl Echo {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (log, requests) = mpsc::unbounded_channel();
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let log = log.clone();
                connections.spawn(async move { drop(echo(stream, log).await) });
            }
        });
        Self { addr, requests, _task: task }
    }
}

async fn echo(stream: TcpStream, log: mpsc::UnboundedSender<String>) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    while stream.fill_buf().await?.first().is_some_and(u8::is_ascii_uppercase) {
        let (head, body) = read_message(&mut stream).await?;
        let upgrade = head.contains("Upgrade:");
        log.send(format!("{head}{body}")).unwrap();
        let answer = if upgrade {
            "HTTP/1.1 101 Switching Protocols\r\n\r\n".to_owned()
        } else {
            format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
        };
        stream.write_all(answer.as_bytes()).await?;
        if head.contains("Connection: close") {
            return stream.shutdown().await;
        }
        if upgrade {
            break;
        }
    }
    let (mut read, mut write) = tokio::io::split(stream);
    tokio::io::copy(&mut read, &mut write).await?;
    write.shutdown().await
}

/// The head and the body of a request or a response.
async fn read_message(stream: &mut BufReader<TcpStream>) -> io::Result<(String, String)> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).await?;
    Ok((head, String::from_utf8(body).unwrap()))
}

/// One connection through the proxy.
struct Client(BufReader<TcpStream>);

impl Client {
    async fn connect(proxy: &FaultProxy) -> Self {
        Self(BufReader::new(TcpStream::connect(proxy.addr()).await.unwrap()))
    }

    async fn echoes(&mut self, text: &str) -> bool {
        self.0.write_all(text.as_bytes()).await.unwrap();
        let mut back = vec![0; text.len()];
        self.0.read_exact(&mut back).await.is_ok() && back == text.as_bytes()
    }

    async fn send(&mut self, request: &str) -> io::Result<(String, String)> {
        self.0.write_all(request.as_bytes()).await?;
        read_message(&mut self.0).await
    }

    /// What is left to read, and how it ends.
    async fn end(&mut self) -> io::Result<Vec<u8>> {
        let mut rest = Vec::new();
        self.0.read_to_end(&mut rest).await.map(|_| rest)
    }
}

const UPGRADE: &str = "GET /ws HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
const GET: &str = "GET / HTTP/1.1\r\n\r\n";

fn post(body: &str) -> String {
    format!("POST / HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// Runs a story that has to end within a generous time.
async fn story(run: impl AsyncFnOnce(FaultProxy, Echo)) {
    let server = Echo::start().await;
    let proxy = FaultProxy::start(server.addr).await.unwrap();
    tokio::time::timeout(Duration::from_secs(20), run(proxy, server)).await.expect("in time");
}
