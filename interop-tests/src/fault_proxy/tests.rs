//! Every fault against a server that echoes.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::{Cut, Direction, FaultProxy};

/// Echoes: the body of a request, or the bytes of a connection that does not speak HTTP or was
/// upgraded.
struct Echo {
    addr: SocketAddr,
    /// Every request as it arrived.
    requests: mpsc::UnboundedReceiver<String>,
    _task: JoinSet<()>,
}

impl Echo {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (log, requests) = mpsc::unbounded_channel();
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let log = log.clone();
                connections.spawn(async move { drop(echo(stream, log).await) });
            }
        });
        Self { addr, requests, _task: task }
    }
}

async fn echo(stream: TcpStream, log: mpsc::UnboundedSender<String>) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    while stream.fill_buf().await?.first().is_some_and(u8::is_ascii_uppercase) {
        let (head, body) = read_message(&mut stream).await?;
        let upgrade = head.contains("Upgrade:");
        log.send(format!("{head}{body}")).unwrap();
        let answer = if upgrade {
            "HTTP/1.1 101 Switching Protocols\r\n\r\n".to_owned()
        } else {
            format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
        };
        stream.write_all(answer.as_bytes()).await?;
        if head.contains("Connection: close") {
            return stream.shutdown().await;
        }
        if upgrade {
            break;
        }
    }
    let (mut read, mut write) = tokio::io::split(stream);
    tokio::io::copy(&mut read, &mut write).await?;
    write.shutdown().await
}

/// The head and the body of a request or a response.
async fn read_message(stream: &mut BufReader<TcpStream>) -> io::Result<(String, String)> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).await?;
    Ok((head, String::from_utf8(body).unwrap()))
}

/// One connection through the proxy.
struct Client(BufReader<TcpStream>);

impl Client {
    async fn connect(proxy: &FaultProxy) -> Self {
        Self(BufReader::new(TcpStream::connect(proxy.addr()).await.unwrap()))
    }

    async fn echoes(&mut self, text: &str) -> bool {
        self.0.write_all(text.as_bytes()).await.unwrap();
        let mut back = vec![0; text.len()];
        self.0.read_exact(&mut back).await.is_ok() && back == text.as_bytes()
    }

    async fn send(&mut self, request: &str) -> io::Result<(String, String)> {
        self.0.write_all(request.as_bytes()).await?;
        read_message(&mut self.0).await
    }

    /// What is left to read, and how it ends.
    async fn end(&mut self) -> io::Result<Vec<u8>> {
        let mut rest = Vec::new();
        self.0.read_to_end(&mut rest).await.map(|_| rest)
    }
}

const UPGRADE: &str = "GET /ws HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
const GET: &str = "GET / HTTP/1.1\r\n\r\n";

