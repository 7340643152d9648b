//! `idle [--sessions N]`: what an idle WebSocket session costs, beside a bare upgraded connection
//! of actix, both measured as the slope of a server process of their own.

use std::convert::Infallible;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::pin::Pin;
use std::process::{Child, Command, ExitCode, Stdio};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix_web::body::{BodySize, MessageBody};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, dev, rt, web};
use bowline_raw_client::RawClient;
use bowline_server::Bowline;
use bytes::Bytes;
use clap::{Parser, value_parser};
use futures::Stream as _;
use serde_json::json;

/// What an idle session costs, beside a bare connection.
#[derive(Parser)]
struct Options {
    /// Connections of each kind.
    #[arg(long, default_value_t = 2_000, value_parser = value_parser!(u64).range(1..))]
    sessions: u64,
    /// The server of one kind: this program starts it.
    #[arg(long, hide = true)]
    serve: Option<String>,
}

fn main() -> ExitCode {
    let Options { sessions, serve: kind } = Options::parse();
    let outcome = match kind {
        Some(kind) => serve(&kind).map_err(|error| error.to_string()),
        None => compare(sessions),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("idle: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Measures both and prints one line of JSON. Fails when the session layer adds more than it may.
fn compare(sessions: u64) -> Result<(), String> {
    let rounds: Vec<(Cost, Cost)> = (0..ROUNDS)
        .map(|_| Ok((measure("bare", sessions)?, measure("bowline", sessions)?)))
        .collect::<Result<_, String>>()?;
    let median = |pick: fn(&(Cost, Cost)) -> i64| {
        let mut values: Vec<i64> = rounds.iter().map(pick).collect();
        values.sort_unstable();
        values[values.len() / 2]
    };
    let added = median(|(bare, bowline)| bowline.bytes - bare.bytes);
    let figures = json!({
        "sessions": sessions,
        "rounds": ROUNDS,
        "bare_actix_bytes": median(|(bare, _)| bare.bytes),
        "bowline_bytes": median(|(_, bowline)| bowline.bytes),
        "added_bytes": added,
        "threads_added_by_sessions": median(|(_, bowline)| bowline.threads),
    });
    println!("{figures}");
    if added > MAY_ADD {
        return Err(format!("a session adds {added} bytes to a connection, {MAY_ADD} are allowed"));
    }
    Ok(())
}

/// What one more connection costs.
struct Cost {
    bytes: i64,
    /// Threads for all of them.
    threads: i64,
}

fn measure(kind: &str, sessions: u64) -> Result<Cost, String> {
    eprintln!("{kind}: {sessions} connections");
    let mut server = Server::start(kind)?;
    let runtime = rt::System::new();
    runtime.block_on(async {
        let mut held = Vec::new();
        // The first connections pay for what all share.
        connect(&server, kind, WARM_UP, &mut held).await?;
        let before = server.look().await?;
        connect(&server, kind, sessions, &mut held).await?;
        let after = server.look().await?;
        let sessions = i64::try_from(sessions).map_err(|error| error.to_string())?;
        Ok(Cost {
            bytes: (after.resident - before.resident) / sessions,
            threads: after.threads - before.threads,
        })
    })
}

async fn connect(
    server: &Server,
    kind: &str,
    number: u64,
    held: &mut Vec<RawClient>,
) -> Result<(), String> {
    for _ in 0..number {
        let key = format!("{:021}A", held.len());
        let mut client =
            RawClient::connect(server.address).await.map_err(|error| error.to_string())?;
        client.upgrade("/bowline/ws", &[]).await.map_err(|error| error.to_string())?;
        let open = format!("open v=1 key={key} n=1");
        client.send_text(&open).await.map_err(|error| error.to_string())?;
        // Both answer, so that the connection has been used both ways when it is measured.
        let answer = client.frame().await.map_err(|error| error.to_string())?;
        let welcome = answer.as_ref().and_then(|frame| frame.text()).is_some_and(|text| {
            text.starts_with(if kind == "bowline" { "welcome " } else { "bare" })
        });
        if !welcome {
            return Err(format!("the {kind} server answered {answer:?}"));
        }
        held.push(client);
    }
    Ok(())
}

/// A server process, ended when dropped.
struct Server {
    process: Child,
    address: SocketAddr,
}

/// What the server process holds.
struct Look {
    resident: i64,
    threads: i64,
}

impl Server {
    fn start(kind: &str) -> Result<Self, String> {
        let own = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut process = Command::new(own)
            .args(["--serve", kind])
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        let mut line = String::new();
        let output = process.stdout.take().ok_or("the server has no output")?;
        BufReader::new(output).read_line(&mut line).map_err(|error| error.to_string())?;
        let address = line.trim().parse().map_err(|_| format!("the server said {line:?}"))?;
        Ok(Self { process, address })
    }

    async fn look(&mut self) -> Result<Look, String> {
        // What the last connection has freed is given back by then.
        rt::time::sleep(Duration::from_millis(500)).await;
        let path = format!("/proc/{}/status", self.process.id());
        let status = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
        let value = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let digits = line.and_then(|line| line.split_whitespace().next()?.parse::<i64>().ok());
            digits.ok_or_else(|| format!("/proc has no {name}"))
        };
        Ok(Look { resident: value("VmRSS:")? * 1024, threads: value("Threads:")? })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The server's side: one worker, as in the measurements of others.
fn serve(kind: &str) -> std::io::Result<()> {
    let bowline = (kind == "bowline").then(|| Bowline::builder().build());
    rt::System::new().block_on(async move {
        let server = HttpServer::new(move || {
            let bowline = bowline.clone();
            App::new().configure(|app| {
                match bowline {
                    Some(bowline) => app.service(bowline.service()),
                    None => app.route("/bowline/ws", web::get().to(bare)),
                };
            })
        })
        .workers(1)
        .bind(("127.0.0.1", 0))?;
        println!("{}", server.addrs()[0]);
        server.run().await
    })
}

/// An upgraded connection with nothing on top: it reads what comes and answers the first of it.
async fn bare(request: HttpRequest, payload: web::Payload) -> HttpResponse {
    match actix_http::ws::handshake(request.head()) {
        Ok(mut response) => response
            .message_body(Bare { payload: payload.into_inner(), answered: false }.boxed())
            .map_or_else(|_| HttpResponse::InternalServerError().finish(), Into::into),
        Err(_) => HttpResponse::BadRequest().finish(),
    }
}

struct Bare {
    payload: dev::Payload,
    answered: bool,
}

impl MessageBody for Bare {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        loop {
            match ready!(Pin::new(&mut self.payload).poll_next(cx)) {
                Some(Ok(_)) if !std::mem::replace(&mut self.answered, true) => {
                    return Poll::Ready(Some(Ok(Bytes::from_static(b"\x81\x04bare"))));
                }
                Some(Ok(_)) => {}
                _ => return Poll::Ready(None),
            }
        }
    }
}

/// Connections that are made before anything is measured.
const WARM_UP: u64 = 500;
/// Measurements of each; the medians are printed.
const ROUNDS: usize = 3;
/// Bytes that a session may add to its connection.
const MAY_ADD: i64 = 2_048;
