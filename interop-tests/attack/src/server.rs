//! The server that is attacked, as a process: what a quick start has, and handlers that do what
//! applications do wrong.

use std::future::pending;
use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use actix_web::{App, HttpServer};
use bowline_protocol::{Close, CloseCode};
use bowline_server::broker::RedisBroker;
use bowline_server::{Auth, Bowline, BowlineBuilder, Json, Refusal, Socket};
use tokio::task::yield_now;

/// Serves on a port of its own, which it prints, until it is told to end.
///
/// # Errors
/// When a word is not known, or the machine has no port left.
pub async fn serve(words: &[String]) -> Result<(), String> {
    let mut builder = handlers(Bowline::builder());
    let mut keep_alive = Duration::from_secs(5);
    for word in words {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        let number = || value.parse::<usize>().map_err(|_| format!("{name} wants a number"));
        builder = match name {
            "impatient" => {
                keep_alive = Duration::from_secs(1);
                let (short, second) = (Duration::from_millis(1500), Duration::from_secs(1));
                builder
                    .idle_timeout(short)
                    .write_timeout(second)
                    .handshake_timeout(second)
                    .connect_timeout(short)
                    .resume_window(short)
            }
            "window" => builder.resume_window(Duration::from_secs(number()? as u64)),
            "proxied" => builder.trusted_proxies(["127.0.0.1"]),
            "host" => builder.allow_host(value),
            "token" => builder.publish_token(value),
            "redis" => {
                let broker = RedisBroker::connect(value).await;
                builder.broker(broker.map_err(|error| error.to_string())?)
            }
            _ => return Err(format!("{word} is not known")),
        };
    }
    let bowline = builder.build();
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|error| error.to_string())?;
    println!("{}", listener.local_addr().map_err(|error| error.to_string())?);
    let mounted = bowline.clone();
    let server = HttpServer::new(bowline.watch(move || App::new().service(mounted.service())))
        .on_connect(bowline.guard())
        .workers(1)
        .keep_alive(keep_alive)
        .tcp_nodelay(true)
        .h1_allow_half_closed(false)
        .listen(listener)
        .map_err(|error| error.to_string())?;
    bowline.run(server.run()).await.map_err(|error| error.to_string())
}

fn handlers(builder: BowlineBuilder) -> BowlineBuilder {
    builder
        .on_connect(|Auth(auth): Auth<Option<String>>| async move {
            match auth.as_deref() {
                Some("never") => pending().await,
                Some("refused") => Err(Refusal::from("not today")),
                _ => Ok(()),
            }
        })
        .on("echo", |value: u64| async move { Json(value) })
        .on("nothing", |(): ()| async move {})
        .on("bytes", |bytes: bytes::Bytes, (): ()| async move { drop(bytes) })
        .on("never", |_: String| pending::<()>())
        .on("flood", |socket: Socket, (): ()| async move {
            let piece = "x".repeat(PIECE);
            while socket.emit("piece", &piece).is_ok() {
                // An application that keeps its worker for itself is no fault of the peer.
                yield_now().await;
            }
        })
        .on("fill", |socket: Socket, (): ()| async move {
            let piece = "x".repeat(PIECE);
            for _ in 0..FILLING / PIECE {
                let _ = socket.emit("piece", &piece);
                yield_now().await;
            }
        })
        .on("close", |socket: Socket, reason: String| async move {
            socket.disconnect_with(Close::with_reason(CloseCode::NORMAL, &reason));
        })
}

const PIECE: usize = 32 * 1024;

/// Nearly what an outbox holds.
const FILLING: usize = 3 * 1024 * 1024 + 512 * 1024;
