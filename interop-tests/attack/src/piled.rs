//! What piles up where the application does not come to an end, or the client does not confirm.

use futures::FutureExt as _;

use crate::scenario::{Attack, Held, Scenario};
use crate::wire;
use bowline_raw_client::RawClient;

pub(crate) const ROWS: &[Scenario] = &[
    Scenario {
        name: "hooks",
        about: "100 sessions that send 5 MB each while a hook that never answers decides about \
            them, and leave",
        settings: &[],
        // Each has one packet of 250 KB in its inbox, and actix has read up to two chunks of 256
        // KiB ahead.
        peak: 80.0,
        ends: false,
        attack: |attack| hooks(attack).boxed_local(),
    },
    Scenario {
        name: "handlers",
        about: "100 sessions that fill their inboxes behind a handler that never ends, and close",
        settings: &[],
        peak: 512.0,
        ends: false,
        attack: |attack| handlers(attack).boxed_local(),
    },
    Scenario {
        name: "outboxes",
        about: "100 sessions that fill their outboxes, confirm nothing and are closed or left, \
            resume window 10 s",
        settings: &["window=10"],
        peak: 512.0,
        ends: false,
        attack: |attack| outboxes(attack).boxed_local(),
    },
];

async fn hooks(attack: &Attack) -> Result<Held, String> {
    for _ in 0..attack.scaled(100, 5) {
        let opened = wire::websocket(attack.address, &wire::open("\"never\"")).await;
        let mut client = opened.map_err(|error| format!("a session: {error}"))?;
        pour(&mut client, "never", 5).await;
    }
    Ok(Held::default())
}

async fn handlers(attack: &Attack) -> Result<Held, String> {
    for _ in 0..attack.scaled(100, 5) {
        let opened = wire::websocket(attack.address, &wire::open("")).await;
        let mut client = opened.map_err(|error| format!("a session: {error}"))?;
        pour(&mut client, "never", 3).await;
        let closed = client.send_text("x 1000").await;
        closed.map_err(|error| format!("a close: {error}"))?;
        // The close of the server says that it was read.
        while client.frame().await.is_ok_and(|frame| frame.is_some()) {}
    }
    Ok(Held::default())
}

async fn outboxes(attack: &Attack) -> Result<Held, String> {
    let mut clients = Vec::new();
    for _ in 0..attack.scaled(100, 5) {
        let opened = wire::websocket(attack.address, &format!("{}\ne fill", wire::open(""))).await;
        let mut client = opened.map_err(|error| format!("a session: {error}"))?;
        let mut read = 0;
        while read < 3 * 1024 * 1024 {
            let frame = client.frame().await.map_err(|error| format!("a fill: {error}"))?;
            let Some(frame) = frame else { break };
            read += frame.payload.len();
        }
        clients.push(client);
    }
    for mut client in clients {
        // A session that was closed for want of memory is over already.
        let _ = client.send_text("x 1000").await;
        while client.frame().await.is_ok_and(|frame| frame.is_some()) {}
    }
    Ok(Held::default())
}

/// Sends so many megabytes, as far as the server reads them.
async fn pour(client: &mut RawClient, event: &str, megabytes: usize) {
    let text = format!("e {event} \"{}\"", "x".repeat(250_000));
    for _ in 0..megabytes * 4 {
        let sent =
            tokio::time::timeout(std::time::Duration::from_millis(200), client.send_text(&text));
        if !matches!(sent.await, Ok(Ok(()))) {
            break;
        }
    }
}