fn post(body: &str) -> String {
    format!("POST / HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// Runs a story that has to end within a generous time.
async fn story(run: impl AsyncFnOnce(FaultProxy, Echo)) {
    let server = Echo::start().await;
    let proxy = FaultProxy::start(server.addr).await.unwrap();
    tokio::time::timeout(Duration::from_secs(20), run(proxy, server)).await.expect("in time");
}

#[tokio::test]
async fn without_a_fault_bytes_pass_and_are_counted() {
    story(async |proxy, _server| {
        let mut client = Client::connect(&proxy).await;
        assert!(client.echoes("hello").await);
        let large = "x".repeat(3_000_000);
        let (head, body) = Client::connect(&proxy).await.send(&post(&large)).await.unwrap();
        assert!(head.starts_with("HTTP/1.1 200") && body == large);
        let counters = proxy.wait_for(|counters| counters.bytes_down > 3_000_000).await;
        assert!(counters.bytes_up > 3_000_000 && counters.accepted == 2);
        assert_eq!(proxy.url("/a"), format!("http://{}/a", proxy.addr()));
    })
    .await;
}

#[tokio::test]
async fn the_end_of_one_direction_is_passed_on() {
    story(async |proxy, _server| {
        let mut client = Client::connect(&proxy).await;
        client.0.write_all(b"last words").await.unwrap();
        client.0.shutdown().await.unwrap();
        assert_eq!(client.end().await.unwrap(), b"last words");
        let counters = proxy.wait_for(|counters| counters.open == 0).await;
        assert_eq!((counters.accepted, counters.cut), (1, 0));
    })
    .await;
}

#[tokio::test]
async fn a_server_that_ends_is_heard_while_the_client_has_not_ended() {
    story(async |proxy, _server| {
        let mut client = Client::connect(&proxy).await;
        client.send("GET / HTTP/1.1\r\nConnection: close\r\n\r\n").await.unwrap();
        assert_eq!(client.end().await.unwrap(), b"");
    })
    .await;
}

#[tokio::test]
async fn a_cut_ends_every_connection_as_it_was_asked_to() {
    story(async |proxy, _server| {
        for how in [Cut::Reset, Cut::Finish] {
            let mut clients = [Client::connect(&proxy).await, Client::connect(&proxy).await];
            for client in &mut clients {
                assert!(client.echoes("hello").await);
            }
            assert_eq!((proxy.open_connections(), proxy.cut_all(how)), (2, 2));
            for client in &mut clients {
                match how {
                    Cut::Finish => assert_eq!(client.end().await.unwrap(), b""),
                    Cut::Reset => {
                        let kind = client.end().await.unwrap_err().kind();
                        assert_eq!(kind, io::ErrorKind::ConnectionReset);
                    }
                }
            }
            assert_eq!((proxy.open_connections(), proxy.cut_all(how)), (0, 0));
        }
        assert_eq!(proxy.counters().cut, 4);
        assert!(Client::connect(&proxy).await.echoes("again").await);
    })
    .await;
}

#[tokio::test]
async fn a_cut_of_one_picks_by_number() {
    story(async |proxy, _server| {
        assert_eq!(proxy.cut_one(7, Cut::Reset), 0);
        let mut clients = Vec::new();
        for _ in 0..3 {
            let mut client = Client::connect(&proxy).await;
            assert!(client.echoes("hello").await);
            clients.push(client);
        }
        assert_eq!(proxy.cut_one(7, Cut::Reset), 1);
        assert!(clients[1].end().await.is_err());
        assert!(clients[0].echoes("alive").await && clients[2].echoes("alive").await);
        assert_eq!((proxy.counters().cut, proxy.open_connections()), (1, 2));
    })
    .await;
}

#[tokio::test]
async fn a_delay_is_kept_each_way() {
    story(async |proxy, _server| {
        let mut client = Client::connect(&proxy).await;
        proxy.delay(Duration::from_millis(40), Duration::ZERO);
        let start = Instant::now();
        assert!(client.echoes("hello").await);
        assert!(start.elapsed() >= Duration::from_millis(80));
    })
    .await;
}

#[tokio::test]
async fn bytes_stay_in_order_under_jitter() {
    story(async |proxy, _server| {
        proxy.delay(Duration::ZERO, Duration::from_millis(3));
        let mut client = Client::connect(&proxy).await;
        let mut sent = String::new();
        for number in 0..200 {
            let word = format!("{number} ");
            client.0.write_all(word.as_bytes()).await.unwrap();
            sent.push_str(&word);
            tokio::task::yield_now().await;
        }
        client.0.shutdown().await.unwrap();
        assert_eq!(client.end().await.unwrap(), sent.as_bytes());
    })
    .await;
}

#[tokio::test]
async fn a_delayed_connection_holds_up_no_other() {
    story(async |proxy, _server| {
        let mut slow = Client::connect(&proxy).await;
        assert!(slow.echoes("hello").await); // 5 bytes each way, and 4 more below
        proxy.delay(Duration::from_secs(3600), Duration::ZERO);
        let mut late = std::pin::pin!(slow.echoes("late"));
        let mut quick = Client::connect(&proxy).await;
        tokio::select! {
            _ = &mut late => panic!("an hour has not passed"),
            _ = async {
                proxy.wait_for(|counters| counters.bytes_received == 14).await;
                proxy.delay(Duration::ZERO, Duration::ZERO);
                assert!(quick.echoes("quick").await);
            } => {}
        }
    })
    .await;
}

#[tokio::test]
async fn upgrades_are_refused_and_other_requests_pass() {
    story(async |proxy, mut server| {
        proxy.refuse_upgrade(Some(426));
        let mut client = Client::connect(&proxy).await;
        for _ in 0..2 {
            let (head, _) = client.send(UPGRADE).await.unwrap();
            assert!(head.starts_with("HTTP/1.1 426 "), "{head}");
            assert_eq!(client.send(&post("body")).await.unwrap().1, "body");
            assert!(server.requests.recv().await.unwrap().starts_with("POST"));
        }
        assert_eq!(proxy.counters().refused_upgrades, 2);
        proxy.refuse_upgrade(None);
        let (head, _) = client.send(UPGRADE).await.unwrap();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        proxy.refuse_upgrade(Some(426));
        assert!(client.echoes(UPGRADE).await, "what an upgraded connection says is no request");
    })
    .await;
}

#[tokio::test]
async fn a_dead_upgrade_is_agreed_to_and_then_silent() {
    story(async |proxy, _server| {
        proxy.dead_upgrades(true);
        let mut client = Client::connect(&proxy).await;
        let (head, _) = client.send(UPGRADE).await.unwrap();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        client.0.write_all(b"anyone?").await.unwrap();
        proxy.wait_for(|counters| counters.bytes_muted == 7).await;
        assert_eq!(proxy.open_connections(), 1);
        proxy.dead_upgrades(false);
        let mut client = Client::connect(&proxy).await;
        client.send(UPGRADE).await.unwrap();
        assert!(client.echoes("anyone?").await);
    })
    .await;
}

#[tokio::test]
async fn a_muted_direction_stays_open_and_silent() {
    for direction in [Direction::Up, Direction::Down, Direction::Both] {
        story(async |proxy, mut server| {
            let mut client = Client::connect(&proxy).await;
            client.send(GET).await.unwrap();
            server.requests.recv().await.unwrap();
            proxy.mute(Some(direction));
            client.0.write_all(GET.as_bytes()).await.unwrap();
            proxy.wait_for(|counters| counters.bytes_muted > 0).await;
            let arrived = direction == Direction::Down;
            assert_eq!(server.requests.try_recv().is_ok(), arrived);
            proxy.mute(None);
            let mut fresh = Client::connect(&proxy).await;
            assert!(fresh.echoes("hello").await);
            let before = proxy.counters().bytes_muted;
            client.0.write_all(GET.as_bytes()).await.unwrap();
            proxy.wait_for(|counters| counters.bytes_muted > before).await;
            assert_eq!(proxy.cut_all(Cut::Finish), 2);
            assert_eq!(client.end().await.unwrap(), b"");
        })
        .await;
    }
}

#[tokio::test]
async fn the_end_of_a_muted_connection_is_swallowed() {
    story(async |proxy, mut server| {
        let mut client = Client::connect(&proxy).await;
        client.send(GET).await.unwrap();
        server.requests.recv().await.unwrap();
        proxy.mute(Some(Direction::Up));
        client.0.write_all(b"x").await.unwrap();
        proxy.wait_for(|counters| counters.bytes_muted == 1).await;
        drop(client);
        proxy.mute(None);
        assert!(Client::connect(&proxy).await.echoes("hello").await);
        assert_eq!(proxy.cut_one(0, Cut::Finish), 1);
    })
    .await;
}

#[tokio::test]
async fn connections_are_refused_while_open_ones_live() {
    story(async |proxy, _server| {
        let mut old = Client::connect(&proxy).await;
        assert!(old.echoes("hello").await);
        proxy.refuse_connections(true);
        if let Ok(stream) = TcpStream::connect(proxy.addr()).await {
            assert!(Client(BufReader::new(stream)).end().await.is_err());
        }
        assert_eq!(proxy.counters().refused_connections, 1);
        assert!(old.echoes("alive").await);
        proxy.refuse_connections(false);
        assert!(Client::connect(&proxy).await.echoes("hello").await);
    })
    .await;
}

#[tokio::test]
async fn a_body_is_cut_after_so_many_bytes_once() {
    story(async |proxy, _server| {
        for after in [0, 3] {
            let mut client = Client::connect(&proxy).await;
            client.send(&post("untouched")).await.unwrap();
            proxy.cut_mid_body(after);
            client.0.write_all(post("0123456789").as_bytes()).await.unwrap();
            let answer = String::from_utf8(client.end().await.unwrap()).unwrap();
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            assert!(head.contains("Content-Length: 10"), "{head}");
            assert_eq!(body, &"0123456789"[..after]);
        }
        let mut client = Client::connect(&proxy).await;
        assert_eq!(client.send(&post("whole")).await.unwrap().1, "whole");
        assert_eq!(proxy.counters().cut, 2);
    })
    .await;
}

#[tokio::test]
async fn a_body_too_short_to_be_cut_leaves_it_to_the_next() {
    story(async |proxy, _server| {
        proxy.cut_mid_body(8);
        let mut client = Client::connect(&proxy).await;
        assert_eq!(client.send(&post("short")).await.unwrap().1, "short");
        client.0.write_all(post("long enough").as_bytes()).await.unwrap();
        assert!(client.end().await.unwrap().ends_with(b"\r\n\r\nlong eno"));
    })
    .await;
}

#[tokio::test]
async fn posts_arrive_twice_and_are_answered_once() {
    story(async |proxy, mut server| {
        proxy.replay_posts(true);
        let mut client = Client::connect(&proxy).await;
        for (count, body) in ["twice", ""].into_iter().enumerate() {
            assert_eq!(client.send(&post(body)).await.unwrap().1, body);
            for _ in 0..2 {
                assert_eq!(server.requests.recv().await.unwrap(), post(body));
            }
            proxy.wait_for(|counters| counters.replayed == count + 1).await;
        }
        client.send(GET).await.unwrap();
        client.send(&post(&"x".repeat(70_000))).await.unwrap();
        proxy.replay_posts(false);
        client.send(&post("once")).await.unwrap();
        drop((client, proxy));
        let mut last = Vec::new();
        while last.last().is_none_or(|request| request != &post("once")) {
            last.push(server.requests.recv().await.unwrap());
        }
        assert_eq!(last.len(), 3);
    })
    .await;
}

#[tokio::test]
async fn a_server_that_moved_is_reached() {
    story(async |proxy, server| {
        drop(server);
        let mut client = Client::connect(&proxy).await;
        assert!(client.send(GET).await.is_err());
        proxy.wait_for(|counters| counters.refused_connections == 1).await;
        let moved = Echo::start().await;
        proxy.set_target(moved.addr);
        assert!(Client::connect(&proxy).await.echoes("hello").await);
    })
    .await;
}

#[tokio::test]
async fn dropping_the_proxy_closes_everything() {
    story(async |proxy, _server| {
        let mut client = Client::connect(&proxy).await;
        assert!(client.echoes("hello").await);
        let addr = proxy.addr();
        drop(proxy);
        assert_eq!(client.end().await.unwrap(), b"");
        while TcpStream::connect(addr).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_up_the_server() {
    story(async |proxy, _server| {
        let mut client = Client::connect(&proxy).await;
        let block = vec![b'x'; 64 * 1024];
        let (mut sent, limit) = (0, 128 << 20);
        let stalled = Duration::from_millis(100);
        while sent < limit {
            let Ok(written) = tokio::time::timeout(stalled, client.0.write(&block)).await else {
                break;
            };
            sent += written.unwrap();
        }
        assert!(sent < limit);
    })
    .await;
}
