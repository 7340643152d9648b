//! `bench-server`: what a page in a browser measures itself against; `browser/bench-peer.mjs` does
//! the same with another library. Prints its address, as JSON, and ends when its input does.

use std::io::Read as _;
use std::net::{Ipv4Addr, TcpListener};

use actix_web::{App, HttpServer};
use bowline_server::{Bowline, Failure, ItemStream, Json, Socket};
use bytes::Bytes;
use futures::{StreamExt as _, stream};

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    env_logger::init();
    let bowline = bowline();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    // One worker, as the other library has one thread.
    let mounted = bowline.clone();
    let server = HttpServer::new(bowline.watch(move || App::new().service(mounted.service())))
        .on_connect(bowline.guard())
        .tcp_nodelay(true)
        .workers(1)
        .disable_signals()
        .listen(listener)?
        .run();
    println!("{}", serde_json::json!({ "url": format!("http://{address}/bowline") }));
    let handle = server.handle();
    std::thread::spawn(move || {
        // Whoever started this ends it by closing its input, or by ending; an error is an end too.
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        drop(handle.stop(false));
    });
    server.await
}

fn bowline() -> Bowline {
    let text = "x".repeat(LARGE);
    let bytes = Bytes::from(vec![7; LARGE]);
    Bowline::builder()
        .dangerously_accept_any_origin()
        // The other library has no limit; a flood is written faster than it is read.
        .outbox_limit(64 << 20)
        .on_connect(|socket: Socket| async move {
            socket.emit("hello", "hello").expect("a new session takes an event");
        })
        .on("flood", |socket: Socket, count: u32| async move { flood(&socket, count) })
        .on("echo", |number: u64| async move { Json(number) })
        .on("give-text", move |socket: Socket, (): ()| {
            let sent = socket.emit("text", &text).map_err(failure);
            async move { sent }
        })
        .on("give-bytes", move |socket: Socket, (): ()| {
            let sent = socket.emit_with("bytes", &(), bytes.clone()).map_err(failure);
            async move { sent }
        })
        .on("take-text", |text: String| async move { Json(text.len()) })
        .on("take-bytes", |bytes: Bytes, (): ()| async move { Json(bytes.len()) })
        .stream("count", |items: u32| async move {
            let text = "x".repeat(STREAM_ITEM);
            let item = move |number| serde_json::json!({ "number": number, "text": text });
            ItemStream::new(stream::iter(1..=items).map(item))
        })
        .build()
}

fn flood(socket: &Socket, count: u32) -> Result<(), Failure> {
    let text = "x".repeat(EVENT);
    for number in 0..count {
        socket.emit("item", &(number, &text)).map_err(failure)?;
    }
    Ok(())
}

fn failure(error: impl std::fmt::Display) -> Failure {
    Failure::new("internal").with(&error.to_string())
}

/// Below the default limit of a packet, which is 1 MiB.
const LARGE: usize = 1_000_000;

/// Characters of an item of a stream; `browser/stream-peer.mjs` sends as many.
const STREAM_ITEM: usize = 40;

/// With its number some 200 bytes of JSON.
const EVENT: usize = 190;
