//! Carriers of any transport, without a client of ours.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use bowline_raw_client::{Frame, RawClient};

/// How a client comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    WebSocket,
    Sse,
    Ticket,
    Polling,
}

impl Way {
    pub(super) const ALL: [Self; 4] = [Self::WebSocket, Self::Sse, Self::Ticket, Self::Polling];
}

/// One carrier, read line by line.
pub(super) struct Carrier {
    way: Way,
    client: RawClient,
    lines: VecDeque<String>,
    /// Lines come in events of a stream.
    streams: bool,
}

/// Where a carrier goes, and what its request says.
#[derive(Debug, Clone)]
pub(super) struct Door {
    pub(super) address: SocketAddr,
    pub(super) cookie: Option<String>,
    /// Behind the path, with its question mark.
    pub(super) query: &'static str,
}

impl Door {
    pub(super) const fn of(address: SocketAddr) -> Self {
        Self { address, cookie: None, query: "" }
    }

    pub(super) fn with_cookie(&self, cookie: &str) -> Self {
        Self { cookie: Some(cookie.to_owned()), ..self.clone() }
    }

    fn headers(&self) -> Vec<(&str, &str)> {
        self.cookie.iter().map(|cookie| ("Cookie", &**cookie)).collect()
    }

    async fn connect(&self) -> RawClient {
        RawClient::connect(self.address).await.expect("the server listens")
    }

    /// Sends a body and reads the head of the answer.
    async fn post(&self, endpoint: &str, body: &str) -> (RawClient, u16) {
        let (mut client, path) =
            (self.connect().await, format!("/bowline/{endpoint}{}", self.query));
        client.request("POST", &path, &self.headers(), body).await.expect("the server reads");
        let head = client.head().await.expect("a request is answered");
        (client, head.status)
    }

    /// Opens a carrier with these lines.
    pub(super) async fn come(&self, way: Way, first: &str) -> Carrier {
        let lines = VecDeque::new();
        match way {
            Way::WebSocket => {
                let mut client = self.connect().await;
                let path = format!("/bowline/ws{}", self.query);
                let head = client.upgrade(&path, &self.headers()).await.expect("it is answered");
                assert_eq!(head.status, 101);
                client.send_text(first).await.expect("the server reads");
                Carrier { way, client, lines, streams: true }
            }
            Way::Sse => {
                let (client, status) = self.post("sse", first).await;
                Carrier { way, client, lines, streams: status == 200 }
            }
            Way::Polling => {
                let client = self.post("poll", first).await.0;
                Carrier { way, client, lines, streams: false }
            }
            Way::Ticket => self.redeem(first).await,
        }
    }

    async fn redeem(&self, first: &str) -> Carrier {
        let client = self.post("ticket", first).await.0;
        let way = Way::Ticket;
        let mut answer = Carrier { way, client, lines: VecDeque::new(), streams: false };
        let welcome = answer.line().await;
        if !welcome.starts_with("welcome ") {
            answer.lines.push_front(welcome);
            return answer;
        }
        let ticket = answer.line().await;
        let ticket =
            ticket.strip_prefix("ticket ").unwrap_or_else(|| panic!("no ticket but {ticket:?}"));
        let mut client = self.connect().await;
        let path = format!("/bowline/sse?ticket={ticket}");
        client.request("GET", &path, &self.headers(), "").await.expect("the server reads");
        assert_eq!(client.head().await.expect("it is answered").status, 200);
        // The secret is in the first welcome only.
        let secret = welcome.split(' ').find(|pair| pair.starts_with("secret="));
        let mut carrier = Carrier { way, client, lines: VecDeque::new(), streams: true };
        let first = carrier.line().await;
        let told = match secret {
            Some(secret) if first.starts_with("welcome ") => format!("{first} {secret}"),
            _ => first,
        };
        carrier.lines.push_front(told);
        carrier
    }
}

impl Carrier {
    /// The next line but confirmations.
    pub(super) async fn line(&mut self) -> String {
        loop {
            match self.lines.pop_front() {
                Some(line) if line.starts_with("c ") => {}
                Some(line) => return line,
                None => {
                    let text = self.batch().await.expect("more is said");
                    self.lines.extend(text.lines().map(str::to_owned));
                }
            }
        }
    }

    /// Asserts that this is the last line, and that the carrier ends behind it.
    pub(super) async fn assert_ends(&mut self, last: &str) {
        assert_eq!(self.line().await, last);
        assert_eq!(self.batch().await, None, "after {last}");
    }

    /// Sends a text on a WebSocket.
    pub(super) async fn say(&mut self, text: &str) {
        assert_eq!(self.way, Way::WebSocket);
        self.client.send_text(text).await.expect("the server reads");
    }

    async fn batch(&mut self) -> Option<String> {
        if self.way == Way::WebSocket {
            let frame = self.client.frame().await.expect("the server sends frames")?;
            return (frame.opcode != Frame::CLOSE).then(|| frame.text().expect("text").to_owned());
        }
        let mut text = self.chunk().await?;
        if !self.streams {
            while let Some(more) = self.chunk().await {
                text += &more;
            }
            return Some(text);
        }
        let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
        Some(data.collect::<Vec<_>>().join("\n"))
    }
}

impl Carrier {
    async fn chunk(&mut self) -> Option<String> {
        let chunk = self.client.chunk().await.expect("a body ends in order")?;
        Some(String::from_utf8(chunk.into()).expect("a body is text"))
    }
}

/// A session as its client knows it.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) id: String,
    pub(super) secret: String,
}

impl Known {
    pub(super) fn welcomed(line: &str) -> Self {
        let value = |key: &str| {
            let found = line.split(' ').find_map(|pair| pair.strip_prefix(key));
            found.unwrap_or_else(|| panic!("no {key} in {line:?}")).to_owned()
        };
        assert!(line.starts_with("welcome "), "{line:?}");
        Self { id: value("sid="), secret: value("secret=") }
    }

    /// A first line with these pairs.
    pub(super) fn attach(&self, pairs: &str) -> String {
        format!("attach v=1 sid={} secret={} {pairs}", self.id, self.secret)
    }
}

/// An open with a key of its own.
pub(super) fn open() -> String {
    open_with(&open_key(), 1)
}

pub(super) fn open_with(key: &str, n: u64) -> String {
    format!("open v=1 key={key} n={n}")
}

/// A key that nobody has used.
pub(super) fn open_key() -> String {
    static LAST: AtomicU64 = AtomicU64::new(0);
    format!("adm{:018}A", LAST.fetch_add(1, Ordering::Relaxed))
}
