//! What the tests share: a server, sessions on it, and carriers that are read line by line.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};

use bowline_fixtures::app;
use bowline_fixtures::test_server::{Shape, TestServer};
use bowline_protocol::SessionId;
use bowline_raw_client::{Frame, RawClient, Response, masked_frame};
use bowline_server::{BowlineBuilder, Socket};

use super::journal;

/// A server for one test.
pub(super) struct Scene {
    pub(super) server: TestServer,
}

/// What a client knows about its session.
#[derive(Debug, Clone)]
pub(super) struct Session {
    pub(super) id: String,
    pub(super) secret: String,
}

impl Scene {
    pub(super) fn start() -> Self {
        Self::with(|builder| builder)
    }

    /// A server whose settings are changed.
    pub(super) fn with(change: impl FnOnce(BowlineBuilder) -> BowlineBuilder) -> Self {
        journal::record();
        let bowline = change(app::builder()).build();
        Self { server: TestServer::start_with(bowline, Shape::default()) }
    }

    /// A server of one thread, which serves whoever comes.
    pub(super) fn with_one_worker() -> Self {
        journal::record();
        let shape = Shape { workers: 1, ..Shape::default() };
        Self { server: TestServer::start_with(app::builder().build(), shape) }
    }

    pub(super) async fn connect(&self) -> RawClient {
        RawClient::connect(self.server.address()).await.expect("the server listens")
    }

    /// A POST on a connection of its own.
    pub(super) async fn post(&self, endpoint: &str, body: impl AsRef<[u8]>) -> Response {
        let path = format!("/bowline/{endpoint}");
        self.connect().await.post(&path, body).await.expect("a POST is answered")
    }

    /// Any request without a body, on a connection of its own.
    pub(super) async fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Response {
        let mut client = self.connect().await;
        client.request(method, path, headers, "").await.expect("a request is sent");
        client.response().await.expect("a request is answered")
    }

    /// A WebSocket that has not said anything.
    pub(super) async fn upgrade(&self) -> WebSocket {
        let mut client = self.connect().await;
        let head = client.upgrade("/bowline/ws", &[]).await.expect("an upgrade is answered");
        assert_eq!(head.status, 101);
        WebSocket { client, lines: VecDeque::new() }
    }

    /// A WebSocket whose first message is sent.
    pub(super) async fn websocket(&self, first: &str) -> WebSocket {
        let mut socket = self.upgrade().await;
        socket.say(first).await;
        socket
    }

    /// A stream whose body is sent and whose answer is known to be one.
    pub(super) async fn stream(&self, body: &str) -> Stream {
        let mut client = self.connect().await;
        client.request("POST", "/bowline/sse", &[], body).await.expect("a request is sent");
        Stream::begin(client).await
    }

    /// A new session, on a WebSocket that has been welcomed.
    pub(super) async fn open(&self) -> (Session, WebSocket) {
        let mut socket = self.websocket(&open()).await;
        let session = Session::welcomed(&socket.line().await);
        (session, socket)
    }

    /// A new session on a stream that has been welcomed.
    pub(super) async fn open_stream(&self) -> (Session, Stream) {
        let mut stream = self.stream(&open()).await;
        let session = Session::welcomed(&stream.line().await);
        (session, stream)
    }

    /// A new session whose client polls, and has been welcomed.
    pub(super) async fn open_polling(&self) -> Session {
        Session::welcomed(self.post("poll", open()).await.text())
    }

    /// The session as the application sees it.
    pub(super) fn socket(&self, session: &Session) -> Socket {
        self.server.bowline().socket(&session.typed()).expect("the session lives")
    }

    /// A second session that notices nothing of what happens to others.
    pub(super) async fn innocent(&self) -> Innocent {
        Innocent { socket: self.open().await.1, asked: 0 }
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            journal::assert_discreet();
        }
    }
}

impl Session {
    /// From the welcome that answered an open.
    pub(super) fn welcomed(text: &str) -> Self {
        let line = text.lines().next().unwrap_or_default();
        let value = |key: &str| {
            let found = line.split(' ').find_map(|pair| pair.strip_prefix(key));
            found.unwrap_or_else(|| panic!("no {key} in {text:?}")).to_owned()
        };
        let session = Self { id: value("sid="), secret: value("secret=") };
        journal::keep_token(&session.secret);
        session
    }

    /// A first line with the pairs that are given.
    pub(super) fn attach(&self, pairs: &str) -> String {
        format!("attach v=1 sid={} secret={} {pairs}", self.id, self.secret)
    }

    /// A text with the id and the secret of this session masked.
    pub(super) fn mask(&self, text: &str) -> String {
        text.replace(&self.id, "SID").replace(&self.secret, "SECRET")
    }

    pub(super) fn typed(&self) -> SessionId {
        self.id.parse().expect("a welcome holds a session id")
    }
}

/// A first line that asks for a session that nobody has asked for before.
pub(super) fn open() -> String {
    format!("open v=1 key={} n=1", open_key())
}

/// An open key that nobody has used.
pub(super) fn open_key() -> String {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let key = format!("key{:018}A", LAST.fetch_add(1, Ordering::Relaxed));
    journal::keep_token(&key);
    key
}

/// What all welcomes of a server with default settings end with.
pub(super) const DEFAULTS: &str =
    "heartbeat=25000 grace=15000 window=120000 packet=1048576 batch=2097152";

/// A WebSocket, read line by line.
pub(super) struct WebSocket {
    pub(super) client: RawClient,
    lines: VecDeque<String>,
}

