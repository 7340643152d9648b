//! A chat client for the terminal.
//!
//! ```text
//! cargo run -p bowline-client --example chat -- [URL] [--name N] [--room R] [--transport ws|sse|polling]
//! ```
//!
//! Type a line to say it, `/quit` to leave. A line is marked with ✓ when the server has it.

use std::error::Error;

use bowline_client::{Client, Status, Transport};
use futures::StreamExt;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, BufReader, Lines, Stdin, stdin};

#[derive(Serialize)]
struct Join<'a> {
    room: &'a str,
    name: &'a str,
}

#[derive(Deserialize)]
struct Joined {
    members: Vec<String>,
}

#[derive(Serialize)]
struct Say<'a> {
    text: &'a str,
}

#[derive(Deserialize)]
struct Said {
    room: String,
    name: String,
    text: String,
}

#[derive(Deserialize)]
struct Presence {
    room: String,
    name: String,
}

struct Arguments {
    url: String,
    name: String,
    room: String,
    transport: Option<Transport>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::read()?;
    let mut builder = Client::builder(&arguments.url);
    if let Some(transport) = arguments.transport {
        builder = builder.transports([transport]);
    }
    let client = builder.build()?;
    tokio::spawn(print_events(client.clone()));
    tokio::spawn(follow_status(client.clone(), arguments.room, arguments.name));
    client.connect().await?;
    speak(&client, BufReader::new(stdin()).lines()).await?;
    client.close().await;
    Ok(())
}

/// Joins the room: once for each session, because a new one is in no room.
async fn join(client: Client, room: String, name: String) {
    let join = Join { room: &room, name: &name };
    match client.request::<_, _, Joined>("join", &join).await {
        Ok(joined) => println!("* in {room}: {}", joined.members.join(", ")),
        Err(error) => println!("* cannot join {room}: {error}"),
    }
}

async fn speak(client: &Client, mut lines: Lines<BufReader<Stdin>>) -> std::io::Result<()> {
    while let Some(line) = lines.next_line().await? {
        match line.trim() {
            "/quit" => break,
            "" => {}
            text => say(client.clone(), text.to_owned()),
        }
    }
    Ok(())
}

/// Does not wait for the answer, so that the next line can be typed while there is no connection.
fn say(client: Client, text: String) {
    tokio::spawn(async move {
        match client.request::<_, _, serde_json::Value>("say", &Say { text: &text }).await {
            Ok(_) => println!("✓ {text}"),
            Err(error) => println!("✗ {text} ({error})"),
        }
    });
}

async fn print_events(client: Client) {
    let mut said = client.on::<_, Said>("said");
    let mut joined = client.on::<_, Presence>("joined");
    let mut left = client.on::<_, Presence>("left");
    drop(client);
    loop {
        tokio::select! {
            Some(Ok(said)) = said.next() => {
                println!("[{}] {}: {}", said.payload.room, said.payload.name, said.payload.text);
            }
            Some(Ok(who)) = joined.next() => {
                println!("* {} joined {}", who.payload.name, who.payload.room);
            }
            Some(Ok(who)) = left.next() => {
                println!("* {} left {}", who.payload.name, who.payload.room);
            }
            else => return,
        }
    }
}

async fn follow_status(client: Client, room: String, name: String) {
    let mut changes = client.status_stream();
    while let Some(status) = changes.next().await {
        match status {
            Status::Idle => {}
            Status::Connecting { transport } => println!("* connecting over {transport}"),
            Status::Connected { transport, resumed: true } => {
                println!("* resumed over {transport}")
            }
            Status::Connected { transport, resumed: false } => {
                println!("* connected over {transport}");
                tokio::spawn(join(client.clone(), room.clone(), name.clone()));
            }
            Status::Waiting { retry_in } => {
                println!(
                    "* trying again in {retry_in:?}: {}",
                    client.last_failure().unwrap_or_default()
                );
            }
            Status::SessionLost { unknown, .. } => println!("* session lost, {unknown} unknown"),
            Status::Closed { code, .. } => println!("* closed: {code}"),
        }
    }
}

impl Arguments {
    fn read() -> Result<Self, String> {
        let mut arguments = Self {
            url: "http://127.0.0.1:8080/bowline".to_owned(),
            name: "guest".to_owned(),
            room: "lobby".to_owned(),
            transport: None,
        };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            match word.as_str() {
                "--name" => arguments.name = value()?,
                "--room" => arguments.room = value()?,
                "--transport" => arguments.transport = Some(transport(&value()?)?),
                url => arguments.url = url.to_owned(),
            }
        }
        Ok(arguments)
    }
}

fn transport(word: &str) -> Result<Transport, String> {
    match word {
        "ws" | "websocket" => Ok(Transport::WebSocket),
        "sse" => Ok(Transport::Sse),
        "polling" => Ok(Transport::Polling),
        _ => Err(format!("{word} is none of ws, sse and polling")),
    }
}
