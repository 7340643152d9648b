//! `load-server [WORKERS] PORT`: what `load` measures. The same as the servers of the peers in `interop-tests/load`.

use std::net::Ipv4Addr;

use actix_web::{App, HttpServer};
use bowline_server::{Bowline, Failure, Json, Socket};

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    env_logger::init();
    let words: Vec<u16> = std::env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    let (workers, port) = match words[..] {
        [port] => (1, port),
        [workers, port] => (workers.into(), port),
        _ => return Err(std::io::Error::other("load-server [WORKERS] PORT")),
    };
    let bowline = bowline();
    HttpServer::new(move || App::new().service(bowline.service()))
        .workers(workers)
        .backlog(1024)
        // Without it the system holds small messages back while earlier ones are not acknowledged.
        .tcp_nodelay(true)
        .bind((Ipv4Addr::LOCALHOST, port))?
        .run()
        .await
}

fn bowline() -> Bowline {
    Bowline::builder()
        .on("echo", |payload: String| async move { Json(payload) })
        .on("join", |socket: Socket, (): ()| async move { socket.join("room").map_err(failure) })
        .on("pub", |bowline: Bowline, payload: String| async move {
            bowline.to("room").emit("msg", &payload).map(drop).map_err(failure)
        })
        .build()
}

fn failure(error: impl std::fmt::Display) -> Failure {
    Failure::new("internal").with(&error.to_string())
}