impl WebSocket {
    /// Sends a text message.
    pub(super) async fn say(&mut self, text: &str) {
        self.client.send_text(text).await.expect("the server reads");
    }

    /// Sends one frame, with a first byte as it is given.
    pub(super) async fn frame(&mut self, first: u8, payload: impl AsRef<[u8]>) {
        self.client.send(masked_frame(first, payload)).await.expect("the server reads");
    }

    /// The text of the next message.
    pub(super) async fn message(&mut self) -> String {
        let frame = self.next_frame().await;
        frame.text().unwrap_or_else(|| panic!("{frame:?} is no text")).to_owned()
    }

    pub(super) async fn next_frame(&mut self) -> Frame {
        let frame = self.client.frame().await.expect("the server sends frames");
        frame.expect("the connection is open")
    }

    /// The next line. Confirmations are passed over: when they come is the server's choice.
    pub(super) async fn line(&mut self) -> String {
        loop {
            match self.lines.pop_front() {
                Some(line) if line.starts_with("c ") => {}
                Some(line) => return line,
                None => {
                    let message = self.message().await;
                    self.lines.extend(message.split('\n').map(str::to_owned));
                }
            }
        }
    }

    /// Asserts that the server ends with this close, its frame and the connection.
    pub(super) async fn assert_closed(&mut self, close: &str) {
        assert_eq!(self.line().await, close);
        assert!(self.lines.is_empty(), "{:?} after the close", self.lines);
        let frame = self.next_frame().await;
        assert_eq!(frame.opcode, Frame::CLOSE, "{close}");
        let code: u16 = close[2..6].parse().expect("a close has a code");
        assert_eq!(frame.payload[..], code.to_be_bytes(), "a code and no reason");
        self.answer_close(code).await;
    }

    /// Answers a close frame and leaves, so that the server need not wait for that.
    pub(super) async fn answer_close(&mut self, code: u16) {
        self.frame(Frame::FIN | Frame::CLOSE, code.to_be_bytes()).await;
        self.client.finish().await.expect("the server still reads");
        assert_eq!(self.client.frame().await.expect("the server ends in order"), None);
    }

    /// As [`Self::assert_closed`], for a close of this code with any reason.
    pub(super) async fn assert_closed_with(&mut self, code: u16) {
        let line = self.line().await;
        assert!(line.starts_with(&format!("x {code}")), "{code} was expected, not {line}");
        self.lines.push_front(line.clone());
        self.assert_closed(&line).await;
    }
}

/// A stream of server-sent events, read line by line.
pub(super) struct Stream {
    pub(super) client: RawClient,
    lines: VecDeque<String>,
}

impl Stream {
    /// Reads the head of a stream that was asked for.
    pub(super) async fn begin(mut client: RawClient) -> Self {
        let head = client.head().await.expect("a request is answered");
        assert_eq!(head.status, 200);
        assert_eq!(head.header("content-type"), Some("text/event-stream"));
        Self { client, lines: VecDeque::new() }
    }

    /// The next event as it came, `None` at the end.
    pub(super) async fn event(&mut self) -> Option<String> {
        let chunk = self.client.chunk().await.expect("a stream ends in order");
        chunk.map(|bytes| String::from_utf8(bytes.into()).expect("an event is text"))
    }

    /// The next line but confirmations.
    pub(super) async fn line(&mut self) -> String {
        loop {
            match self.lines.pop_front() {
                Some(line) if line.starts_with("c ") => {}
                Some(line) => return line,
                None => {
                    let event = self.event().await.expect("the stream goes on");
                    self.lines.extend(data(&event));
                }
            }
        }
    }

    /// Asserts that the stream ends with a close of this code.
    pub(super) async fn assert_closed_with(&mut self, code: u16) {
        let line = self.line().await;
        assert!(line.starts_with(&format!("x {code}")), "{code} was expected, not {line}");
        assert!(self.lines.is_empty(), "{:?} after the close", self.lines);
        assert_eq!(self.event().await, None);
    }
}

/// The lines of an event, which must follow the grammar of 02-carriers, "SSE".
fn data(event: &str) -> Vec<String> {
    let lines = event.strip_suffix("\n\n").expect("an event ends with an empty line");
    let (id, lines) = lines.split_once('\n').expect("an event has an id and data");
    let id = id.strip_prefix("id: ").expect("an event begins with its id");
    assert!(id.bytes().all(|byte| byte.is_ascii_digit()), "{event:?}");
    let data = |line: &str| line.strip_prefix("data: ").expect("the rest is data").to_owned();
    lines.split('\n').map(data).collect()
}

/// A session that goes on.
pub(super) struct Innocent {
    socket: WebSocket,
    asked: u64,
}

impl Innocent {
    /// Asks the server something, and gets its answer.
    pub(super) async fn assert_served(&mut self) {
        self.asked += 1;
        let question = format!("\"question {}\"", self.asked);
        self.socket.say(&format!("q echo {question}")).await;
        assert_eq!(self.socket.line().await, format!("r {} {question}", self.asked));
    }
}

/// Asserts that a request was refused with this status and a close of this code.
#[track_caller]
pub(super) fn assert_refused(response: &Response, status: u16, code: u16) {
    let body = response.text();
    assert_eq!(response.head.status, status, "{body}");
    assert!(body.starts_with(&format!("x {code}")), "{code} was expected, not {body:?}");
    assert!(!body.contains('\n'), "one line: {body:?}");
    assert_eq!(response.head.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(response.head.header("cache-control"), Some("no-store"));
}
