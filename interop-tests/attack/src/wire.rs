//! What attackers say, byte by byte.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use bowline_raw_client::RawClient;

/// A first line that asks for a session that nobody has asked for before, with this to say of its
/// client.
pub(crate) fn open(auth: &str) -> String {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let number = LAST.fetch_add(1, Ordering::Relaxed);
    let space = if auth.is_empty() { "" } else { " " };
    format!("open v=1 key=key{number:018}A n=1{space}{auth}")
}

/// A POST to an endpoint, with more headers if there are any.
pub(crate) fn post(endpoint: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST /bowline/{endpoint} HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: \
            {length}\r\n\r\n{body}"
    )
}

/// A connection whose system takes little that is not read.
pub(crate) async fn narrow(address: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(4096)?;
    socket.connect(address).await
}

/// Asks whether the server is well, on a connection of its own.
pub(crate) async fn health(address: SocketAddr) -> std::io::Result<()> {
    RawClient::connect(address).await?.get("/bowline/health").await.map(drop)
}

/// A WebSocket whose upgrade was sent, and this text.
pub(crate) async fn websocket(address: SocketAddr, text: &str) -> std::io::Result<RawClient> {
    let mut client = RawClient::connect(address).await?;
    client.upgrade("/bowline/ws", &[]).await?;
    client.send_text(text).await?;
    Ok(client)
}

/// Sends requests, so many at a time on one connection, and counts the answers of each status. What
/// a server that closes the connection has not answered is sent again on the next.
pub(crate) async fn pipeline(
    address: SocketAddr,
    requests: impl Iterator<Item = String>,
    until: tokio::time::Instant,
) -> std::io::Result<Vec<(u16, usize)>> {
    let (mut requests, mut some) = (requests.fuse(), VecDeque::new());
    let mut counts: Vec<(u16, usize)> = Vec::new();
    let mut client = RawClient::connect(address).await?;
    while tokio::time::Instant::now() < until {
        some.extend(requests.by_ref().take(AT_ONCE - some.len()));
        if some.is_empty() {
            break;
        }
        client.send(some.make_contiguous().concat()).await?;
        while some.pop_front().is_some() {
            let answer = client.response().await?;
            let status = answer.head.status;
            match counts.iter_mut().find(|(known, _)| *known == status) {
                Some((_, count)) => *count += 1,
                None => counts.push((status, 1)),
            }
            if answer.head.header("connection") == Some("close") {
                client = RawClient::connect(address).await?;
                break;
            }
        }
    }
    Ok(counts)
}

/// How many answers there were of this kind.
pub(crate) fn count(counts: &[(u16, usize)], status: u16) -> usize {
    counts.iter().find(|(known, _)| *known == status).map_or(0, |(_, count)| *count)
}

/// Sends bytes and reads the head of what is answered.
pub(crate) async fn say(stream: &mut TcpStream, bytes: &str, mark: &str) -> std::io::Result<()> {
    stream.write_all(bytes.as_bytes()).await?;
    let mut read = Vec::new();
    while !read.windows(mark.len()).any(|part| part == mark.as_bytes()) {
        if stream.read_buf(&mut read).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(())
}

const AT_ONCE: usize = 16;
