//! The polls and POSTs of a test's client.
//!
//! Spec: 02-carriers, "Polling" and "POST".

use actix_web::http::header::{HeaderName, HeaderValue};
use bowline_protocol::{
    Batch, Close, Encoded, Limits, Packet, Secret, SessionId, Token, VERSION, Welcome,
};
use bytes::Bytes;
use futures::FutureExt as _;

use super::TestApp;
use super::app::Answering;
use crate::random::random;

/// A packet, and its number if it is a tracked one that came with a poll.
pub(super) type Numbered = (u64, Packet);

/// The client's end of a session, and the poll that waits.
pub(super) struct Carrier {
    pub(super) app: TestApp,
    headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) session: SessionId,
    secret: Secret,
    /// The attach counter of the last poll.
    counter: u64,
    received: u64,
    /// The number of the next packet that the client sends.
    next: u64,
    poll: Option<Answering>,
    /// The network is gone.
    pub(super) is_cut: bool,
}

impl Carrier {
    /// Opens a session. Returns what the server has sent with the welcome as well.
    pub(super) async fn open(
        app: TestApp,
        auth: String,
        headers: Vec<(HeaderName, HeaderValue)>,
    ) -> Result<(Self, Vec<Numbered>), Close> {
        let key = Token::from_bytes(random()).reveal();
        let open = |counter| format!("open v={VERSION} key={key} n={counter} {auth}");
        let mut counter = 0;
        loop {
            counter += 1;
            let body = app.post("poll", &headers, open(counter).trim_end().to_owned()).await;
            let mut packets = packets(&body).into_iter();
            match packets.next() {
                Some(Packet::Welcome(welcome)) => {
                    let Welcome { session, secret, .. } = *welcome;
                    let secret = secret.expect("the welcome to an open has the secret");
                    let (received, next, poll, is_cut) = (0, 1, None, false);
                    let mut carrier = Self {
                        app,
                        headers,
                        session,
                        secret,
                        counter,
                        received,
                        next,
                        poll,
                        is_cut,
                    };
                    let packets = carrier.take(&body);
                    return Ok((carrier, packets));
                }
                Some(Packet::Close(close)) => return Err(close),
                // The application takes its time to decide.
                _ => {}
            }
        }
    }

    /// Sends packets. Returns what the server has answered beside a confirmation.
    pub(super) async fn send(&mut self, tracked: u64, lines: &str) -> Vec<Numbered> {
        assert!(!self.is_cut, "this session's network is cut: resume() it before it sends");
        loop {
            let head = self.attach(&format!("next={}", self.next));
            let body = self.app.post("post", &self.headers, format!("{head}\n{lines}")).await;
            let mut packets = packets(&body);
            let has_all = packets.iter().any(|packet| {
                matches!(packet, Packet::Confirm(number) if *number + 1 >= self.next + tracked)
            });
            packets.retain(|packet| !matches!(packet, Packet::Confirm(_)));
            if has_all || !packets.is_empty() {
                self.next += tracked;
                return packets.into_iter().map(|packet| (0, packet)).collect();
            }
            // Handlers are behind: the server takes the rest later.
            tokio::task::yield_now().await;
        }
    }

    pub(super) fn send_packet(&mut self, packet: &Encoded) -> impl Future<Output = Vec<Numbered>> {
        let line = String::from_utf8_lossy(packet.text_line()).into_owned();
        async move { self.send(1, &line).await }
    }

    /// The packets of the next poll. It goes on where it was when it was dropped.
    pub(super) async fn receive(&mut self) -> Vec<Numbered> {
        assert!(!self.is_cut, "this session's network is cut: resume() it before it receives");
        if self.poll.is_none() {
            let line = self.poll_line(false);
            self.poll = Some(self.app.post("poll", &self.headers, line));
        }
        let body = self.poll.as_mut().expect("it was just begun").await;
        self.poll = None;
        self.take(&body)
    }

    /// Cuts the connection of a poll that waits, which the server notices. Returns what came
    /// before.
    pub(super) async fn cut(&mut self) -> Vec<Numbered> {
        let mut came = Vec::new();
        while let Some(packets) = self.receive().now_or_never() {
            if packets.iter().any(|(_, packet)| matches!(packet, Packet::Close(_))) {
                return packets;
            }
            came.extend(packets);
            tokio::task::yield_now().await;
        }
        self.poll = None;
        self.is_cut = true;
        came
    }

    /// Attaches again. Returns what the server has sent.
    pub(super) async fn resume(&mut self) -> Vec<Numbered> {
        self.is_cut = false;
        let line = self.poll_line(true);
        let body = self.app.post("poll", &self.headers, line).await;
        self.take(&body)
    }

    /// Counts the tracked packets that are new, and leaves out those that are not.
    fn take(&mut self, body: &Bytes) -> Vec<Numbered> {
        let mut number = self.received + 1;
        let mut new = Vec::new();
        for packet in packets(body) {
            match packet {
                Packet::Position(stated) => number = stated,
                Packet::Welcome(welcome) => number = welcome.next,
                packet => {
                    let is_tracked = packet.is_tracked();
                    if !is_tracked || number > self.received {
                        self.received += u64::from(is_tracked);
                        new.push((number, packet));
                    }
                    number += u64::from(is_tracked);
                }
            }
        }
        new
    }

    fn poll_line(&mut self, greet: bool) -> String {
        self.counter += 1;
        let greet = if greet { " greet=1" } else { "" };
        self.attach(&format!("next={} n={}{greet}", self.next, self.counter))
    }

    fn attach(&self, more: &str) -> String {
        let (session, secret, received) = (self.session, self.secret.reveal(), self.received);
        format!("attach v={VERSION} sid={session} secret={secret} recv={received} {more}")
    }
}

fn packets(body: &Bytes) -> Vec<Packet> {
    let batch = Batch::new(body.clone(), &Limits::default());
    let mut batch = batch.expect("the server answers within the limits");
    let next = || batch.next_packet().map(|packet| packet.expect("the server sends packets"));
    std::iter::from_fn(next).collect()
}
