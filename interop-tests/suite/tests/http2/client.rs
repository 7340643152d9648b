//! A client of HTTP/2 that sends what it is told to, and a server that it talks to without TLS.

use std::sync::atomic::{AtomicU64, Ordering};

use bowline_fixtures::app;
use bowline_fixtures::test_server::{Listening, Shape, TestServer, no_routes};
use bowline_protocol::SessionId;
use bowline_server::{BowlineBuilder, Socket};
use bytes::Bytes;
use h2::client::{Builder, SendRequest};
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request};

/// A server for one test.
pub(super) fn serve(change: impl FnOnce(BowlineBuilder) -> BowlineBuilder) -> TestServer {
    let bowline = change(app::builder()).build();
    TestServer::start_on(bowline, Shape::default(), no_routes(), Listening::Either)
}

/// One connection.
pub(super) struct Connection {
    requests: SendRequest<Bytes>,
    authority: String,
}

impl Connection {
    pub(super) async fn open(server: &TestServer) -> Self {
        let mut settings = Builder::new();
        // Else a hundred answers that are not read yet are too many for a client.
        settings.data_frame_budget(1024 * 1024);
        Self::open_with(server, &settings).await
    }

    pub(super) async fn open_with(server: &TestServer, settings: &Builder) -> Self {
        let stream = tokio::net::TcpStream::connect(server.address()).await.unwrap();
        let (requests, connection) = settings.handshake(stream).await.unwrap();
        tokio::spawn(connection);
        Self { requests, authority: server.address().to_string() }
    }

    /// A request of this method to an endpoint, to be sent with [`Self::send`].
    pub(super) fn request(&self, method: &str, endpoint: &str) -> http::request::Builder {
        let uri = format!("http://{}/bowline/{endpoint}", self.authority);
        Request::builder().method(method).uri(uri)
    }

    /// # Errors
    /// When the server resets the stream instead of answering.
    pub(super) async fn send(
        &self,
        request: http::request::Builder,
        body: &str,
    ) -> Result<Answer, h2::Error> {
        let mut ready = self.requests.clone().ready().await?;
        let (answer, mut up) = ready.send_request(request.body(()).unwrap(), body.is_empty())?;
        if !body.is_empty() {
            up.send_data(Bytes::copy_from_slice(body.as_bytes()), true)?;
        }
        let (head, body) = answer.await?.into_parts();
        let (status, headers) = (head.status.as_u16(), head.headers);
        Ok(Answer { status, headers, body, text: String::new(), _up: up })
    }

    /// A POST that is answered, however it is answered.
    pub(super) async fn post(&self, endpoint: &str, body: &str) -> Answer {
        self.send(self.request("POST", endpoint), body).await.unwrap()
    }
}

/// What a request was answered with, and the stream that brings the rest. Dropping it resets the
/// stream.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    body: RecvStream,
    text: String,
    _up: SendStream<Bytes>,
}

impl Answer {
    /// All of the body.
    pub(super) async fn text(mut self) -> String {
        while self.read().await {}
        self.text
    }

    /// The next line that begins with this, `data: ` left out.
    pub(super) async fn line(&mut self, begin: &str) -> String {
        let mut whole = false;
        loop {
            while let Some((line, rest)) = self.text.split_once('\n') {
                let line = line.strip_prefix("data: ").unwrap_or(line).to_owned();
                self.text = rest.to_owned();
                if line.starts_with(begin) {
                    return line;
                }
            }
            assert!(!whole, "the body ends without {begin:?}");
            whole = !self.read().await;
            if whole {
                // The last line of a poll has no end of its own.
                self.text.push('\n');
            }
        }
    }

    async fn read(&mut self) -> bool {
        let Some(chunk) = self.body.data().await else { return false };
        let chunk = chunk.unwrap();
        self.body.flow_control().release_capacity(chunk.len()).unwrap();
        self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        true
    }
}

/// What a client knows about its session.
pub(super) struct Session {
    id: String,
    secret: String,
}

impl Session {
    pub(super) fn welcomed(welcome: &str) -> Self {
        let value = |key: &str| {
            let mut pairs = welcome.split_whitespace();
            pairs.find_map(|pair| pair.strip_prefix(key)).expect(welcome).to_owned()
        };
        Self { id: value("sid="), secret: value("secret=") }
    }

    /// A first line with the pairs that are given.
    pub(super) fn attach(&self, pairs: &str) -> String {
        format!("attach v=1 sid={} secret={} {pairs}", self.id, self.secret)
    }

    pub(super) fn id(&self) -> SessionId {
        self.id.parse().unwrap()
    }

    /// The session as the application sees it.
    pub(super) fn socket(&self, server: &TestServer) -> Socket {
        server.bowline().socket(&self.id()).expect("the session lives")
    }
}

/// A first line that asks for a session that nobody has asked for before.
pub(super) fn open() -> String {
    static LAST: AtomicU64 = AtomicU64::new(0);
    format!("open v=1 key=key{:018}A n=1", LAST.fetch_add(1, Ordering::Relaxed))
}
