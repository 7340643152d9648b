//! Replays every session vector against the session core.
//!
//! `vectors/README.md` describes the format.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bowline_protocol::{
    AttachError, Attachment, CarrierId, Close, Encoded, Ownership, Packet, Session, SessionConfig,
    Take, Time, Welcome,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use common::outputs::{error_value, event_value, expand, gone_value, not_sent, transmit_value};
use common::values::encoded;
use common::{Chapters, read_json, vector_files};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Script {
    name: String,
    spec: String,
    role: Role,
    #[serde(default)]
    config: Config,
    checkpoint: Option<Checkpoint>,
    steps: Vec<Step>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum Role {
    Server,
    Client,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Config {
    heartbeat: Option<u64>,
    grace: Option<u64>,
    window: Option<u64>,
    outbox: Option<usize>,
}

/// The state from which a server continues.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Checkpoint {
    n: u64,
    by: u64,
    received: u64,
    confirmed: u64,
    kept: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    at: u64,
    r#do: Input,
    /// The carrier is not ready to send in this step.
    #[serde(default)]
    hold: bool,
    out: Vec<Value>,
    #[serde(default)]
    state: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Input {
    Attach(Attaching),
    Post(u64),
    Detach(String),
    Poll(String),
    Welcome(String),
    Packet(Line),
    Emit(Line),
    Request { line: String, deadline: u64 },
    Reply(String),
    Volatile(Line),
    Forget(u64),
    Probe(String),
    Close(String),
    Abort(String),
    Dismiss(String),
    StateReceived,
    EmitAhead { line: String },
    RequestAhead { line: String, deadline: u64 },
    Hold,
    Release,
    LoseUnsentRequests,
    Retransmit,
    Reopen,
    Taken(u64),
    Timeout,
    Wait,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Attaching {
    carrier: String,
    n: u64,
    recv: u64,
    #[serde(default)]
    by: u64,
    take: Option<u64>,
    #[serde(default)]
    last: u64,
    #[serde(default)]
    kept: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    number: Option<u64>,
    line: String,
    fill: Option<usize>,
    times: Option<u64>,
}

#[test]
fn every_script_plays_as_written() {
    for script in scripts() {
        let mut stage = Stage::new(&script);
        for (place, step) in script.steps.iter().enumerate() {
            let place = format!("{}, step {}", script.name, place + 1);
            let out = stage.play(step);
            let expected: Vec<Value> = step.out.iter().flat_map(expand).collect();
            for (at, (out, expected)) in out.iter().zip(&expected).enumerate() {
                assert!(out == expected, "{place}, output {}: {}", at + 1, unequal(out, expected));
            }
            assert_eq!(out.len(), expected.len(), "{place}: {}", short(&json!(out)));
            for (key, expected) in &step.state {
                assert_eq!(&stage.state(key), expected, "{place}: {key}");
            }
        }
    }
}

#[test]
fn every_script_has_a_name_of_its_own_and_a_heading_of_the_specification() {
    let (chapters, mut names) = (Chapters::read(), BTreeSet::new());
    for script in scripts() {
        assert!(names.insert(script.name.clone()), "{} stands twice", script.name);
        assert!(chapters.has_anchor(&script.spec), "{}: no heading {}", script.name, script.spec);
        assert!(!script.steps.is_empty(), "{}", script.name);
        let times: Vec<u64> = script.steps.iter().map(|step| step.at).collect();
        assert!(times.is_sorted(), "{}: time goes back", script.name);
    }
    assert!(names.len() >= 20);
}

/// A session with its driver, which drains it after each step.
struct Stage {
    session: Session,
    now: Time,
    carriers: BTreeMap<String, CarrierId>,
    current: Option<CarrierId>,
    out: Vec<Value>,
}

impl Stage {
    fn new(script: &Script) -> Self {
        let base = match script.role {
            Role::Server => SessionConfig::server(),
            Role::Client => SessionConfig::client(),
        };
        let mut config = Arc::unwrap_or_clone(base);
        let given = &script.config;
        config.heartbeat = given.heartbeat.map_or(config.heartbeat, Duration::from_millis);
        config.grace = given.grace.map_or(config.grace, Duration::from_millis);
        config.window = given.window.map_or(config.window, Duration::from_millis);
        config.outbox_limit = given.outbox.unwrap_or(config.outbox_limit);
        let mut session = Session::new(Arc::new(config), 0, Time::ZERO);
        if let Some(checkpoint) = &script.checkpoint {
            checkpoint.restore(&mut session);
        }
        Self { session, now: Time::ZERO, carriers: BTreeMap::new(), current: None, out: Vec::new() }
    }

    fn play(&mut self, step: &Step) -> Vec<Value> {
        self.now = Time::from_millis(step.at);
        self.input(&step.r#do);
        while let Some(event) = self.session.poll_event() {
            self.out.push(event_value(event));
        }
        while let Some(carrier) = self.current.filter(|_| !step.hold) {
            match self.session.poll_transmit(carrier, self.now) {
                Ok(Some(transmit)) => self.out.push(transmit_value(transmit)),
                Ok(None) => break,
                Err(gone) => {
                    self.out.push(gone_value(gone));
                    self.current = None;
                }
            }
        }
        std::mem::take(&mut self.out)
    }

    fn input(&mut self, input: &Input) {
        match input {
            Input::Attach(attaching) => self.attach(attaching),
            Input::Post(by) => {
                let checked = self.session.check_owner(*by);
                self.report(checked.err().map(|error| refused(&error)));
            }
            Input::Detach(carrier) => self.detach(carrier),
            Input::Poll(carrier) => self.poll(carrier),
            Input::Welcome(line) => {
                let result = self.session.handle_welcome(&welcome(line), self.now);
                self.report(result.err().map(|error| error_value(error.close_code())));
            }
            Input::Packet(line) => {
                for (number, packet) in line.packets() {
                    let result = self.session.handle_packet(number, packet, self.now);
                    self.report(result.err().map(|error| error_value(error.close_code())));
                }
            }
            Input::Timeout => self.session.handle_timeout(self.now),
            Input::StateReceived => {
                let received = self.session.state_received();
                self.out.push(json!({ "received": received }));
            }
            Input::Wait => {}
            _ => self.ask(input),
        }
    }

    /// The calls of the application.
    fn ask(&mut self, input: &Input) {
        match input {
            Input::Emit(line) => {
                for (_, packet) in line.packets() {
                    let result = self.session.emit(encode(&packet), self.now);
                    self.report(result.err().map(not_sent));
                }
            }
            Input::Request { line, deadline } => {
                let deadline = Time::from_millis(*deadline);
                let result = self.session.request(encode(&parse(line)), deadline, self.now);
                self.report(result.err().map(not_sent));
            }
            Input::Reply(line) => {
                let result = self.session.reply(encode(&parse(line)), self.now);
                self.report(result.err().map(not_sent));
            }
            Input::Volatile(line) => {
                for (_, packet) in line.packets() {
                    self.session.emit_volatile(encode(&packet));
                }
            }
            Input::Forget(request) => {
                if self.session.forget_request(*request) {
                    self.out.push(json!({ "withdrawn": request }));
                }
            }
            Input::Hold => self.session.hold(),
            Input::Release => self.session.release(),
            Input::EmitAhead { line } => {
                let result = self.session.emit_ahead(encode(&parse(line)), self.now);
                self.report(result.err().map(not_sent));
            }
            Input::RequestAhead { line, deadline } => {
                let deadline = Time::from_millis(*deadline);
                let result = self.session.request_ahead(encode(&parse(line)), deadline, self.now);
                self.report(result.err().map(not_sent));
            }
            Input::LoseUnsentRequests => self.session.lose_unsent_requests(),
            Input::Probe(token) => self.session.probe(token.clone().into()),
            Input::Close(line) => self.session.close(close(line), self.now),
            Input::Abort(line) => self.session.abort(close(line), self.now),
            Input::Dismiss(line) => self.session.dismiss(close(line)),
            Input::Retransmit => self.session.retransmit(),
            Input::Taken(last) => self.session.doubt(*last),
            Input::Reopen => {
                let report = self.session.reopen(self.now);
                self.out.push(json!({ "reopened": {
                    "confirmed": report.confirmed,
                    "unknown": report.unknown,
                }}));
            }
            _ => unreachable!("the others are inputs of the carrier"),
        }
    }

    fn attach(&mut self, attaching: &Attaching) {
        let attachment = Attachment {
            counter: attaching.n,
            peer_received: attaching.recv,
            peer_sent: attaching.last,
            instance: attaching.by,
            take: attaching.take.map(|from| Take {
                from,
                last: attaching.last,
                kept: attaching.kept.max(attaching.last),
            }),
        };
        match self.session.attach(attachment, self.now) {
            Ok(id) => {
                self.carriers.insert(attaching.carrier.clone(), id);
                self.current = Some(id);
            }
            Err(error) => self.out.push(refused(&error)),
        }
    }

    fn detach(&mut self, carrier: &str) {
        let id = self.carriers[carrier];
        self.current = self.current.filter(|current| *current != id);
        self.session.detach(id, self.now);
    }

    fn poll(&mut self, carrier: &str) {
        match self.session.poll_transmit(self.carriers[carrier], self.now) {
            Ok(transmit) => self.out.extend(transmit.map(transmit_value)),
            Err(gone) => self.out.push(gone_value(gone)),
        }
    }

    fn report(&mut self, error: Option<Value>) {
        self.out.extend(error);
    }

    fn state(&self, key: &str) -> Value {
        match key {
            "received" => self.session.received().into(),
            "confirmed" => self.session.confirmed().into(),
            "unconfirmed" => self.session.unconfirmed().into(),
            "next" => self.session.next_number().into(),
            "outbox" => self.session.outbox_bytes().into(),
            "dropped" => self.session.dropped_volatile().into(),
            "attached" => self.session.is_attached().into(),
            "finished" => self.session.is_finished(self.now).into(),
            "timeout" => self.session.poll_timeout().map(Time::as_millis).into(),
            _ => panic!("no state is called {key}"),
        }
    }
}

impl Checkpoint {
    fn restore(&self, session: &mut Session) {
        let owner = Ownership { owner: Some(self.by), taken: None };
        let kept = self.kept.iter().map(|line| encode(&parse(line))).collect();
        session.take_over((self.n, owner), self.received, self.confirmed, kept);
        session.mark_stale();
    }
}

impl Line {
    /// The packets with their numbers; 0 for packets without one.
    fn packets(&self) -> Vec<(u64, Packet)> {
        let line = format!("{}{}", self.line, "1".repeat(self.fill.unwrap_or(0)));
        let numbers = (0..self.times.unwrap_or(1)).map(|add| self.number.map_or(0, |n| n + add));
        numbers.map(|number| (number, parse(&line))).collect()
    }
}

fn scripts() -> Vec<Script> {
    vector_files("sessions").iter().flat_map(read_json::<Vec<Script>>).collect()
}

fn parse(line: &str) -> Packet {
    Packet::parse(&line.to_owned().into()).unwrap_or_else(|error| panic!("{line}: {error}"))
}

fn encode(packet: &Packet) -> Encoded {
    encoded(packet).unwrap_or_else(|| panic!("not a message: {packet:?}"))
}

fn close(line: &str) -> Close {
    let Packet::Close(close) = parse(line) else { panic!("{line} is no close") };
    close
}

fn welcome(line: &str) -> Welcome {
    let Packet::Welcome(welcome) = parse(line) else { panic!("{line} is no welcome") };
    *welcome
}

fn refused(error: &AttachError) -> Value {
    let close = error.close();
    match close.last {
        None => json!({ "refused": close.code.name() }),
        Some(last) => json!({ "taken": last }),
    }
}

fn unequal(out: &Value, expected: &Value) -> String {
    format!("{} instead of {}", short(out), short(expected))
}

fn short(value: &Value) -> String {
    value.to_string().chars().take(400).collect()
}
