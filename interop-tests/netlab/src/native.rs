//! The two programs of Bowline in a row: a server, and the native client with its default settings.

use std::future::IntoFuture as _;
use std::io::{BufRead as _, Write as _};
use std::time::Duration;

use actix_web::{App, HttpServer};
use bowline_client::{Client, Status};
use bowline_server::broker::RedisBroker;
use bowline_server::{Bowline, Failure, Json, Socket};
use clap::Args;
use futures::StreamExt as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use crate::record::{Event, Flow, Record};
use crate::tools::REDIS;

/// How the server of a row is set.
#[derive(Debug, Clone, Args)]
pub struct ServerOptions {
    /// Where it listens, without the port.
    pub host: String,
    /// Zero for any.
    pub port: u16,
    /// Milliseconds; the default of the builder unless set.
    pub heartbeat: Option<u64>,
    /// Milliseconds; the default of the builder unless set.
    pub grace: Option<u64>,
    /// The Redis that makes several servers one.
    #[arg(skip = std::env::var(REDIS).ok())]
    pub redis: Option<String>,
}

/// Serves until its input ends.
///
/// # Errors
/// When it cannot listen.
pub async fn server(options: ServerOptions) -> std::io::Result<()> {
    let (latest, mut sockets) = watch::channel(None::<Socket>);
    let bowline = bowline(&options, latest).await?;
    let served = bowline.clone();
    let http = HttpServer::new(bowline.watch(move || App::new().service(served.service())))
        .on_connect(bowline.guard())
        .workers(2)
        .disable_signals()
        .tcp_nodelay(true)
        .h1_allow_half_closed(false)
        .bind((options.host, options.port))?;
    let port = http.addrs().first().map_or(0, std::net::SocketAddr::port);
    let running = http.run();
    let handle = running.handle();
    let mut orders = orders();
    actix_web::rt::spawn(async move {
        say(Event::Listening { port });
        let flows = async {
            tokio::select! {
                _ = sockets.wait_for(Option::is_some) => {}
                _ = orders.wait_for(|order| *order >= Order::Stop) => {}
            }
            ticks(&mut orders, |number| {
                let socket = sockets.borrow().clone().expect("it was waited for");
                speak_down(&socket, number);
            })
            .await;
        };
        flows.await;
        say(Event::Stopped);
        over(&mut orders).await;
        handle.stop(false).await;
    });
    running.await
}

async fn bowline(
    options: &ServerOptions,
    latest: watch::Sender<Option<Socket>>,
) -> std::io::Result<Bowline> {
    let mut builder = Bowline::builder().dangerously_accept_any_origin();
    if let Some(heartbeat) = options.heartbeat {
        builder = builder.heartbeat(Duration::from_millis(heartbeat));
    }
    if let Some(grace) = options.grace {
        builder = builder.heartbeat_grace(Duration::from_millis(grace));
    }
    if let Some(redis) = &options.redis {
        let broker = RedisBroker::connect(redis).await.map_err(std::io::Error::other)?;
        builder = builder.broker(broker);
    }
    Ok(builder
        .on_connect(move |socket: Socket| {
            latest.send_replace(Some(socket));
            std::future::ready(())
        })
        .on("event", |number: u64| {
            say(Event::Arrived { flow: Flow::EventUp, number });
            std::future::ready(())
        })
        .on("ask", |number: u64| {
            say(Event::Arrived { flow: Flow::RequestUp, number });
            std::future::ready(Ok::<_, Failure>(Json(number * 2)))
        })
        .build())
}

fn speak_down(socket: &Socket, number: u64) {
    sent(Flow::EventDown, number, socket.emit("event", &number).is_ok());
    say(Event::Sent { flow: Flow::RequestDown, number });
    let answer = socket.request::<_, u64>("ask", &number).timeout(PATIENCE).into_future();
    actix_web::rt::spawn(async move {
        let right = answer.await.is_ok_and(|answer| answer == number * 2);
        say(Event::Ended { flow: Flow::RequestDown, number, right });
    });
}

