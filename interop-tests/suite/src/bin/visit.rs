//! `visit URL websocket|sse|polling`: one client's visit to the application of the tests, in a
//! process of its own, for tests of what a client reads from its environment: that belongs to the
//! whole process.
//!
//! It asks, sends an event, waits for one, and answers that. On the way it must have been cut off
//! and have resumed. When it cannot connect, it says why after two rounds of attempts, and fails.

use std::process::ExitCode;

use bowline_client::{Client, Status, Transport};
use bowline_contract::{Down, Echo, Up};
use bowline_fixtures::within_a_minute;
use futures::StreamExt as _;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match parse(&words) {
        Ok((url, transport)) => within_a_minute(visit(url, transport)).await,
        Err(error) => Err(error),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("visit: {error}");
            ExitCode::FAILURE
        }
    }
}

fn parse(words: &[String]) -> Result<(&str, Transport), String> {
    let [url, transport] = words else {
        return Err("visit URL websocket|sse|polling".to_owned());
    };
    let transport = match &**transport {
        "websocket" => Transport::WebSocket,
        "sse" => Transport::Sse,
        "polling" => Transport::Polling,
        name => return Err(format!("{name} is no transport")),
    };
    Ok((url, transport))
}

async fn visit(url: &str, transport: Transport) -> Result<(), String> {
    let client = Client::builder(url).transports([transport]).build().map_err(words)?;
    let mut down = client.on(Down);
    tokio::select! {
        connected = client.connect() => connected.map_err(words)?,
        why = given_up(&client) => return Err(why),
    }
    let answer = client.request(Echo, &"here".to_owned()).await.map_err(words)?;
    assert_eq!(answer, "here");
    client.emit(Up, &1).map_err(words)?;
    let number = down.next().await.ok_or("the client has closed")?.map_err(words)?.payload;
    client.request(Up, &number).await.map_err(words)?;
    let stats = client.stats();
    assert!(stats.resumes >= 1 && stats.sessions_lost == 0, "{stats:?}");
    client.close().await;
    Ok(())
}

/// Why no attempt has worked.
async fn given_up(client: &Client) -> String {
    let rounds = client.status_stream().filter(|status| {
        let failed = matches!(status, Status::Waiting { .. });
        async move { failed }
    });
    // Only one thread runs here, so no change of the status is missed.
    rounds.take(ROUNDS).for_each(async |_| ()).await;
    client.last_failure().unwrap_or_default()
}

fn words(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// How often every transport is tried before the visit is given up.
const ROUNDS: usize = 2;
