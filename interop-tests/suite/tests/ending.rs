//! How a server process ends when it is told to: real processes, real signals.

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::{Duration, Instant};

use bowline_client::{Client, Status, Transport};
use bowline_fixtures::within_a_minute;
use bowline_raw_client::RawClient;
use futures::StreamExt as _;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// A process that runs the program `ending`.
struct Server {
    process: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    address: SocketAddr,
}

impl Server {
    async fn start(words: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_ending"))
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the program was built with this test");
        let input = process.stdin.take().expect("it is piped");
        let output = process.stdout.take().expect("it is piped");
        let mut output = BufReader::new(output).lines();
        let address = output.next_line().await.expect("it is text").expect("it prints its address");
        Self { process, input, output, address: address.parse().expect("an address") }
    }

    async fn signal(&self, signal: &str) {
        let id = self.process.id().expect("it runs").to_string();
        let sent = Command::new("kill").args([signal, &id]).status().await;
        assert!(sent.expect("kill is there").success());
    }

    async fn say(&mut self, line: &str) {
        self.input.write_all(format!("{line}\n").as_bytes()).await.expect("it reads");
    }

    async fn wait_for(&mut self, line: &str) {
        while self.output.next_line().await.expect("it is text").expect("it runs") != line {}
    }

    /// Asserts that the process ends by itself, in order.
    async fn assert_ends(mut self) {
        self.wait_for("ended").await;
        assert!(self.process.wait().await.expect("it ends").success());
    }

    async fn connect(&self) -> RawClient {
        RawClient::connect(self.address).await.expect("the server listens")
    }

    /// A connection on which this was sent.
    async fn sent(&self, method: &str, path: &str, body: &str) -> RawClient {
        let mut client = self.connect().await;
        client.request(method, path, &[], body).await.expect("the server reads");
        client
    }

    /// A WebSocket on which this was sent.
    async fn websocket(&self, first: Option<&str>) -> RawClient {
        let mut client = self.connect().await;
        let head = client.upgrade("/bowline/ws", &[]).await.expect("an upgrade is answered");
        assert_eq!(head.status, 101);
        if let Some(first) = first {
            client.send_text(first).await.expect("the server reads");
        }
        client
    }

    async fn client(&self, transport: Transport, mount: &str) -> Client {
        let client = Client::builder(&format!("http://{}/{mount}", self.address))
            .transports([transport])
            .build()
            .expect("the address is valid");
        client.connect().await.expect("the server lets it in");
        client
    }
}

/// Asserts that a client that is connected is told to come back later: it does not look for another
/// way.
async fn assert_sent_away(client: &Client) {
    let mut changes = client.status_stream();
    loop {
        match changes.next().await.expect("the client goes on") {
            Status::Connected { .. } => {}
            Status::Waiting { .. } => return,
            other => panic!("{other:?} instead of waiting"),
        }
    }
}

/// Asserts that the next message, event or body says that the server is going away.
async fn assert_told(what: &str, read: impl Future<Output = std::io::Result<String>>) {
    let said = read.await.unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(said.contains("x 4000 retry="), "{what} was told {said:?}");
}

async fn message(client: &mut RawClient) -> std::io::Result<String> {
    let frame = client.frame().await?.expect("the connection is open");
    Ok(String::from_utf8_lossy(&frame.payload).into_owned())
}

async fn body(client: &mut RawClient) -> std::io::Result<String> {
    Ok(client.response().await?.text().to_owned())
}

/// Everybody who can be connected: each is told, and none keeps the process from ending.
async fn assert_all_are_told_at_once(signal: &str) {
    let mut server = Server::start(&[]).await;
    let mut clients = Vec::new();
    for transport in [Transport::WebSocket, Transport::Sse, Transport::Polling] {
        for mount in ["bowline", "other"] {
            clients.push(server.client(transport, mount).await);
        }
    }
    let mut silent_socket = server.websocket(None).await;
    let mut asked_socket =
        server.websocket(Some("open v=1 key=keykeykeykeykeykeykeyA n=1 true")).await;
    server.wait_for("asked").await;
    let open = "open v=1 key=keykeykeykeykeykeykeyQ n=1 true";
    let mut asked_poll = server.sent("POST", "/bowline/poll", open).await;
    server.wait_for("asked").await;
    let mut trial = server.sent("POST", "/bowline/sse", "h trial").await;
    trial.head().await.expect("a trial is answered");
    trial.chunk().await.expect("a trial is answered").expect("the stream is open");
    let mut half_body = server.connect().await;
    let half = "POST /bowline/poll HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nopen";
    half_body.send(half).await.expect("the server reads");
    let mut half_head = server.connect().await;
    half_head.send("GET /bowl").await.expect("the server reads");
    let _no_head = server.connect().await;
    let mut idle = server.connect().await;
    assert_eq!(idle.get("/bowline/health").await.expect("it is answered").text(), "ok\n");

    let thinking = message(&mut asked_socket).await.expect("the server says that it thinks");
    assert_eq!(thinking, "a");

    let begun = Instant::now();
    server.signal(signal).await;
    assert_told("a socket without a first line", message(&mut silent_socket)).await;
    assert_told("a socket whose hook decides", message(&mut asked_socket)).await;
    assert_told("a poll whose hook decides", body(&mut asked_poll)).await;
    assert_told("half a body", body(&mut half_body)).await;
    assert_eq!(trial.chunk().await.expect("a stream ends in order"), None);
    for client in &clients {
        assert_sent_away(client).await;
    }
    // The hooks that nobody waits for any more are finished as well.
    server.say("go").await;
    server.assert_ends().await;
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(2), "{signal}: the process took {took:?} to end");
}

