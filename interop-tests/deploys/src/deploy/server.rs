//! Bowline's server, as a process that is replaced.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use actix_web::rt::signal::unix::{SignalKind, signal};
use actix_web::{App, HttpServer, rt};
use bowline_server::{Auth, Bowline, Ext, FileStore, Json, RedisStore, Socket, Store};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::time::{interval, sleep};

use super::journal::{Journal, Kind};
use super::notices::Notice;
use bowline_processes::{orders, say, wall_clock};

/// Which client a session is of.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Who(usize);

/// What the runner wants of a server of any library, as words such as `port=8080`.
#[derive(Debug, Default)]
struct Settings {
    port: u16,
    /// A file.
    journal: PathBuf,
    /// A folder for what outlives the process.
    store: PathBuf,
    /// The URL of a Redis in place of that folder; empty if there is none.
    redis: String,
    /// The number of the last broadcast of the process before.
    last: u64,
    /// It broadcasts from the beginning.
    ticking: bool,
}

impl Settings {
    fn parse(words: &[String]) -> Result<Self, String> {
        let mut settings = Self::default();
        for word in words {
            let (name, value) = word.split_once('=').unwrap_or((word, ""));
            let number = || value.parse().map_err(|_| format!("{name} wants a number"));
            match name {
                "port" => settings.port = value.parse().map_err(|_| "port wants a number")?,
                "journal" => settings.journal = value.into(),
                "store" => settings.store = value.into(),
                "redis" => value.clone_into(&mut settings.redis),
                "last" => settings.last = number()?,
                "ticking" => settings.ticking = true,
                _ => return Err(format!("{word} is not known")),
            }
        }
        Ok(settings)
    }
}

/// Serves until it is told to end.
///
/// # Errors
/// When a word is not known, or the port or a file cannot be used.
pub async fn serve(words: &[String]) -> Result<(), String> {
    let settings = Settings::parse(words)?;
    let journal = Arc::new(Journal::append_to(&settings.journal)?);
    let bowline = bowline(&settings, &journal)?;
    let mounted = bowline.clone();
    let server = HttpServer::new(bowline.watch(move || App::new().service(mounted.service())))
        .on_connect(bowline.guard())
        .workers(1)
        .tcp_nodelay(true)
        .h1_allow_half_closed(false)
        .bind(("127.0.0.1", settings.port))
        .map_err(|error| format!("port {}: {error}", settings.port))?;
    say(&Notice::Listening { at: wall_clock() });
    rt::spawn(broadcasts(bowline.clone(), journal, settings, orders()));
    bowline.run(server.run()).await.map_err(|error| error.to_string())
}

fn bowline(settings: &Settings, journal: &Arc<Journal>) -> Result<Bowline, String> {
    let [events, requests, waits] = std::array::from_fn(|_| Arc::clone(journal));
    let bowline = Bowline::builder()
        .store(store(settings)?)
        .carry::<Who>("who")
        // While a handler waits, the others of its client are not to.
        .concurrency(8)
        .on_connect(|socket: Socket, Auth(client): Auth<Option<usize>>| async move {
            // An idle connection of `capacity` is nobody's.
            socket.insert(Who(client.unwrap_or_default()));
        })
        .on("event", move |Ext(Who(client)): Ext<Who>, number: u64| {
            events.write(Kind::Event, client, number);
            std::future::ready(())
        })
        .on("ask", move |Ext(Who(client)): Ext<Who>, number: u64| {
            requests.write(Kind::Request, client, number);
            std::future::ready(Json(number * 2))
        })
        .on("wait", move |Ext(Who(client)): Ext<Who>, number: u64| {
            waits.write(Kind::Wait, client, number);
            async move {
                sleep(WAIT).await;
                Json(number * 2)
            }
        })
        .build();
    Ok(bowline)
}

fn store(settings: &Settings) -> Result<Store, String> {
    if settings.redis.is_empty() {
        return Ok(FileStore::new(&settings.store).into());
    }
    let store = RedisStore::new(&settings.redis).map_err(|error| error.to_string())?;
    Ok(store.into())
}

/// Says a number to everyone once a second, from when it is told to until it is told to stop, or to
/// end: then there is nobody any more whom this process could tell.
async fn broadcasts(
    bowline: Bowline,
    journal: Arc<Journal>,
    settings: Settings,
    mut orders: mpsc::UnboundedReceiver<String>,
) {
    let mut end = signal(SignalKind::terminate()).expect("signals are there");
    let (mut ticks, mut number, mut ticking) = (interval(EVERY), settings.last, settings.ticking);
    loop {
        tokio::select! {
            biased;
            _ = end.recv() => return,
            order = orders.recv() => match order.as_deref() {
                Some("tick") => ticking = true,
                Some(_) => ticking = false,
                // Nobody is there who would end this process.
                None => std::process::exit(1),
            },
            _ = ticks.tick(), if ticking => {
                number += 1;
                // In this order: a process that is killed has written down all that it said.
                journal.write(Kind::Tick, 0, number);
                let sent = bowline.to_all().emit("tick", &number);
                sent.expect("a number is small");
            }
        }
    }
}

/// Between two broadcasts.
const EVERY: Duration = Duration::from_secs(1);
/// How long a slow handler takes.
const WAIT: Duration = Duration::from_secs(3);
