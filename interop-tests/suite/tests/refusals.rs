//! The native client and what is no Bowline server: real sockets answer as portals, proxies and
//! wrong ports do.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bowline_client::{Cause, Client, ClientBuilder, ConnectError, Transport};
use bowline_fixtures::within_a_minute;
use rcgen::{CertificateParams, KeyPair};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

#[tokio::test]
async fn a_wrong_path_is_told_at_once_and_says_what_to_look_at() {
    let error =
        refused(&Answering::with(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").await)
            .await;
    assert_eq!(error.cause(), Some(Cause::NotFound));
    assert!(error.to_string().starts_with("HTTP 404: there is no Bowline server at this path"));
}

#[tokio::test]
async fn a_long_page_does_not_hide_its_status() {
    let mut answer = b"HTTP/1.1 403 Forbidden\r\ncontent-length: 300000\r\n\r\n".to_vec();
    answer.resize(answer.len() + 300_000, b'x');
    let error = refused(&Answering::with(&answer).await).await;
    assert_eq!(error.cause(), Some(Cause::Forbidden), "{error}");
}

#[tokio::test]
async fn nothing_follows_a_redirect() {
    let elsewhere = Answering::with(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    for status in ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"] {
        let answer = format!(
            "HTTP/1.1 {status}\r\nlocation: {}/bowline?token=hush\r\ncontent-length: 0\r\n\r\n",
            elsewhere.url("http")
        );
        let error = refused(&Answering::with(answer.as_bytes()).await).await;
        assert_eq!(error.cause(), Some(Cause::Redirected), "{status}: {error}");
        assert!(error.to_string().contains(&elsewhere.url("http")), "{error}");
        assert!(!error.to_string().contains("hush"), "{error}");
    }
    assert_eq!(elsewhere.heads(), Vec::<String>::new(), "the other host has received nothing");
}

#[tokio::test]
async fn a_port_that_expects_tls_is_told_however_its_server_says_so() {
    let alert = Answering::start(Peer::Tls(certified())).await;
    let silent = Answering::start(Peer::TlsOrSilence(certified())).await;
    let page = "<center>The plain HTTP request was sent to HTTPS port</center>";
    let worded =
        format!("HTTP/1.1 400 Bad Request\r\ncontent-length: {}\r\n\r\n{page}", page.len());
    let worded = Answering::with(worded.as_bytes()).await;
    for server in [alert, silent, worded] {
        let error = refused(&server).await;
        assert_eq!(error.cause(), Some(Cause::TlsExpected), "{error}");
    }
}

#[tokio::test]
async fn a_port_that_speaks_no_tls_is_told() {
    let server = Answering::with(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await;
    let error = connect(Client::builder(&server.url("https")).connect_deadline(PATIENCE))
        .await
        .unwrap_err();
    assert_eq!(error.cause(), Some(Cause::TlsMissing), "{error}");
}

#[tokio::test]
async fn a_certificate_that_nobody_trusts_is_told() {
    let server = Answering::start(Peer::Tls(certified())).await;
    let error = connect(Client::builder(&server.url("https")).connect_deadline(PATIENCE))
        .await
        .unwrap_err();
    assert_eq!(error.cause(), Some(Cause::UntrustedCertificate), "{error}");
}

#[tokio::test]
async fn what_may_come_is_waited_for_until_the_deadline() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let urls = [
        (format!("http://{nobody}/bowline"), Cause::ConnectionRefused),
        ("http://nowhere.invalid/bowline".to_owned(), Cause::UnknownHost),
    ];
    for (url, cause) in urls {
        for transport in ALL {
            let builder = Client::builder(&url)
                .transports([transport])
                .connect_deadline(Duration::from_millis(300));
            let error = connect(builder).await.unwrap_err();
            assert!(matches!(error, ConnectError::Deadline { .. }), "{url}: {error}");
            assert_eq!(error.cause(), Some(cause), "{transport} to {url}: {error}");
        }
    }
}

#[tokio::test]
async fn headers_go_with_every_request_and_can_be_asked_for() {
    let server = Answering::with(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").await;
    let fixed = Client::builder(&server.url("http")).header("cookie", "id=7").header("x-a", "b");
    connect(fixed).await.unwrap_err();
    let heads = server.heads();
    assert_eq!(heads.len(), 6, "two rounds of three transports");
    assert!(heads.iter().all(|head| head.contains("cookie: id=7") && head.contains("x-a: b")));

    let asked = Arc::new(Mutex::new(0));
    let count = Arc::clone(&asked);
    let fresh = Client::builder(&server.url("http")).headers_with(move || {
        let mut count = count.lock().unwrap();
        *count += 1;
        let token = format!("Bearer {count}");
        async move { Ok::<_, &str>(vec![("authorization".to_owned(), token)]) }
    });
    connect(fresh).await.unwrap_err();
    for (index, head) in server.heads()[6..].iter().enumerate() {
        assert!(head.contains(&format!("authorization: bearer {}", index + 1)), "{head}");
    }
    assert_eq!(*asked.lock().unwrap(), 6);
}

#[tokio::test]
async fn headers_that_cannot_be_had_or_sent_are_a_failure_to_be_retried() {
    for broken in [Err("no token yet"), Ok(vec![("two words".to_owned(), String::new())])] {
        let client = Client::builder("http://127.0.0.1:9/bowline")
            .headers_with(move || {
                let broken = broken.clone();
                async move { broken }
            })
            .connect_deadline(Duration::from_millis(200));
        let error = connect(client).await.unwrap_err().to_string();
        assert!(error.contains("no headers: "), "{error}");
    }
}

#[test]
fn headers_that_the_client_sets_itself_are_refused() {
    for name in ["Host", "content-type", "Sec-WebSocket-Key", "connection", "", "a b"] {
        let built = Client::builder("http://localhost/bowline").header(name, "x").build();
        assert!(built.is_err(), "{name}");
    }
}

/// The error of a client that three transports were refused.
async fn refused(server: &Answering) -> ConnectError {
    connect(Client::builder(&server.url("http")).connect_deadline(PATIENCE)).await.unwrap_err()
}

async fn connect(builder: ClientBuilder) -> Result<(), ConnectError> {
    within_a_minute(builder.build().unwrap().connect()).await
}

/// A server that says the same to everyone, and keeps what it was asked.
struct Answering {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
    serving: JoinHandle<()>,
}

#[derive(Clone)]
enum Peer {
    Plain(Arc<[u8]>),
    Tls(TlsAcceptor),
    /// Closes without a word what does not speak TLS, as Node does.
    TlsOrSilence(TlsAcceptor),
}

impl Answering {
    async fn with(answer: &[u8]) -> Self {
        Self::start(Peer::Plain(answer.into())).await
    }

    async fn start(peer: Peer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&heads);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, peer.clone(), Arc::clone(&kept)));
            }
        });
        Self { address, heads, serving }
    }

    fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}/bowline", self.address)
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(stream: TcpStream, peer: Peer, heads: Arc<Mutex<Vec<String>>>) {
    match peer {
        Peer::Plain(answer) => answer_all(stream, &answer, &heads).await,
        Peer::Tls(acceptor) => drop(acceptor.accept(stream).await),
        Peer::TlsOrSilence(acceptor) => {
            let mut first = [0];
            if stream.peek(&mut first).await.is_ok() && first == [HANDSHAKE] {
                drop(acceptor.accept(stream).await);
            }
        }
    }
}

