//! Native clients of Bowline, many in one process.

use std::future::{IntoFuture as _, ready};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bowline_client::{Client, EmitError, Status, Transport};
use futures::stream::FuturesUnordered;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval_at, timeout};

use super::Transports;
use super::notices::{Asked, Book, Lost, Notice, Work};
use bowline_processes::{orders, say, wall_clock};

/// Connects clients, which talk until they are told to stop, and says what they know.
///
/// # Errors
/// When a client is refused.
pub async fn run() -> Result<(), String> {
    let mut orders = orders();
    let work = orders.recv().await.ok_or("there is no work")?;
    let work: Work = serde_json::from_str(&work).map_err(|error| error.to_string())?;
    let work = Arc::new(work);
    let connecting = stream::iter(work.clients.clone()).map(|number| One::connect(number, &work));
    let clients: Vec<_> = connecting.buffered(CONNECTING).try_collect().await?;
    say(&Notice::Connected);
    let (stop, stopped) = watch::channel(false);
    let mut talks = JoinSet::new();
    for client in &clients {
        client.talk(&mut talks, &work, &stopped);
    }
    // The input ends with the runner.
    let _ = orders.recv().await;
    stop.send_replace(true);
    let _ = timeout(SETTLING, talks.join_all()).await;
    say(&Notice::Settled);
    let _ = orders.recv().await;
    clients.iter().for_each(|client| say(&Notice::Book(client.close_book())));
    say(&Notice::Counted);
    Ok(())
}

/// A client and what it knows.
struct One {
    client: Client,
    transport: Option<Transport>,
    book: Arc<Mutex<Book>>,
}

impl One {
    async fn connect(number: usize, work: &Work) -> Result<Self, String> {
        let mut builder = Client::builder(&format!("{}/bowline", work.url)).auth(&number);
        if let Some(transport) = only(work.transport, number) {
            builder = builder.transports([transport]);
        }
        let client = builder.build().map_err(|error| error.to_string())?;
        let book = Arc::new(Mutex::new(Book { client: number, ..Book::default() }));
        tokio::spawn(listen(client.clone(), Arc::clone(&book)));
        client.connect().await.map_err(|error| format!("client {number}: {error}"))?;
        let transport = client.transport();
        Ok(Self { client, transport, book })
    }

    fn talk(&self, talks: &mut JoinSet<()>, work: &Work, stopped: &watch::Receiver<bool>) {
        let (client, book) = (self.client.clone(), Arc::clone(&self.book));
        talks.spawn(speak(client, book, stopped.clone()));
        if work.handlers {
            let (client, book) = (self.client.clone(), Arc::clone(&self.book));
            talks.spawn(wait(client, book, stopped.clone()));
        }
    }

    fn close_book(&self) -> Book {
        let mut book = lock(&self.book).clone();
        book.moved = self.client.transport() != self.transport;
        book
    }
}

/// The transport that is allowed, if not all are.
const fn only(transports: Transports, number: usize) -> Option<Transport> {
    match (transports, number % 3) {
        (Transports::WebSocket, _) | (Transports::Mixed, 0) => None,
        (Transports::Sse, _) | (Transports::Mixed, 1) => Some(Transport::Sse),
        (Transports::Polling | Transports::Mixed, _) => Some(Transport::Polling),
    }
}

/// What a client finds: a change of its status, or a broadcast.
enum Found {
    Status(Status),
    Tick(u64),
}

async fn listen(client: Client, book: Arc<Mutex<Book>>) {
    let ticks = client.on::<_, u64>("tick").filter_map(|tick| ready(tick.ok()));
    let ticks = ticks.map(|tick| Found::Tick(tick.payload));
    let mut found = stream::select(client.status_stream().map(Found::Status), ticks);
    loop {
        // When neither has anything, all that came before is written down: what comes next came
        // later.
        let Some(first) = found.next().await else { return };
        let turn = lock(&book).note();
        write_down(first, turn, &book);
        while let Some(Some(next)) = found.next().now_or_never() {
            write_down(next, turn, &book);
        }
    }
}

fn write_down(found: Found, turn: u64, book: &Mutex<Book>) {
    let (mut book, at) = (lock(book), wall_clock());
    match found {
        Found::Status(Status::SessionLost { .. }) => {
            let place = book.note();
            book.lost.push(Lost { at, place, turn });
        }
        Found::Status(_) => {}
        Found::Tick(number) => book.ticks.push((number, at, turn)),
    }
}

/// An event and a request every second, until it is told to stop and all have ended.
async fn speak(client: Client, book: Arc<Mutex<Book>>, mut stopped: watch::Receiver<bool>) {
    // Not all clients in the same moment, but always the same ones.
    let phase = EVERY.mul_f64((lock(&book).client as f64 * 0.618).fract());
    let mut ticks = interval_at(Instant::now() + phase, EVERY);
    let mut open = FuturesUnordered::new();
    loop {
        tokio::select! {
            _ = stopped.wait_for(|stopped| *stopped) => break,
            _ = ticks.tick() => {}
            Some(()) = open.next() => continue,
        }
        if let Err(error) = emit(&client, &book) {
            eprintln!("an event was not taken: {error}");
            continue;
        }
        open.push(ask(&client, "ask", &book, |book| &mut book.requests));
    }
    while open.next().await.is_some() {}
}

/// Sends the next event. Nobody writes into the book between the event and its place: a session
/// that is lost with the event is written down behind it.
fn emit(client: &Client, book: &Mutex<Book>) -> Result<(), EmitError> {
    let mut book = lock(book);
    client.emit("event", &(book.events.len() + 1))?;
    let place = book.note();
    book.events.push(place);
    Ok(())
}

/// One request after another whose handler takes long.
async fn wait(client: Client, book: Arc<Mutex<Book>>, stopped: watch::Receiver<bool>) {
    while !*stopped.borrow() {
        ask(&client, "wait", &book, |book| &mut book.waits).await;
    }
}

/// Sends a request now, and writes down how it ends.
fn ask(
    client: &Client,
    name: &'static str,
    book: &Arc<Mutex<Book>>,
    flow: fn(&mut Book) -> &mut Asked,
) -> impl Future<Output = ()> + Send + use<> {
    let book = Arc::clone(book);
    let (number, answer) = {
        let mut book = lock(&book);
        let number = flow(&mut book).sent.len() as u64 + 1;
        let answer = client.request::<_, _, u64>(name, &number).timeout(ANSWER).into_future();
        let place = book.note();
        flow(&mut book).sent.push(place);
        (number, answer)
    };
    async move {
        let answer = answer.await;
        if let Err(error) = &answer {
            log::info!("{name} {number} ended with: {error}");
        }
        let is_right = answer.is_ok_and(|answer| answer == number * 2);
        flow(&mut lock(&book)).ended.push((number, wall_clock(), is_right));
    }
}

fn lock(book: &Mutex<Book>) -> MutexGuard<'_, Book> {
    book.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Between two messages of a client.
const EVERY: Duration = Duration::from_secs(1);
/// Clients that connect at the same time.
const CONNECTING: usize = 100;
/// Longer than any deploy.
const ANSWER: Duration = Duration::from_secs(60);
/// How long the last answers may take.
const SETTLING: Duration = Duration::from_secs(20);
