//! `desk-host PACKAGE`: the support desk at two ports, without TLS and with it, HTTP/2 included.
//! Prints where they are, as JSON, and ends on SIGTERM as the desk itself does.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::ExitCode;

use bowline_desk::Desk;
use bowline_fixtures::authority::self_signed;
use clap::Parser;

/// The support desk at two ports, without TLS and with it.
#[derive(Parser)]
struct Options {
    /// The folder of the client package.
    package: PathBuf,
}

#[actix_web::main]
async fn main() -> ExitCode {
    env_logger::init();
    match host(&Desk::new(Options::parse().package)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("desk-host: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn host(desk: &Desk) -> std::io::Result<()> {
    let (plain, secure) = (bind()?, bind()?);
    let (at, secure_at) = (plain.local_addr()?, secure.local_addr()?);
    let plain = desk.server(plain, None)?;
    let secure = desk.server(secure, Some(self_signed(&["localhost"])))?;
    let urls = serde_json::json!({
        "plain": format!("http://{at}"),
        "secure": format!("https://localhost:{}", secure_at.port()),
    });
    println!("{urls}");
    tokio::select! {
        ended = desk.bowline().run(plain) => ended,
        ended = secure => ended,
    }
}

fn bind() -> std::io::Result<TcpListener> {
    TcpListener::bind(("127.0.0.1", 0))
}