/// Answers each request of a connection.
async fn answer_all(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    answer: &[u8],
    heads: &Mutex<Vec<String>>,
) {
    while let Some(head) = read_head(&mut stream).await {
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
        heads.lock().unwrap().push(head);
        if stream.read_exact(&mut body).await.is_err() || stream.write_all(answer).await.is_err() {
            return;
        }
    }
}

/// In lower case.
async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut head = String::new();
    // Whatever speaks no HTTP is answered as well.
    while !head.ends_with("\r\n\r\n") && !head.starts_with(char::from(HANDSHAKE)) {
        head.push(char::from(stream.read_u8().await.ok()?));
    }
    Some(head.to_lowercase())
}

/// TLS with a certificate that nobody trusts.
fn certified() -> TlsAcceptor {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap().der().clone();
    let config = ServerConfig::builder().with_no_client_auth();
    let config = config.with_single_cert(vec![certificate], key.into()).unwrap();
    TlsAcceptor::from(Arc::new(config))
}

const ALL: [Transport; 3] = [Transport::WebSocket, Transport::Sse, Transport::Polling];
/// The first byte of a TLS handshake.
const HANDSHAKE: u8 = 0x16;
/// Then the test fails with what the client has met instead.
const PATIENCE: Duration = Duration::from_secs(10);
