//! `large-stream [--mebibytes N]`: a file up and a file down as streams, each through a change of
//! the transport in the middle, with the server in a process of its own. Prints as JSON how long
//! each took and how much memory each process used for it at most.

use std::error::Error;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Instant;

use bowline_client::{Client, Transport};
use bowline_fixtures::test_server::TestServer;
use bowline_processes::Usage;
use bytes::Bytes;
use clap::Parser;
use futures::{StreamExt as _, stream};
use serde_json::{Value, json};

/// A file up and a file down, each through a change of the transport.
#[derive(Parser)]
struct Options {
    /// The size of each file.
    #[arg(long, default_value_t = 1024)]
    mebibytes: u64,
    /// Is the server: prints its address, and ends when its input does.
    #[arg(long, hide = true)]
    serve: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    if options.serve {
        let server = TestServer::start();
        println!("http://{}/bowline", server.address());
        // Whoever started this ends it by closing its input, or by ending; an error is an end too.
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        return ExitCode::SUCCESS;
    }
    let runtime = tokio::runtime::Runtime::new().expect("the machine has threads");
    match runtime.block_on(run(options.mebibytes)) {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("large-stream: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(mebibytes: u64) -> Result<Value, Box<dyn Error>> {
    let mut server = Command::new(std::env::current_exe()?)
        .arg("--serve")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut url = String::new();
    BufReader::new(server.stdout.take().ok_or("it is piped")?).read_line(&mut url)?;
    let client = Client::builder(url.trim()).build()?;
    client.connect().await?;
    // What allocators and connections need once is not counted.
    upload(&client, 16).await?;
    download(&client, 16).await?;
    let watch = Watch::begin(&server)?;
    upload(&client, mebibytes).await?;
    let up = watch.end(&server)?;
    let watch = Watch::begin(&server)?;
    download(&client, mebibytes).await?;
    let down = watch.end(&server)?;
    client.close().await;
    drop(server.stdin.take());
    server.wait()?;
    Ok(json!({ "mebibytes": mebibytes, "up": up, "down": down }))
}

async fn upload(client: &Client, mebibytes: u64) -> Result<(), Box<dyn Error>> {
    let part = Bytes::from(vec![7; PART]);
    let switching = client.clone();
    let parts = stream::iter(0..mebibytes * PARTS).map(move |number| {
        if number == mebibytes * PARTS / 2 {
            switch(&switching);
        }
        Ok::<_, std::io::Error>(part.clone())
    });
    let (size, _): (u64, u64) = client.upload("store", &(), parts).await?;
    if size == mebibytes << 20 { Ok(()) } else { Err(format!("{size} bytes arrived").into()) }
}

async fn download(client: &Client, mebibytes: u64) -> Result<(), Box<dyn Error>> {
    let mut parts = client.stream::<()>("load", &(mebibytes << 20)).raw().await?;
    let mut size = 0;
    while let Some(part) = parts.next().await {
        let before = size;
        size += part?.bytes.map_or(0, |bytes| bytes.len() as u64);
        let half = mebibytes << 19;
        if before < half && size >= half {
            switch(client);
        }
    }
    if size == mebibytes << 20 { Ok(()) } else { Err(format!("{size} bytes arrived").into()) }
}

/// Changes the transport.
fn switch(client: &Client) {
    let is_socket = client.transport() == Some(Transport::WebSocket);
    client.switch_transport(if is_socket { Transport::Sse } else { Transport::WebSocket });
}

/// A transfer that is being measured.
struct Watch {
    begun: Instant,
    client: f64,
    server: f64,
}

impl Watch {
    fn begin(server: &Child) -> Result<Self, Box<dyn Error>> {
        let mut before = [0.0; 2];
        for (before, process) in before.iter_mut().zip(processes(server)) {
            // The peak begins anew: proc(5), clear_refs.
            fs::write(format!("/proc/{process}/clear_refs"), "5")?;
            *before = Usage::of(&process)?.resident;
        }
        let [client, server] = before;
        Ok(Self { begun: Instant::now(), client, server })
    }

    fn end(self, server: &Child) -> Result<Value, Box<dyn Error>> {
        let seconds = self.begun.elapsed().as_secs_f64();
        let [client, server] = processes(server).map(|process| Usage::of(&process));
        let kilobytes = |peak: f64, before: f64| ((peak - before) / 1024.0).round();
        Ok(json!({
            "seconds": (seconds * 10.0).round() / 10.0,
            "client_kib": kilobytes(client?.peak, self.client),
            "server_kib": kilobytes(server?.peak, self.server),
        }))
    }
}

fn processes(server: &Child) -> [String; 2] {
    ["self".to_owned(), server.id().to_string()]
}

/// Bytes of one item, and how many are a MiB.
const PART: usize = 64 * 1024;
const PARTS: u64 = 16;
