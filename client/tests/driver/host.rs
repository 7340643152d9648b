//! A host whose clock and network the test controls.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bowline_client::platform::{
    BoxFuture, BoxStream, Head, HostError, Lifecycle, Platform, Response, Socket, SocketMessage,
    Target,
};
use bowline_client::protocol::{Limits, NodeId, SessionId, Time, Token, Welcome};
use bowline_client::{Client, ClientBuilder};
use bytes::Bytes;
use futures::channel::{mpsc, oneshot};
use futures::{FutureExt, SinkExt, StreamExt};

/// The test's side: receives the connections that the client opens.
pub(crate) struct World {
    host: Arc<Host>,
    opened: mpsc::UnboundedReceiver<Opened>,
}

pub(crate) struct Host {
    state: Mutex<State>,
    opened: mpsc::UnboundedSender<Opened>,
}

struct State {
    now: Time,
    timers: Vec<(Time, oneshot::Sender<()>)>,
    drawn: u8,
    lives: Option<mpsc::UnboundedSender<Lifecycle>>,
}

enum Opened {
    Socket(Opening),
    Post(Post),
}

/// A WebSocket that is not open yet.
pub(crate) type Opening = oneshot::Sender<Result<Socket, HostError>>;

/// The server's end of a WebSocket.
pub(crate) struct Peer {
    received: mpsc::UnboundedReceiver<SocketMessage>,
    sender: mpsc::UnboundedSender<Result<SocketMessage, HostError>>,
}

/// A POST that waits for its response.
pub(crate) struct Post {
    pub(crate) route: String,
    pub(crate) body: String,
    answer: oneshot::Sender<Result<Response, HostError>>,
}

/// The server's end of an unfinished body.
pub(crate) type Body = mpsc::UnboundedSender<Result<Bytes, HostError>>;

impl World {
    pub(crate) fn new() -> Self {
        let (sender, opened) = mpsc::unbounded();
        let state = State { now: Time::from_millis(1), timers: Vec::new(), drawn: 0, lives: None };
        Self { host: Arc::new(Host { state: Mutex::new(state), opened: sender }), opened }
    }

    pub(crate) fn client(&self) -> Client {
        self.build(Client::builder("http://test/bowline"))
    }

    pub(crate) fn build(&self, builder: ClientBuilder) -> Client {
        builder.build_on(Arc::clone(&self.host) as Arc<dyn Platform>).unwrap()
    }

    pub(crate) fn advance(&self, duration: Duration) {
        let mut state = self.host.state.lock().unwrap();
        state.now = state.now + duration;
        let now = state.now;
        let (due, later) =
            std::mem::take(&mut state.timers).into_iter().partition(|(at, _)| *at <= now);
        state.timers = later;
        drop(state);
        let due: Vec<(Time, oneshot::Sender<()>)> = due;
        for (_, ring) in due {
            _ = ring.send(());
        }
    }

    /// Notifies the client, which must be connecting, of a change of its host.
    pub(crate) fn becomes(&self, change: Lifecycle) {
        let state = self.host.state.lock().unwrap();
        state.lives.as_ref().unwrap().unbounded_send(change).expect("the client listens");
    }

    /// Waits until the client opens a WebSocket, and accepts it.
    pub(crate) async fn accept(&mut self) -> Peer {
        Peer::accept(self.opening().await)
    }

    pub(crate) async fn refuse_socket(&mut self, status: u16, body: &str) {
        let body = Bytes::copy_from_slice(body.as_bytes());
        let head = Head { status, ..Head::default() };
        self.answer_socket(Err(HostError::Status(head, body))).await;
    }

    async fn answer_socket(&mut self, answer: Result<Socket, HostError>) {
        assert!(self.opening().await.send(answer).is_ok(), "the client has given up");
    }

    /// Waits until the client opens a WebSocket.
    pub(crate) async fn opening(&mut self) -> Opening {
        let Opened::Socket(opening) = soon(self.opened.next()).await.unwrap() else {
            panic!("a POST instead of a WebSocket")
        };
        opening
    }

    /// Waits for the next POST.
    pub(crate) async fn any_post(&mut self) -> Post {
        let Opened::Post(post) = soon(self.opened.next()).await.unwrap() else {
            panic!("a WebSocket instead of a POST")
        };
        post
    }

    /// Waits for the next POST, which goes to this route.
    pub(crate) async fn post(&mut self, route: &str) -> Post {
        let post = self.any_post().await;
        assert_eq!(post.route, route);
        post
    }

    /// True if the client has opened nothing of which the test does not know.
    pub(crate) fn is_quiet(&mut self) -> bool {
        self.opened.next().now_or_never().is_none()
    }
}

impl Peer {
    pub(crate) fn accept(opening: Opening) -> Self {
        let (to_peer, received) = mpsc::unbounded();
        let (sender, to_client) = mpsc::unbounded();
        let sink = to_peer.sink_map_err(|_| HostError::Failed("cut".into()));
        let socket = Socket { sink: Box::pin(sink), stream: Box::pin(to_client) };
        assert!(opening.send(Ok(socket)).is_ok(), "the client has given up");
        Self { received, sender }
    }

