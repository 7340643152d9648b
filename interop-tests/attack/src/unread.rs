//! Peers that stop reading.

use futures::FutureExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::scenario::{Attack, Held, Scenario};
use crate::wire;

pub(crate) const ROWS: &[Scenario] = &[
    Scenario {
        name: "unread-websocket",
        about: "60 WebSockets that read nothing of 4 MiB each",
        settings: &[],
        peak: 300.0,
        ends: true,
        attack: |attack| peers(attack, "websocket").boxed_local(),
    },
    Scenario {
        name: "unread-stream",
        about: "60 event streams that read nothing of 4 MiB each",
        settings: &[],
        peak: 300.0,
        ends: true,
        attack: |attack| peers(attack, "sse").boxed_local(),
    },
    Scenario {
        name: "unread-polls",
        about: "60 connections that ask for polls and read none, with a resume window of 10 s",
        settings: &["window=10"],
        peak: 300.0,
        ends: true,
        attack: |attack| peers(attack, "poll").boxed_local(),
    },
];

async fn peers(attack: &Attack, kind: &str) -> Result<Held, String> {
    let mut peers = Vec::new();
    for _ in 0..attack.scaled(60, 20) {
        let peer = one(attack, kind).await.map_err(|error| format!("a peer: {error}"))?;
        peers.push(peer);
    }
    Ok(Held::connections(peers))
}

async fn one(attack: &Attack, kind: &str) -> std::io::Result<TcpStream> {
    let mut stream = wire::narrow(attack.address).await?;
    let flood = format!("{}\ne flood", wire::open(""));
    match kind {
        "websocket" => {
            let upgrade = "GET /bowline/ws HTTP/1.1\r\nHost: x\r\nConnection: \
                Upgrade\r\nUpgrade: websocket\r\n\
                Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
            wire::say(&mut stream, upgrade, "\r\n\r\n").await?;
            let frame = bowline_raw_client::masked_frame(0x81, &flood);
            stream.write_all(&frame).await?;
        }
        "sse" => wire::say(&mut stream, &wire::post("sse", "", &flood), "sid=").await?,
        _ => {
            // Each poll is answered with the same 64 KiB, since nothing is confirmed.
            let body = format!("{}\ne fill", wire::open(""));
            let post = wire::post("poll", "", &body);
            wire::say(&mut stream, &post.repeat(100), "sid=").await?;
        }
    }
    Ok(stream)
}
