//! Several nodes, over every bus that connects them.

#[path = "cluster/brokers.rs"]
mod brokers;
#[path = "cluster/faults.rs"]
mod faults;
#[path = "cluster/handover.rs"]
mod handover;
#[path = "cluster/history.rs"]
mod history;
#[path = "cluster/outages.rs"]
mod outages;
#[path = "cluster/presence.rs"]
mod presence;
#[path = "cluster/relaying.rs"]
mod relaying;
#[path = "cluster/shaky.rs"]
mod shaky;
#[path = "cluster/talking.rs"]
mod talking;
#[path = "cluster/trials.rs"]
mod trials;

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Publishes as a program outside does; returns the status and the body of the answer.
async fn publish(node: SocketAddr, token: &str, body: &str) -> (String, String) {
    let mut stream = TcpStream::connect(node).await.unwrap();
    let head = format!(
        "POST /bowline/publish HTTP/1.1\r\nhost: node\r\nconnection: close\r\n\
         authorization: Bearer {token}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].to_owned(), body.to_owned())
}
