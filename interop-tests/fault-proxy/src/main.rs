//! `fault-proxy --target ADDRESS [--listen ADDRESS] [faults]`: a bad network on a port, until it is
//! stopped.

use std::net::SocketAddr;
use std::process::ExitCode;

use bowline_fault_proxy::{FaultProxy, Faults};
use clap::Parser;
use tokio::net::TcpListener;

/// A bad network on a port, in front of any server.
#[derive(Parser)]
#[command(arg_required_else_help = true)]
struct Options {
    /// The server.
    #[arg(long, value_name = "ADDRESS")]
    target: SocketAddr,
    /// Where clients connect.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    #[command(flatten)]
    faults: Faults,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fault-proxy: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(Options { target, listen, faults }: Options) -> Result<(), String> {
    let listener = TcpListener::bind(listen).await.map_err(|error| format!("{listen}: {error}"))?;
    let proxy = FaultProxy::start_on(listener, target).map_err(|error| error.to_string())?;
    proxy.set(faults);
    println!("{} relays to {target}", proxy.addr());
    std::future::pending().await
}
