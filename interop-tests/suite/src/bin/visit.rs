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
use clap::Parser;
use futures::StreamExt as _;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Options { url, transport } = Options::parse();
    match within_a_minute(visit(&url, transport)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("visit: {error}");
            ExitCode::FAILURE
        }
    }
}

/// One client's visit to the application of the tests.
#[derive(Parser)]
struct Options {
    /// Where the application is mounted.
    url: String,
    /// websocket, sse or polling.
    #[arg(value_parser = transport)]
    transport: Transport,
}

fn transport(name: &str) -> Result<Transport, String> {
    let all = [Transport::WebSocket, Transport::Sse, Transport::Polling];
    let named = all.into_iter().find(|transport| transport.to_string() == name);
    named.ok_or_else(|| "it is websocket, sse or polling".to_owned())
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
