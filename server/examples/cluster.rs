//! A chat on three nodes that share a Redis. Clients may come to any of them.
//!
//! ```text
//! redis-server &
//! cargo run -p bowline-server --features redis --example cluster [-- REDIS_URL]
//! cargo run -p bowline-client --example chat -- http://127.0.0.1:8081/bowline --name Anna
//! cargo run -p bowline-client --example chat -- http://127.0.0.1:8082/bowline --name Ben
//! ```
//!
//! The nodes would be processes on machines of their own; here they are threads with a port each.

#![expect(clippy::disallowed_methods, reason = "an application may wait")]

use std::time::Duration;

use actix_web::{App, HttpServer, rt};
use bowline_server::broker::RedisBroker;
use bowline_server::{Bowline, Ext, Failure, Json, Running, Socket};
use serde::{Deserialize, Serialize};

/// Who a session is; it travels when a node hands its sessions over.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Member {
    room: String,
    name: String,
}

#[derive(Serialize)]
struct Said<'a> {
    room: &'a str,
    name: &'a str,
    text: &'a str,
}

#[derive(Deserialize)]
struct Say {
    text: String,
}

#[derive(Serialize)]
struct Joined {
    members: Vec<String>,
}

async fn join(bowline: Bowline, socket: Socket, member: Member) -> Result<Json<Joined>, Failure> {
    let Member { room, name } = &member;
    socket.set_user(name)?;
    socket.join_everywhere(room).await?;
    let others = bowline.to(room).count().await?;
    socket.insert(member);
    Ok(Json(Joined { members: vec![format!("{others} of all nodes")] }))
}

async fn say(socket: Socket, Ext(member): Ext<Member>, say: Say) -> Result<(), Failure> {
    let Member { room, name } = &member;
    let said = Said { room, name, text: &say.text };
    socket.to(room).emit("said", &said)?;
    Ok(())
}

async fn node(port: u16, redis: &str) -> Result<Running, Box<dyn std::error::Error>> {
    let bowline = Bowline::builder()
        .broker(RedisBroker::connect(redis).await?)
        .carry::<Member>("member")
        .on_gap(|gap| eprintln!("something was lost between nodes: {gap:?}"))
        .on("join", join)
        .on("say", say)
        .build();
    let served = bowline.clone();
    let server = HttpServer::new(bowline.watch(move || App::new().service(served.service())))
        .on_connect(bowline.guard())
        .workers(1)
        .tcp_nodelay(true)
        .h1_allow_half_closed(false)
        // Three servers in one process: each is stopped once its clients were told, not by actix.
        .disable_signals()
        .bind(("127.0.0.1", port))?;
    println!("http://127.0.0.1:{port}/bowline");
    Ok(bowline.run(server.run()).deadline(Duration::from_secs(10)))
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    env_logger::init();
    let redis = std::env::args().nth(1).unwrap_or_else(|| "redis://127.0.0.1:6379".to_owned());
    let mut nodes = Vec::new();
    for port in [8081, 8082, 8083] {
        nodes.push(node(port, &redis).await?);
    }
    // On SIGTERM and Ctrl-C each hands its sessions to those that are left.
    let ended = nodes.into_iter().map(|node| rt::spawn(node.into_future()));
    for ended in ended.collect::<Vec<_>>() {
        ended.await??;
    }
    Ok(())
}
