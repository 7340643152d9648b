//! socketioxide on axum, as a process that is replaced: the same as
//! `interop-tests/deploys/src/deploy/server.rs`, with the words `port=PORT journal=FILE
//! [last=NUMBER] [ticking]`.

use std::fs::File;
use std::io::{BufRead as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use axum::serve::ListenerExt as _;
use socketioxide::SocketIo;
use socketioxide::extract::{AckSender, Data, SocketRef};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{interval, sleep};

/// Who a client is, as it says when it connects.
#[derive(serde::Deserialize)]
struct Who {
    client: usize,
}

type Journal = Arc<File>;

fn main() -> std::io::Result<()> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(serve())
}

async fn serve() -> std::io::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| words.iter().find_map(|word| word.strip_prefix(name));
    let port = value("port=").and_then(|port| port.parse().ok()).expect("a port is named");
    let journal = value("journal=").expect("a journal is named");
    let journal = Arc::new(File::options().create(true).append(true).open(journal)?);
    let last = value("last=").and_then(|last| last.parse().ok()).unwrap_or(0);
    let ticking = Arc::new(AtomicBool::new(words.iter().any(|word| word == "ticking")));
    listen_to_the_runner(Arc::clone(&ticking));

    let (layer, io) = SocketIo::new_layer();
    let kept = Arc::clone(&journal);
    io.ns("/", async move |socket: SocketRef, Data::<Who>(who)| connected(&socket, &who, &kept));
    let app = axum::Router::new().layer(layer);
    let socket = tokio::net::TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(([127, 0, 0, 1], port).into())?;
    let listener = socket.listen(4096)?.tap_io(|connection| {
        connection.set_nodelay(true).expect("the option exists");
    });
    let at = UNIX_EPOCH.elapsed().expect("the clock is right").as_secs_f64() * 1e3;
    println!("{{\"say\":\"listening\",\"at\":{at}}}");

    let mut end = signal(SignalKind::terminate())?;
    tokio::select! {
        served = async { axum::serve(listener, app).await } => served,
        () = broadcasts(&io, &journal, last, &ticking) => Ok(()),
        _ = end.recv() => {
            io.close().await;
            Ok(())
        }
    }
}

fn connected(socket: &SocketRef, who: &Who, journal: &Journal) {
    let client = who.client;
    let [events, requests, waits] = std::array::from_fn(|_| Arc::clone(journal));
    socket.on("event", async move |Data::<u64>(number)| write(&events, 'e', client, number));
    socket.on("ask", async move |Data::<u64>(number), ack: AckSender| {
        write(&requests, 'r', client, number);
        let _ = ack.send(&(number * 2));
    });
    socket.on("wait", async move |Data::<u64>(number), ack: AckSender| {
        write(&waits, 'w', client, number);
        sleep(Duration::from_secs(3)).await;
        let _ = ack.send(&(number * 2));
    });
}

async fn broadcasts(io: &SocketIo, journal: &Journal, mut number: u64, ticking: &AtomicBool) {
    let mut ticks = interval(Duration::from_secs(1));
    loop {
        ticks.tick().await;
        if ticking.load(Ordering::Relaxed) {
            number += 1;
            let _ = io.emit("tick", &number).await;
            write(journal, 't', 0, number);
        }
    }
}

fn write(mut journal: &File, kind: char, client: usize, number: u64) {
    let line = format!("{kind} {client} {number}\n");
    journal.write_all(line.as_bytes()).expect("the journal can be written");
}

/// `tick` or `quiet`, a line each. The process ends with the runner.
fn listen_to_the_runner(ticking: Arc<AtomicBool>) {
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            ticking.store(line == "tick", Ordering::Relaxed);
        }
        std::process::exit(1);
    });
}
