//! A chat server: rooms, who is there, and lines that reach everyone exactly once.
//!
//! `cargo run -p bowline-server --example chat-server [-- PORT]`, then join with the client's
//! example `chat`.

use actix_web::{App, HttpServer};
use bowline_server::{Bowline, Close, Ext, Failure, Json, Socket};
use serde::{Deserialize, Serialize};

/// Who a session is, kept with it once it has joined.
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

async fn join(socket: Socket, bowline: Bowline, member: Member) -> Result<Json<Joined>, Failure> {
    leave(&socket);
    socket.join(&member.room)?;
    socket.insert(member.clone());
    socket.to(&member.room).emit("joined", &member)?;
    let present = bowline.to(&member.room).sessions();
    let sockets = present.iter().filter_map(|session| bowline.socket(session));
    let members = sockets.filter_map(|socket| socket.get::<Member>()).map(|member| member.name);
    Ok(Json(Joined { members: members.collect() }))
}

async fn say(socket: Socket, Ext(member): Ext<Member>, say: Say) -> Result<(), Failure> {
    let said = Said { room: &member.room, name: &member.name, text: &say.text };
    socket.to(&member.room).emit("said", &said)?;
    Ok(())
}

async fn goodbye(socket: Socket, _why: Close) {
    leave(&socket);
}

fn leave(socket: &Socket) {
    if let Some(member) = socket.get::<Member>() {
        socket.leave(&member.room);
        // Whoever is left may have nobody to tell.
        let _ = socket.to(&member.room).emit("left", &member);
    }
}

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    env_logger::init();
    let port = std::env::args().nth(1).and_then(|port| port.parse().ok()).unwrap_or(8080);
    let bowline = Bowline::builder().on("join", join).on("say", say).on_disconnect(goodbye).build();
    println!("The chat is open at http://127.0.0.1:{port}/bowline");
    println!(
        "Join it:  cargo run -p bowline-client --example chat -- http://127.0.0.1:{port}/bowline"
    );
    println!("          (add --name, --room, and --transport ws, sse or polling)");
    let mounted = bowline.clone();
    let server = HttpServer::new(bowline.watch(move || App::new().service(mounted.service())))
        .on_connect(bowline.guard())
        .tcp_nodelay(true)
        .h1_allow_half_closed(false)
        .bind(("127.0.0.1", port))?
        .run();
    bowline.run(server).await
}
