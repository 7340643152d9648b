//! Bowline's server, and its native clients in one process.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_web::{App, HttpServer};
use bowline_client::{Client, Events};
use bowline_server::Bowline;
use futures::StreamExt as _;
use futures::future::try_join_all;

use super::notices::{Counted, Notice, Work};
use bowline_processes::{orders, say, wall_clock};

/// Broadcasts what it is told to, until its input ends.
///
/// # Errors
/// When it cannot listen.
pub async fn server() -> std::io::Result<()> {
    let bowline = Bowline::builder().dangerously_accept_any_origin().build();
    let served = bowline.clone();
    let http = HttpServer::new(bowline.watch(move || App::new().service(served.service())))
        .on_connect(bowline.guard())
        .workers(1)
        .disable_signals()
        .tcp_nodelay(true)
        .bind(("127.0.0.1", 0))?;
    let port = http.addrs().first().map_or(0, std::net::SocketAddr::port);
    let running = http.run();
    let handle = running.handle();
    actix_web::rt::spawn(async move {
        let mut orders = orders();
        say(&Notice::Listening { port });
        while let Some(line) = orders.recv().await {
            broadcast(&bowline, &work(&line)).await;
            say(&Notice::Sent);
        }
        handle.stop(false).await;
    });
    running.await
}

async fn broadcast(bowline: &Bowline, work: &Work) {
    let mut ticks = tokio::time::interval(Duration::from_millis(work.every));
    ticks.tick().await;
    for number in 1..=work.messages {
        ticks.tick().await;
        let sent = bowline.to_all().emit("tick", &(number, wall_clock()));
        sent.expect("a message of two numbers is small");
    }
}

/// Connects clients with the default settings and counts what they are told, until its input ends.
///
/// # Errors
/// When a client is refused.
pub async fn clients() -> Result<(), String> {
    let mut orders = orders();
    let work = work(&orders.recv().await.ok_or("there is no work")?);
    let whole = Arc::new(Whole::new(work.urls.len() as u64 * work.messages));
    let clients = try_join_all(work.urls.iter().map(|url| connect(url, &whole))).await?;
    say(&Notice::Connected);
    if orders.recv().await.is_some() {
        say(&Notice::Counted(whole.counted()));
    }
    // The clients are to stay up to here.
    drop(clients);
    Ok(())
}

async fn connect(url: &str, whole: &Arc<Whole>) -> Result<Client, String> {
    let client = Client::builder(&format!("{url}/bowline")).build();
    let client = client.map_err(|error| error.to_string())?;
    tokio::spawn(listen(client.on("tick"), Arc::clone(whole)));
    client.connect().await.map_err(|error| error.to_string())?;
    Ok(client)
}

async fn listen(mut events: Events<(u64, f64)>, whole: Arc<Whole>) {
    let (mut seen, mut highest) = (HashSet::new(), 0);
    while let Some(Ok(event)) = events.next().await {
        let (number, at) = event.payload;
        let delay = (wall_clock() - at).max(0.0) as u32;
        let (is_new, is_late) = (seen.insert(number), number < highest);
        highest = number.max(highest);
        whole.count(|counted| {
            if is_new {
                counted.delays.push(delay);
                counted.reordered += u64::from(is_late);
            } else {
                counted.duplicated += 1;
            }
        });
    }
}

/// What all clients count together.
struct Whole {
    expected: u64,
    counted: Mutex<Counted>,
}

impl Whole {
    fn new(expected: u64) -> Self {
        Self { expected, counted: Mutex::default() }
    }

    fn count(&self, count: impl FnOnce(&mut Counted)) {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let before = counted.delays.len();
        count(&mut counted);
        let arrived = counted.delays.len();
        if arrived > before && arrived as u64 == self.expected {
            say(&Notice::Complete);
        }
    }

    fn counted(&self) -> Counted {
        let counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let lost = self.expected - counted.delays.len() as u64;
        Counted { lost, ..counted }
    }
}

fn work(line: &str) -> Work {
    serde_json::from_str(line).expect("the runner says what to do")
}
