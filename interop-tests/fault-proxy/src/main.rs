//! `fault-proxy --target ADDRESS [--listen ADDRESS] [faults]`: a bad network on a port, until it is
//! stopped.

use std::net::SocketAddr;
use std::process::ExitCode;

use bowline_fault_proxy::{FAULTS_HELP, FaultProxy, Faults};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> ExitCode {
    match run(std::env::args().skip(1).collect()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}\n\n{USAGE}\n{FAULTS_HELP}");
            ExitCode::FAILURE
        }
    }
}

async fn run(mut words: Vec<String>) -> Result<(), String> {
    let target = take(&mut words, "--target")?.ok_or("--target is missing")?;
    let listen = take(&mut words, "--listen")?.unwrap_or_else(|| ([127, 0, 0, 1], 0).into());
    let faults = Faults::from_words(&words)?;
    let listener = TcpListener::bind(listen).await.map_err(|error| format!("{listen}: {error}"))?;
    let proxy = FaultProxy::start_on(listener, target).map_err(|error| error.to_string())?;
    proxy.set(faults);
    println!("{} relays to {target}", proxy.addr());
    std::future::pending().await
}

/// Takes an option and its value out of the words.
fn take(words: &mut Vec<String>, name: &str) -> Result<Option<SocketAddr>, String> {
    let Some(at) = words.iter().position(|word| word == name) else { return Ok(None) };
    let value = words.drain(at..(at + 2).min(words.len())).nth(1).unwrap_or_default();
    let address = value.parse().map_err(|_| format!("{name} wants an address, not {value:?}"))?;
    Ok(Some(address))
}

const USAGE: &str = "fault-proxy --target 127.0.0.1:8080 [--listen 127.0.0.1:9090] [faults]";
