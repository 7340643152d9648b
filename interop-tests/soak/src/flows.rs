//! The four flows of a client, each with a few messages under way at a time.

use std::future::{Future, IntoFuture as _};
use std::sync::Arc;

use actix_web::web;
use bowline_client::Client;
use bowline_server::{Auth, Bowline, BowlineBuilder, Ext, Failure, Socket};
use futures::StreamExt as _;
use futures::stream;
use tokio::task::JoinSet;

use crate::ledger::Ledger;
use bowline_fixtures::flow::Flow;

/// The name under which one client's number is kept with its session.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Who(pub(crate) usize);

/// The server's side of events and requests that come up.
pub(crate) fn server(ledger: web::Data<Ledger>, hostile: bool) -> BowlineBuilder {
    let books = ledger.clone().into_inner();
    let asked = ledger.into_inner();
    let mut builder = Bowline::builder();
    if hostile {
        // Connections that only seem open are to be found out in the time of a run.
        builder = builder.heartbeat(HEARTBEAT).heartbeat_grace(HEARTBEAT);
    }
    builder
        .on_connect(
            |socket: Socket, Auth(index): Auth<usize>| async move { socket.insert(Who(index)) },
        )
        .on("event", move |Ext(Who(client)): Ext<Who>, number: u64| {
            books.arrived(client, Flow::EventUp, number);
            std::future::ready(())
        })
        .on("ask", move |Ext(Who(client)): Ext<Who>, number: u64| {
            asked.arrived(client, Flow::RequestUp, number);
            std::future::ready(Ok::<_, Failure>(bowline_server::Json(number * 2)))
        })
}

/// The client's side of requests that come down.
pub(crate) fn listen(client: &Client, index: usize, ledger: &Arc<Ledger>) {
    let ledger = Arc::clone(ledger);
    client.handle("ask", move |asked: bowline_client::Received<u64>| {
        ledger.arrived(index, Flow::RequestDown, asked.payload);
        std::future::ready(Ok(asked.payload * 2))
    });
}

/// Starts all flows of one client.
pub(crate) fn start(
    running: &mut JoinSet<()>,
    client: &Client,
    index: usize,
    ledger: &Arc<Ledger>,
    bowline: &Bowline,
) {
    let session = client.session_id().expect("a connected client has a session");
    let socket = bowline.socket(&session).expect("the session of a connected client lives");
    running.spawn(events_up(client.clone(), index, Arc::clone(ledger)));
    running.spawn(events_down(client.clone(), socket.clone(), index, Arc::clone(ledger)));
    let (asking, books) = (client.clone(), Arc::clone(ledger));
    // Turned into futures at once, which sends them: in the order of their numbers.
    running.spawn(requests(index, Flow::RequestUp, books, move |number| {
        let answer = asking.request::<_, _, u64>("ask", &number).timeout(PATIENCE).into_future();
        async move { answer.await.map_err(|error| error.to_string()) }
    }));
    running.spawn(requests(index, Flow::RequestDown, Arc::clone(ledger), move |number| {
        let answer = socket.request::<_, u64>("ask", &number).timeout(PATIENCE).into_future();
        async move { answer.await.map_err(|error| error.to_string()) }
    }));
}

async fn events_up(client: Client, index: usize, ledger: Arc<Ledger>) {
    for number in 1..=ledger.per_flow() {
        under_way(index, Flow::EventUp, number, &ledger).await;
        if let Err(error) = client.emit("event", &number) {
            eprintln!("client {index}: event {number} was not taken: {error}");
        }
    }
    under_way(index, Flow::EventUp, ledger.per_flow() + WINDOW, &ledger).await;
}

async fn events_down(client: Client, socket: Socket, index: usize, ledger: Arc<Ledger>) {
    let mut events = client.on::<_, u64>("event");
    let last = ledger.per_flow();
    let books = Arc::clone(&ledger);
    let receive = async move {
        while books.highest(index, Flow::EventDown) < last {
            match events.next().await {
                Some(Ok(event)) => books.arrived(index, Flow::EventDown, event.payload),
                other => return eprintln!("client {index}: its events ended with {other:?}"),
            }
        }
    };
    let send = async move {
        for number in 1..=last {
            under_way(index, Flow::EventDown, number, &ledger).await;
            if let Err(error) = socket.emit("event", &number) {
                eprintln!("client {index}: event {number} was not taken: {error}");
            }
        }
    };
    futures::join!(receive, send);
}

/// Requests, a few at a time; each ending is written down.
async fn requests<F, Fut>(index: usize, flow: Flow, ledger: Arc<Ledger>, ask: F)
where
    F: Fn(u64) -> Fut,
    Fut: Future<Output = Result<u64, String>>,
{
    let asked = stream::iter(1..=ledger.per_flow()).map(|number| {
        let answer = ask(number);
        async move { (number, answer.await) }
    });
    let mut answers = asked.buffered(usize::try_from(WINDOW).unwrap_or(1));
    while let Some((number, answer)) = answers.next().await {
        if let Err(error) = &answer {
            eprintln!("client {index}: {flow:?} {number} ended with: {error}");
        }
        ledger.ended(index, flow, number, answer == Ok(number * 2));
    }
}

/// Waits until fewer than a window of the numbers before this one are missing.
pub(crate) async fn under_way(index: usize, flow: Flow, number: u64, ledger: &Ledger) {
    let mut progress = ledger.progress();
    while ledger.highest(index, flow) + WINDOW < number {
        // The ledger lives as long as the run.
        let _ = progress.changed().await;
    }
}

/// Of a hostile run.
const HEARTBEAT: std::time::Duration = std::time::Duration::from_secs(1);

/// Messages of one flow under way at a time.
const WINDOW: u64 = 8;

/// Longer than any outage of the run, so that a request ends by its answer.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(100);
