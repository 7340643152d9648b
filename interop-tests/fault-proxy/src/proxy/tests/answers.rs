//! Answers that are held back.

use super::*;
use crate::faults::Answers;

/// A server that answers in pieces, each as soon as it is told to.
struct Pieces {
    proxy: FaultProxy,
    client: TcpStream,
    server: TcpStream,
}

impl Pieces {
    async fn start(answers: Answers) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = FaultProxy::start(listener.local_addr().unwrap()).await.unwrap();
        proxy.set(Faults { answers, ..Faults::default() });
        let mut client = TcpStream::connect(proxy.addr()).await.unwrap();
        client.write_all(GET.as_bytes()).await.unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        server.read_exact(&mut [0; GET.len()]).await.unwrap();
        Self { proxy, client, server }
    }

    /// Has the server say this, and waits until the proxy has it.
    async fn say(&mut self, text: &str) {
        let before = self.proxy.counters().bytes_received;
        self.server.write_all(text.as_bytes()).await.unwrap();
        self.proxy.wait_for(|counters| counters.bytes_received == before + text.len()).await;
    }

    /// The client gets this.
    async fn hears(&mut self, text: &str) {
        let mut heard = vec![0; text.len()];
        let read = self.client.read_exact(&mut heard);
        tokio::time::timeout(Duration::from_secs(20), read).await.expect("in time").unwrap();
        assert_eq!(String::from_utf8(heard).unwrap(), text);
    }

    /// The client has got nothing more.
    async fn hears_nothing(&mut self) {
        let read = self.client.read_u8();
        assert!(tokio::time::timeout(Duration::from_millis(30), read).await.is_err());
    }
}

const HEAD: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
const ONE: &str = "3\r\none\r\n";
const TWO: &str = "3\r\ntwo\r\n";
const LAST: &str = "0\r\n\r\n";

#[tokio::test]
async fn the_answer_to_a_head_passes_at_once_and_the_next_one_is_held() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = FaultProxy::start(listener.local_addr().unwrap()).await.unwrap();
    proxy.set(Faults { answers: Answers::Whole, ..Faults::default() });
    let client = TcpStream::connect(proxy.addr()).await.unwrap();
    let (server, _) = listener.accept().await.unwrap();
    let mut pieces = Pieces { proxy, client, server };
    for request in [GET.replacen("GET", "HEAD", 1), GET.to_owned()] {
        pieces.client.write_all(request.as_bytes()).await.unwrap();
        pieces.server.read_exact(&mut vec![0; request.len()]).await.unwrap();
    }
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n";
    pieces.say(head).await;
    pieces.hears(head).await;
    pieces.say(head).await;
    pieces.hears_nothing().await;
    pieces.say("ab").await;
    pieces.hears(&format!("{head}ab")).await;
    assert_eq!(pieces.proxy.counters().held, 1);
}

#[tokio::test]
async fn an_answer_waits_until_it_is_whole() {
    let mut pieces = Pieces::start(Answers::Whole).await;
    for piece in [HEAD, ONE, TWO] {
        pieces.say(piece).await;
    }
    pieces.hears_nothing().await;
    pieces.say(LAST).await;
    pieces.hears(&[HEAD, ONE, TWO, LAST].concat()).await;
}

#[tokio::test]
async fn an_answer_waits_until_there_is_enough_of_it() {
    let mut pieces = Pieces::start(Answers::Buffer(ONE.len() + TWO.len())).await;
    pieces.say(HEAD).await;
    pieces.say(ONE).await;
    pieces.hears_nothing().await;
    pieces.say(TWO).await;
    pieces.hears(&[HEAD, ONE, TWO].concat()).await;
    pieces.say(LAST).await;
    pieces.hears(LAST).await;
}

#[tokio::test]
async fn each_piece_waits_for_the_next() {
    let mut pieces = Pieces::start(Answers::HoldLast).await;
    pieces.say(HEAD).await;
    pieces.hears(HEAD).await;
    pieces.say(ONE).await;
    pieces.hears_nothing().await;
    pieces.say(TWO).await;
    pieces.hears(ONE).await;
    pieces.hears_nothing().await;
    pieces.say(LAST).await;
    pieces.hears(&[TWO, LAST].concat()).await;
}

#[tokio::test]
async fn what_was_held_back_comes_when_the_server_ends() {
    let mut pieces = Pieces::start(Answers::Whole).await;
    pieces.say(HEAD).await;
    pieces.say(ONE).await;
    pieces.server.shutdown().await.unwrap();
    pieces.hears(&[HEAD, ONE].concat()).await;
}

#[tokio::test]
async fn an_upgraded_connection_is_no_answer() {
    let mut pieces = Pieces::start(Answers::Whole).await;
    let head = "HTTP/1.1 101 Switching Protocols\r\n\r\n";
    pieces.say(head).await;
    pieces.hears(head).await;
    pieces.say("frames").await;
    pieces.hears("frames").await;
}