#[tokio::test]
async fn on_sigterm_all_are_told_and_the_process_ends_within_two_seconds() {
    within_a_minute(assert_all_are_told_at_once("-TERM")).await;
}

#[tokio::test]
async fn on_sigint_all_are_told_and_the_process_ends_within_two_seconds() {
    within_a_minute(assert_all_are_told_at_once("-INT")).await;
}

#[tokio::test]
async fn peers_that_read_nothing_or_stall_do_not_keep_a_process_from_ending() {
    within_a_minute(async {
        for signal in ["-TERM", "-INT"] {
            let mut server = Server::start(&[]).await;
            let flood = "open v=1 key=keykeykeykeykeykeykeyA n=1\ne flood";
            let _socket = server.websocket(Some(flood)).await;
            server.wait_for("flooded").await;
            let flood = "open v=1 key=keykeykeykeykeykeykeyQ n=1\ne flood";
            let _stream = server.sent("POST", "/other/sse", flood).await;
            server.wait_for("flooded").await;
            let mut stalled = server.connect().await;
            assert_eq!(stalled.get("/bowline/health").await.expect("it answers").text(), "ok\n");
            stalled.send("GET /bowl").await.expect("the server reads");
            let begun = Instant::now();
            server.signal(signal).await;
            server.assert_ends().await;
            let took = begun.elapsed();
            assert!(took < Duration::from_secs(2), "{signal}: the process took {took:?} to end");
        }
    })
    .await;
}

#[tokio::test]
async fn on_a_signal_of_the_applications_own_a_client_gets_the_answer_of_a_handler_at_work() {
    within_a_minute(async {
        for transport in [Transport::WebSocket, Transport::Sse, Transport::Polling] {
            let mut server = Server::start(&["--own-signal"]).await;
            let client = server.client(transport, "bowline").await;
            let mut begun = client.on::<_, ()>("begun");
            let answer = tokio::spawn(client.request::<_, _, String>("wait", &()).into_future());
            begun.next().await.expect("the client goes on").expect("the handler begins");
            server.say("stop\ngo").await;
            let answer = answer.await.expect("nothing panics");
            let answer = answer.unwrap_or_else(|error| panic!("{transport}: {error}"));
            assert_eq!(answer, "done");
            assert_sent_away(&client).await;
            server.assert_ends().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_handler_that_takes_longer_is_finished_after_its_client_was_sent_away() {
    within_a_minute(async {
        let mut server = Server::start(&[]).await;
        let client = server.client(Transport::WebSocket, "other").await;
        let mut begun = client.on::<_, ()>("begun");
        client.emit("wait", &()).expect("there is room");
        begun.next().await.expect("the client goes on").expect("the handler begins");
        server.signal("-TERM").await;
        assert_sent_away(&client).await;
        server.say("go").await;
        server.wait_for("handled").await;
        server.assert_ends().await;
    })
    .await;
}

#[tokio::test]
async fn a_request_of_the_applications_own_is_finished() {
    within_a_minute(async {
        let mut server = Server::start(&[]).await;
        let client = server.client(Transport::WebSocket, "bowline").await;
        let mut request = server.sent("GET", "/slow", "").await;
        server.wait_for("requested").await;
        server.signal("-TERM").await;
        assert_sent_away(&client).await;
        server.say("go").await;
        assert_eq!(body(&mut request).await.expect("it is answered"), "done");
        server.assert_ends().await;
    })
    .await;
}

#[tokio::test]
async fn a_handler_that_does_not_end_is_left_behind_at_the_deadline() {
    within_a_minute(async {
        let server = Server::start(&["300"]).await;
        let client = server.client(Transport::Polling, "bowline").await;
        let mut begun = client.on::<_, ()>("begun");
        client.emit("wait", &()).expect("there is room");
        begun.next().await.expect("the client goes on").expect("the handler begins");
        server.signal("-TERM").await;
        assert_sent_away(&client).await;
        server.assert_ends().await;
    })
    .await;
}

#[tokio::test]
async fn a_second_signal_waits_for_nothing() {
    within_a_minute(async {
        let server = Server::start(&["600000"]).await;
        let client = server.client(Transport::WebSocket, "bowline").await;
        let mut begun = client.on::<_, ()>("begun");
        client.emit("wait", &()).expect("there is room");
        begun.next().await.expect("the client goes on").expect("the handler begins");
        server.signal("-TERM").await;
        assert_sent_away(&client).await;
        server.signal("-TERM").await;
        server.assert_ends().await;
    })
    .await;
}