/// Connects to the URL and speaks until its input ends.
///
/// # Errors
/// When the URL is none.
pub async fn client(url: &str) -> Result<(), String> {
    let client = Client::builder(url).build().map_err(|error| error.to_string())?;
    client.handle("ask", |asked: bowline_client::Received<u64>| {
        say(Event::Arrived { flow: Flow::RequestDown, number: asked.payload });
        std::future::ready(Ok(asked.payload * 2))
    });
    tokio::spawn(listen(client.on::<_, u64>("event")));
    tokio::spawn(watch_status(client.clone()));
    tokio::spawn(wake(client.clone()));
    say(Event::Connecting);
    let connecting = client.clone();
    tokio::spawn(async move { connecting.connect().await });
    let mut orders = orders();
    ticks(&mut orders, |number| speak_up(&client, number)).await;
    say(Event::Stopped);
    over(&mut orders).await;
    client.close().await;
    Ok(())
}

async fn listen(mut events: bowline_client::Events<u64>) {
    while let Some(Ok(event)) = events.next().await {
        say(Event::Arrived { flow: Flow::EventDown, number: event.payload });
    }
}

/// Tells the client when this process was stopped and goes on, as an application on a phone would.
async fn wake(client: Client) {
    let Ok(mut continued) = signal(SignalKind::from_raw(SIGCONT)) else { return };
    while continued.recv().await.is_some() {
        client.wake();
    }
}

async fn watch_status(client: Client) {
    let mut changes = client.status_stream();
    let mut was_connected = false;
    while let Some(status) = changes.next().await {
        if let Status::Connected { transport, .. } = &status {
            say(Event::Transport { name: transport.to_string() });
        } else if was_connected {
            say(Event::Away);
            if let Some(why) = client.last_failure() {
                say(Event::Note { text: why });
            }
        }
        was_connected = status.is_connected();
    }
}

fn speak_up(client: &Client, number: u64) {
    sent(Flow::EventUp, number, client.emit("event", &number).is_ok());
    say(Event::Sent { flow: Flow::RequestUp, number });
    let answer = client.request::<_, _, u64>("ask", &number).timeout(PATIENCE).into_future();
    tokio::spawn(async move {
        let right = answer.await.is_ok_and(|answer| answer == number * 2);
        say(Event::Ended { flow: Flow::RequestUp, number, right });
    });
}

fn sent(flow: Flow, number: u64, taken: bool) {
    say(if taken { Event::Sent { flow, number } } else { Event::Refused { flow, number } });
}

/// Calls with 1, 2, 3 … until the runner says that it is enough.
async fn ticks(orders: &mut watch::Receiver<Order>, mut speak: impl FnMut(u64)) {
    let millis = std::env::var("BOWLINE_TICK").ok().and_then(|millis| millis.parse().ok());
    let mut tick = tokio::time::interval(millis.map_or(TICK, Duration::from_millis));
    // A program that slept sends no burst for it.
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for number in 1.. {
        tokio::select! {
            biased;
            _ = orders.wait_for(|order| *order >= Order::Stop) => return,
            _ = tick.tick() => speak(number),
        }
    }
}

/// What the runner wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Order {
    Speak,
    /// Sends nothing new.
    Stop,
    /// Ends.
    End,
}

/// Any line means stop; the end of the input means end.
fn orders() -> watch::Receiver<Order> {
    let (sender, orders) = watch::channel(Order::Speak);
    std::thread::spawn(move || {
        for _ in std::io::stdin().lock().lines().map_while(Result::ok) {
            sender.send_replace(Order::Stop);
        }
        sender.send_replace(Order::End);
    });
    orders
}

async fn over(orders: &mut watch::Receiver<Order>) {
    // The sender ends with the input, which is the end as well.
    let _ = orders.wait_for(|order| *order == Order::End).await;
}

fn say(said: Event) {
    let line = serde_json::to_string(&Record::now(said)).expect("a record is plain");
    // A runner that is gone needs no records.
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// POSIX leaves the number open; on Linux it is this one.
const SIGCONT: i32 = 18;

/// How often each end says something: an event and a request.
const TICK: Duration = Duration::from_millis(50);

/// Longer than a row, so that a request ends by its answer.
const PATIENCE: Duration = Duration::from_secs(300);