    /// The lines of the next message that concern the application, or that open or close; skips
    /// messages without any.
    pub(crate) async fn received(&mut self) -> Vec<String> {
        loop {
            let lines = match soon(self.received.next()).await {
                Some(SocketMessage::Text(text)) => lines(&text),
                Some(other) => vec![format!("{other:?}")],
                None => vec!["cut".to_owned()],
            };
            if !lines.is_empty() {
                return lines;
            }
        }
    }

    pub(crate) fn send(&self, text: impl Into<String>) {
        let text = SocketMessage::Text(text.into().into());
        self.sender.unbounded_send(Ok(text)).expect("the client reads");
    }

    pub(crate) fn send_binary(&self, bytes: &'static [u8]) {
        let message = SocketMessage::Binary(Bytes::from_static(bytes));
        self.sender.unbounded_send(Ok(message)).expect("the client reads");
    }

    /// Cuts the connection without a close.
    pub(crate) fn cut(self) {}
}

impl Post {
    pub(crate) fn answer(self, body: &str) {
        self.answer_with(200, body);
    }

    pub(crate) fn answer_with(self, status: u16, body: &str) {
        self.answer_with_head(Head { status, ..Head::default() }, body);
    }

    pub(crate) fn answer_with_head(self, head: Head, body: &str) {
        let chunk = Ok(Bytes::copy_from_slice(body.as_bytes()));
        let body = Box::pin(futures::stream::iter([chunk]));
        assert!(self.answer.send(Ok(Response { head, body })).is_ok(), "the client has given up");
    }

    /// Responds with an unfinished body.
    pub(crate) fn stream(self) -> Body {
        let (body, chunks) = mpsc::unbounded();
        let response =
            Response { head: Head { status: 200, ..Head::default() }, body: Box::pin(chunks) };
        assert!(self.answer.send(Ok(response)).is_ok(), "the client has given up");
        body
    }

    pub(crate) async fn cancelled(mut self) {
        soon(self.answer.cancellation()).await;
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        lines(&self.body)
    }
}

impl Platform for Host {
    fn now(&self) -> Time {
        self.state.lock().unwrap().now
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<()> {
        let (ring, rings) = oneshot::channel();
        let mut state = self.state.lock().unwrap();
        let at = state.now + duration;
        if duration > Duration::ZERO {
            state.timers.push((at, ring));
        }
        Box::pin(async move { _ = rings.await })
    }

    fn spawn(&self, future: BoxFuture<()>) {
        tokio::spawn(future);
    }

    fn random(&self) -> [u8; 16] {
        let mut state = self.state.lock().unwrap();
        state.drawn += 1;
        [state.drawn; 16]
    }

    fn lifecycle(&self) -> BoxStream<Lifecycle> {
        let (sender, changes) = mpsc::unbounded();
        self.state.lock().unwrap().lives = Some(sender);
        Box::pin(changes)
    }

    fn open_socket(&self, _: Target, _: usize) -> BoxFuture<Result<Socket, HostError>> {
        let (answer, answered) = oneshot::channel();
        _ = self.opened.unbounded_send(Opened::Socket(answer));
        Box::pin(async { answered.await.unwrap_or_else(|_| Err(gone())) })
    }

    fn post(&self, target: Target, body: Bytes) -> BoxFuture<Result<Response, HostError>> {
        let (answer, answered) = oneshot::channel();
        let route = target.url.strip_prefix("http://test/bowline/").unwrap().to_owned();
        let body = String::from_utf8(body.into()).unwrap();
        _ = self.opened.unbounded_send(Opened::Post(Post { route, body, answer }));
        Box::pin(async { answered.await.unwrap_or_else(|_| Err(gone())) })
    }
}

/// Fails the test if the future does not resolve soon.
pub(crate) async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(10), future).await.expect("nothing happens")
}

/// The answer to an open, of the session with this number.
pub(crate) fn welcome_new(session: u8) -> String {
    welcome(session, Some(Token::from_bytes([session; 16])), 0, 1)
}

/// The answer to an attach.
pub(crate) fn welcome_back(session: u8, received: u64, next: u64) -> String {
    welcome(session, None, received, next)
}

fn welcome(session: u8, secret: Option<Token>, received: u64, next: u64) -> String {
    let seconds = Duration::from_secs;
    Welcome {
        session: SessionId::new(NodeId::from_bytes([1; 6]), [session; 12]),
        secret,
        received,
        next,
        heartbeat: seconds(25),
        grace: seconds(15),
        window: seconds(120),
        limits: Limits { packet: 1000, batch: 4000 },
    }
    .to_string()
}

fn lines(text: &str) -> Vec<String> {
    let is_control = |line: &&str| {
        line.starts_with("h ") && *line != "h trial"
            || line.starts_with("a") && !line.starts_with("attach")
    };
    text.lines().filter(|line| !is_control(line)).map(str::to_owned).collect()
}

fn gone() -> HostError {
    HostError::Failed("the test has hung up".into())
}
