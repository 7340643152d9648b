//! Plays the vectors of carriers: `protocol-spec/vectors/carriers.json`, whose format its README
//! describes.

use std::collections::HashMap;

use bowline_raw_client::{RawClient, Response};
use serde::Deserialize;

use super::scene::{Scene, Stream, WebSocket, open_key};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    name: String,
    #[expect(dead_code, reason = "the protocol's own tests look it up")]
    spec: String,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Step {
    Hold { hold: String, post: String, body: String },
    Post { post: String, body: String, status: u16, answer: String },
    WebSocket { websocket: String, say: String },
    StreamOfPost { stream: String, body: String },
    StreamOfGet { stream: String, get: String },
    Get { get: String, status: u16, answer: String },
    Held { on: String, status: u16, answer: String },
    Say { on: String, say: String },
    Hear { on: String, hear: Vec<String> },
    End { on: String, end: String },
}

/// A client that a script plays.
struct Play<'a> {
    scene: &'a Scene,
    name: &'a str,
    /// What the words stand for.
    words: HashMap<&'static str, String>,
    sockets: HashMap<String, WebSocket>,
    streams: HashMap<String, Stream>,
    held: HashMap<String, RawClient>,
}

#[tokio::test]
async fn every_vector_of_carriers_plays_as_written() {
    let scene = Scene::with(|builder| {
        let takes = |builder: bowline_server::BowlineBuilder, name| {
            builder.on(name, |_: serde_json::Value| async {})
        };
        ["one", "two", "three", "four", "late", "bye", "cursor"]
            .into_iter()
            .fold(builder, takes)
            .on("echo", |value: serde_json::Value| async { bowline_server::Json(value) })
    });
    let vectors: Vec<Vector> =
        serde_json::from_str(include_str!("../../../../protocol-spec/vectors/carriers.json"))
            .unwrap();
    for vector in &vectors {
        let mut play = Play {
            scene: &scene,
            name: &vector.name,
            words: HashMap::from([("KEY", open_key())]),
            sockets: HashMap::new(),
            streams: HashMap::new(),
            held: HashMap::new(),
        };
        for step in &vector.steps {
            play.step(step).await;
        }
    }
}

impl Play<'_> {
    async fn step(&mut self, step: &Step) {
        match step {
            Step::Hold { hold, post, body } => {
                let mut client = self.scene.connect().await;
                let path = format!("/bowline/{post}");
                client.request("POST", &path, &[], self.filled(body)).await.unwrap();
                self.held.insert(hold.clone(), client);
            }
            Step::Post { post, body, status, answer } => {
                let response = self.scene.post(post, self.filled(body)).await;
                self.check(&response, *status, answer);
            }
            Step::Get { get, status, answer } => {
                let path = format!("/bowline/{}", self.filled(get));
                let response = self.scene.request("GET", &path, &[]).await;
                self.check(&response, *status, answer);
            }
            Step::WebSocket { websocket, say } => {
                let socket = self.scene.websocket(&self.filled(say)).await;
                self.sockets.insert(websocket.clone(), socket);
            }
            Step::StreamOfPost { stream, body } => {
                let begun = self.scene.stream(&self.filled(body)).await;
                self.streams.insert(stream.clone(), begun);
            }
            Step::StreamOfGet { stream, get } => {
                let mut client = self.scene.connect().await;
                let path = format!("/bowline/{}", self.filled(get));
                client.request("GET", &path, &[], "").await.unwrap();
                self.streams.insert(stream.clone(), Stream::begin(client).await);
            }
            Step::Held { on, status, answer } => {
                let mut client = self.held.remove(on).expect("it was asked for");
                self.check(&client.response().await.unwrap(), *status, answer);
            }
            Step::Say { on, say } => {
                let text = self.filled(say);
                self.sockets.get_mut(on).expect("it is open").say(&text).await;
            }
            Step::Hear { on, hear } => {
                for expected in hear {
                    let line = self.line(on).await;
                    self.compare(&line, expected);
                }
            }
            Step::End { on, end } => self.end(on, end).await,
        }
    }

    async fn line(&mut self, on: &str) -> String {
        match self.sockets.get_mut(on) {
            Some(socket) => socket.line().await,
            None => self.streams.get_mut(on).expect("it is open").line().await,
        }
    }

    async fn end(&mut self, on: &str, expected: &str) {
        let code: u16 = expected[2..6].parse().unwrap();
        match self.sockets.get_mut(on) {
            Some(socket) => socket.assert_closed_with(code).await,
            None => {
                self.streams.get_mut(on).expect("it is open").assert_closed_with(code).await;
            }
        }
    }

    fn check(&mut self, response: &Response, status: u16, answer: &str) {
        assert_eq!(response.head.status, status, "{}: {}", self.name, response.text());
        let (said, expected) = (response.text().lines(), answer.lines());
        assert_eq!(
            said.clone().count(),
            expected.clone().count(),
            "{}: {}",
            self.name,
            response.text()
        );
        for (line, expected) in said.zip(expected) {
            self.compare(line, expected);
        }
    }

    /// Compares a line, and learns what the words stand for that are in it.
    fn compare(&mut self, line: &str, expected: &str) {
        for (word, before) in [("SID", "sid="), ("SECRET", "secret="), ("TICKET", "ticket ")] {
            let here = expected.contains(word);
            if here && let Some((_, value)) = line.split_once(before) {
                let value = value.split(' ').next().unwrap_or_default();
                self.words.insert(word, value.to_owned());
            }
        }
        let filled = self.filled(expected);
        let is_same = match filled.strip_suffix('…') {
            Some(start) => line.starts_with(start),
            None => line == filled,
        };
        assert!(is_same, "{}: {line:?} instead of {filled:?}", self.name);
    }

    fn filled(&self, text: &str) -> String {
        let fill = |text: String, (word, value): (&&str, &String)| text.replace(*word, value);
        let text = self.words.iter().fold(text.to_owned(), fill);
        text.split('\n').map(padded).collect::<Vec<_>>().join("\n")
    }
}

/// A line that ends with `FILL` and a size is made that long.
fn padded(line: &str) -> String {
    let Some((start, size)) = line.split_once("FILL") else { return line.to_owned() };
    let size: usize = size.parse().expect("a size comes behind FILL");
    format!("{start}{}", "1".repeat(size - start.len()))
}
