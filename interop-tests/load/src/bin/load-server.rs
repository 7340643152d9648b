//! `load-server [--workers N] [--redis URL] PORT`: what `load` measures, the same as the servers of
//! the peers in `interop-tests/load`. With the address of a Redis it is one of several
//! nodes, and `cluster --cost` measures it.

use std::io::Error;
use std::net::Ipv4Addr;

use actix_web::{App, HttpServer};
use bowline_server::broker::RedisBroker;
use bowline_server::{Bowline, BowlineBuilder, Failure, Json, Socket};
use clap::Parser;

/// The server that `load` measures.
#[derive(Parser)]
struct Options {
    /// Threads that serve.
    #[arg(long, default_value_t = 1)]
    workers: usize,
    /// The URL of the Redis that connects several nodes.
    #[arg(long)]
    redis: Option<String>,
    /// Where it listens on 127.0.0.1.
    port: u16,
}

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    env_logger::init();
    let Options { workers, redis, port } = Options::parse();
    let bowline = match redis {
        None => builder().build(),
        Some(redis) => {
            let broker = RedisBroker::connect(&redis).await.map_err(Error::other)?;
            builder().broker(broker).build()
        }
    };
    let mounted = bowline.clone();
    HttpServer::new(bowline.watch(move || App::new().service(mounted.service())))
        .on_connect(bowline.guard())
        .workers(workers)
        .backlog(1024)
        // Without it the system holds small messages back while earlier ones are not acknowledged.
        .tcp_nodelay(true)
        .bind((Ipv4Addr::LOCALHOST, port))?
        .run()
        .await
}

fn builder() -> BowlineBuilder {
    Bowline::builder()
        .on("echo", |payload: String| async move { Json(payload) })
        .on("join", |socket: Socket, (): ()| async move {
            socket.join_everywhere("room").await.map_err(failure)
        })
        .on("pub", |bowline: Bowline, payload: String| async move {
            bowline.to("room").emit("msg", &payload).map(drop).map_err(failure)
        })
}

fn failure(error: impl std::fmt::Display) -> Failure {
    Failure::new("internal").with(&error.to_string())
}
