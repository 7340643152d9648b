//! `ending [--own-signal] [DEADLINE]`: a server as the quick start has it, for tests that end it.
//! Prints its address, then a line for each thing that happens; `go` on its input lets what waits
//! go on, and `stop` is the application's own signal.

use std::io::BufRead as _;
use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use actix_web::{App, HttpServer, web};
use bowline_server::{Auth, Bowline, Json, Socket};
use clap::Parser;
use tokio::sync::watch;

/// A server as the quick start has it.
#[derive(Parser)]
struct Options {
    /// The application has a signal of its own: `stop` on the input.
    #[arg(long)]
    own_signal: bool,
    /// Milliseconds.
    deadline: Option<u64>,
}

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    env_logger::init();
    let options = Options::parse();
    let (go, stop) = read_input();
    let (bowline, other) = (bowline("/bowline", &go), bowline("/other", &go));
    let mounted = (bowline.clone(), other.clone());
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    println!("{}", listener.local_addr()?);
    let server = HttpServer::new(bowline.watch(move || {
        App::new()
            .service(mounted.0.service())
            .wrap(mounted.1.middleware())
            .app_data(web::Data::new(go.clone()))
            .route("/slow", web::get().to(slow))
    }))
    .on_connect(bowline.guard())
    .workers(2)
    .h1_allow_half_closed(false);
    let server = if options.own_signal { server.disable_signals() } else { server };
    let mut running = bowline.run(server.listen(listener)?.run()).also(&other);
    if options.own_signal {
        running = running.until(said(stop));
    }
    if let Some(deadline) = options.deadline {
        running = running.deadline(Duration::from_millis(deadline));
    }
    running.await?;
    println!("ended");
    Ok(())
}

/// More than all buffers between two processes hold.
const LARGE: usize = 24 * 1024 * 1024;

type Line = watch::Receiver<bool>;

fn bowline(path: &str, go: &Line) -> Bowline {
    let (go, hook) = (go.clone(), go.clone());
    Bowline::builder()
        .path(path)
        .outbox_limit(LARGE)
        .on("flood", |socket: Socket, (): ()| async move {
            let piece = "x".repeat(64 * 1024);
            while socket.emit("piece", &piece).is_ok() {}
            println!("flooded");
        })
        .on("echo", |text: String| async move { Json(text) })
        .on("wait", move |socket: Socket, (): ()| {
            let go = go.clone();
            async move {
                socket.emit("begun", &()).expect("a session that asks takes an event");
                said(go).await;
                println!("handled");
                Json("done")
            }
        })
        .on_connect(move |Auth(waits): Auth<Option<bool>>| {
            let go = hook.clone();
            async move {
                if waits.is_some() {
                    println!("asked");
                    said(go).await;
                }
            }
        })
        .build()
}

async fn slow(go: web::Data<Line>) -> &'static str {
    println!("requested");
    said(Line::clone(&go)).await;
    "done"
}

async fn said(mut line: Line) {
    // Whoever started this ends it by closing its input, or by ending.
    let _ = line.wait_for(|said| *said).await;
}

/// What is said on the input: `go` and `stop`.
fn read_input() -> (Line, Line) {
    let (go, on_go) = watch::channel(false);
    let (stop, on_stop) = watch::channel(false);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            let said = if line == "go" { &go } else { &stop };
            said.send_replace(true);
        }
    });
    (on_go, on_stop)
}
