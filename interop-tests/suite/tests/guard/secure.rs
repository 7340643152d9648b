//! The same below TLS.

use std::sync::Arc;

use bowline_fixtures::authority::Authority;
use bowline_fixtures::test_server::Listening;
use bowline_fixtures::within_a_minute;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::scene::Scene;

/// A server that speaks TLS, and a client that trusts it.
struct Secure {
    scene: Scene,
    connector: TlsConnector,
}

impl Secure {
    fn start(name: &str) -> Self {
        let authority = Authority::below(env!("CARGO_TARGET_TMPDIR"), name);
        let config = Arc::new(authority.certify(&["localhost"]));
        let scene = Scene::with(|builder| builder, false, Listening::Tls(config));
        let mut roots = RootCertStore::empty();
        let root = CertificateDer::from_pem_file(authority.file()).expect("it was written");
        roots.add(root).expect("it is a certificate");
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        Self { scene, connector: TlsConnector::from(Arc::new(config)) }
    }

    /// A connection on which this was sent.
    async fn sent(&self, bytes: &str) -> TlsStream<TcpStream> {
        let stream = TcpStream::connect(self.scene.server.address()).await.expect("it listens");
        let host = ServerName::try_from("localhost").expect("it is a name");
        let mut stream = self.connector.connect(host, stream).await.expect("it is trusted");
        stream.write_all(bytes.as_bytes()).await.expect("the server reads");
        stream
    }
}

#[tokio::test]
async fn a_connection_that_stalls_below_tls_is_ended() {
    within_a_minute(async {
        let secure = Secure::start("stalls");
        let mut stream = secure.sent("GET /bowline/health HTTP/1.1\r\nHost: x\r\n\r\n").await;
        let mut said = Vec::new();
        while !said.ends_with(b"ok\n") {
            assert_ne!(stream.read_buf(&mut said).await.expect("it is answered"), 0);
        }
        stream.write_all(b"GET /bowl").await.expect("the server reads");
        let mut more = [0; 1];
        // The end may come without a word of TLS.
        assert_eq!(stream.read(&mut more).await.unwrap_or(0), 0);
    })
    .await;
}

#[tokio::test]
async fn a_request_of_the_application_below_tls_may_take_longer() {
    within_a_minute(async {
        let secure = Secure::start("takes_longer");
        let mut stream = secure.sent("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await;
        secure.scene.guard_has_acted().await;
        secure.scene.guard_has_acted().await;
        secure.scene.go();
        let mut said = [0; 15];
        stream.read_exact(&mut said).await.expect("it is answered");
        assert_eq!(&said, b"HTTP/1.1 200 OK");
    })
    .await;
}

#[tokio::test]
async fn a_peer_that_reads_nothing_below_tls_is_cut() {
    within_a_minute(async {
        let secure = Secure::start("reads_nothing");
        let mut stream = secure.sent("GET /large HTTP/1.1\r\nHost: x\r\n\r\n").await;
        let mut beat = tokio::time::interval(std::time::Duration::from_millis(50));
        loop {
            beat.tick().await;
            if stream.write_all(b"x").await.is_err() || stream.flush().await.is_err() {
                break;
            }
        }
    })
    .await;
}
