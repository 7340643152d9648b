//! Peers that stop in the middle of what they say.

use futures::FutureExt as _;
use futures::future::try_join_all;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::scenario::{Attack, Held, Scenario};
use crate::wire;

pub(crate) const ROWS: &[Scenario] = &[
    Scenario {
        name: "stalled-heads",
        about: "2,000 connections that stall in their second request head",
        settings: &[],
        peak: 100.0,
        ends: true,
        attack: |attack| heads(attack).boxed_local(),
    },
    Scenario {
        name: "stalled-bodies",
        about: "2,000 chunked bodies that go on after they were answered",
        settings: &[],
        peak: 100.0,
        ends: true,
        attack: |attack| bodies(attack).boxed_local(),
    },
];

async fn heads(attack: &Attack) -> Result<Held, String> {
    let stall = async || {
        let mut stream = TcpStream::connect(attack.address).await?;
        wire::say(&mut stream, "GET /bowline/health HTTP/1.1\r\nHost: x\r\n\r\n", "ok\n").await?;
        stream.write_all(b"GET /bowline/he").await?;
        Ok(stream)
    };
    many(attack, stall).await
}

async fn bodies(attack: &Attack) -> Result<Held, String> {
    let stall = async || {
        let mut stream = TcpStream::connect(attack.address).await?;
        let head = "POST /bowline/poll HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: \
            chunked\r\n\r\n4\r\nopen\r\n";
        stream.write_all(head.as_bytes()).await?;
        Ok(stream)
    };
    many(attack, stall).await
}

async fn many(
    attack: &Attack,
    stall: impl AsyncFn() -> std::io::Result<TcpStream>,
) -> Result<Held, String> {
    let mut peers = Vec::new();
    for _ in 0..attack.scaled(20, 4) {
        let some = try_join_all((0..attack.scaled(100, 50)).map(|_| stall())).await;
        peers.extend(some.map_err(|error| format!("a peer: {error}"))?);
    }
    Ok(Held::connections(peers))
}
