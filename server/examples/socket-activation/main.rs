//! A server whose listening socket belongs to somebody else, such as systemd: it stays open while
//! one process ends and the next begins, so connections wait in its queue and none is refused.
//!
//! `bowline.socket` and `bowline.service` beside this file are the units. To try it without
//! systemd: `systemfd --no-pid -s http::8080 -- cargo run -p bowline-server --example
//! socket-activation`.

#![expect(clippy::disallowed_methods, reason = "an application may wait")]

use std::io;
use std::net::TcpListener;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::rt::signal::unix::{Signal, SignalKind, signal};
use actix_web::rt::time::sleep;
use actix_web::{App, HttpServer, web};
use bowline_server::{Bowline, Json};
use listenfd::ListenFd;

#[actix_web::main]
async fn main() -> io::Result<()> {
    env_logger::init();
    let bowline = Bowline::builder().on("echo", async |text: String| Json(text)).build();
    let mounted = bowline.clone();
    let app = move || App::new().service(mounted.service()).route("/", web::get().to(who));
    let server = HttpServer::new(bowline.watch(app))
        .on_connect(bowline.guard())
        .disable_signals()
        .listen(listener()?)?
        .run();
    let ending = leave(signal(SignalKind::terminate())?, server.handle());
    bowline.run(server).until(ending).await
}

/// From the signal on, new connections wait in the queue for the next process. What is accepted
/// when a server stops would be cut; so those that are accepted already get to a worker first.
async fn leave(mut terminated: Signal, server: ServerHandle) {
    terminated.recv().await;
    server.pause().await;
    sleep(SETTLE).await;
}

/// The socket that this process was started with, or one of its own.
fn listener() -> io::Result<TcpListener> {
    let given = ListenFd::from_env().take_tcp_listener(0)?;
    given.map_or_else(|| TcpListener::bind(("127.0.0.1", 8080)), Ok)
}

/// Says which process answers.
async fn who() -> String {
    std::process::id().to_string()
}

/// Much longer than a worker takes to begin with a connection.
const SETTLE: Duration = Duration::from_millis(200);
