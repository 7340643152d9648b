//! The clients.

use std::sync::Arc;
use std::time::Duration;

use bowline_client::{Backoff, Client, Status, Transport};
use bowline_server::GAP;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use serde_json::Value;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};

use super::node::Heard;
use super::{Books, Plan, ROOM};

/// Connects all clients, each over one transport. From then on they write down what they hear.
pub(super) async fn connect(
    plan: &Plan,
    url: &str,
    books: &Arc<Books>,
) -> Result<Vec<Client>, String> {
    let mut clients = Vec::new();
    for index in 0..plan.clients {
        let client = Client::builder(url)
            .transports([TRANSPORTS[index % 3]])
            .auth(&index)
            .backoff(Backoff { base: Duration::from_millis(50), cap: Duration::from_secs(1) })
            .build()
            .map_err(|error| error.to_string())?;
        listen(&client, index, books);
        let connected = timeout(Duration::from_secs(30), client.connect()).await;
        connected
            .map_err(|_| format!("client {index} does not connect"))?
            .map_err(|error| error.to_string())?;
        clients.push(client);
    }
    Ok(clients)
}

fn listen(client: &Client, index: usize, books: &Arc<Books>) {
    let mut heard = client.on::<_, Heard>("heard");
    let mut gaps = client.on::<_, Value>(GAP);
    let mut changes = client.status_stream();
    let books = Arc::clone(books);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                // What was lost comes before what follows it.
                biased;
                Some(change) = changes.next() => {
                    if matches!(change, Status::SessionLost { .. }) {
                        books.lost_session(index);
                    }
                }
                Some(_) = gaps.next() => books.gap(index),
                Some(event) = heard.next() => {
                    if let Ok(event) = event {
                        books.heard(index, event.payload.from, event.payload.number);
                    }
                }
                else => return,
            }
        }
    });
}

/// Every client sends its messages.
pub(super) async fn all(plan: &Plan, clients: &[Client], books: &Arc<Books>) {
    let each = clients.iter().enumerate().map(|(index, client)| talk(plan, client, index, books));
    futures::future::join_all(each).await;
}

async fn talk(plan: &Plan, client: &Client, index: usize, books: &Arc<Books>) {
    let last = books.per_client();
    let pause = plan.lasts / u32::try_from(last).unwrap_or(u32::MAX).max(1);
    let pause = pause.max(Duration::from_micros(1));
    // The members of a room take turns.
    let first = Instant::now() + pause.mul_f64((index % ROOM) as f64 / ROOM as f64);
    let mut ticks = interval_at(first, pause);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut open = FuturesUnordered::new();
    for number in 1..=last {
        while open.len() >= UNDER_WAY {
            open.next().await;
        }
        tokio::select! {
            _ = ticks.tick() => {}
            () = async { while open.next().await.is_some() {} std::future::pending().await } => {}
        }
        // Sent here: in the order of the numbers.
        let answer = client.request::<_, _, usize>("say", &number).timeout(ANSWER).into_future();
        open.push(async move {
            let outcome = answer.await;
            if let Err(error) = &outcome {
                log::info!("client {index}: {number} ended with: {error}");
            }
            books.ended(index, number, outcome.is_ok());
        });
    }
    while open.next().await.is_some() {}
}

/// Waits until everything has arrived, or nothing arrives any more.
pub(super) async fn settle(books: &Books) {
    let mut progress = books.progress();
    while *progress.borrow_and_update() < books.expected() {
        if timeout(QUIET, progress.changed()).await.is_err() {
            return;
        }
    }
    // What is told twice comes soon after.
    while timeout(Duration::from_millis(300), progress.changed()).await.is_ok() {}
}

const TRANSPORTS: [Transport; 3] = [Transport::WebSocket, Transport::Sse, Transport::Polling];

/// Requests of one client that are open at a time.
const UNDER_WAY: usize = 32;
/// Longer than any outage.
const ANSWER: Duration = Duration::from_secs(60);
/// Without an arrival for so long, what is missing is lost.
const QUIET: Duration = Duration::from_secs(4);

const _: () = assert!(ROOM == 4, "the books have a place for each member");
