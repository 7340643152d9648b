//! The native client and a TLS server: it trusts the certificates that the machine trusts, and no
//! others. With HTTP/2 the same is in `tests/matrix.rs`.
//!
//! On Linux the environment can say which these are; elsewhere a test would have to change the
//! machine.
#![cfg(target_os = "linux")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::http::Version;
use bowline_contract::Down;
use bowline_fault_proxy::{Cut, FaultProxy};
use bowline_fixtures::app::Entry;
use bowline_fixtures::authority::Authority;
use bowline_fixtures::test_server::TestServer;
use bowline_fixtures::within_a_minute;
use bowline_protocol::{CloseCode, SessionId};
use futures::future::join_all;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

#[tokio::test]
async fn every_transport_speaks_tls_and_resumes_after_a_cut() {
    let authority = authority("every_transport");
    let visits = ["localhost", "127.0.0.1"].into_iter().flat_map(|host| {
        let authority = &authority;
        TRANSPORTS.map(|transport| async move {
            let world = World::new(authority, &["localhost", "127.0.0.1"]).await;
            let visit = world.visit(host, transport, authority);
            let (outcome, session) = futures::join!(visit, world.cut_the_visitor_off());
            assert_eq!(outcome, Ok(()), "{transport} to {host}");
            world.expect_one_session_without_loss(session).await;
            for endpoint in ["ws", "sse", "poll", "post"] {
                let versions = world.server.journal().versions(&format!("/bowline/{endpoint}"));
                assert!(versions.iter().all(|version| *version == Version::HTTP_11));
            }
        })
    });
    within_a_minute(join_all(visits)).await;
}

#[tokio::test]
async fn a_server_of_an_unknown_authority_is_refused_with_the_reason_and_without_haste() {
    let known = authority("known");
    let unknown = authority("unknown");
    let world = async || World::new(&unknown, &["localhost", "127.0.0.1"]).await;
    expect_refusals(world, &known, "certificate: UnknownIssuer").await;
}

#[tokio::test]
async fn a_server_with_a_certificate_for_another_host_is_refused_with_the_reason() {
    let authority = authority("another_host");
    let world = async || World::new(&authority, &["localhost"]).await;
    expect_refusals(world, &authority, "certificate not valid for name \"127.0.0.1\"").await;
}

async fn expect_refusals(world: impl AsyncFn() -> World, trusted: &Authority, why: &str) {
    let visits = TRANSPORTS.map(async |transport| {
        let (world, begin) = (world().await, Instant::now());
        let said = tokio::select! {
            outcome = world.visit("127.0.0.1", transport, trusted) => outcome.unwrap_err(),
            entries = world.server.journal().wait_for(|entries| !entries.is_empty()) => {
                panic!("{transport}: {entries:?}")
            }
        };
        // Two attempts that run into their timeout take longer, and give another reason.
        assert!(begin.elapsed() < Duration::from_secs(10), "{transport}: {:?}", begin.elapsed());
        assert!(said.contains(why), "{transport}: {said}");
        assert_eq!(world.proxy.counters().accepted, ROUNDS, "{transport}");
    });
    within_a_minute(join_all(visits)).await;
}

/// Ends TLS in front of a server, as load balancers do, and offers nothing but HTTP/1.1.
async fn end_tls(mut config: ServerConfig, server: SocketAddr) -> SocketAddr {
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((outside, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut outside = acceptor.accept(outside).await?;
                let mut inside = TcpStream::connect(server).await?;
                copy_bidirectional(&mut outside, &mut inside).await
            });
        }
    });
    address
}

/// An authority whose file is below the build.
fn authority(name: &str) -> Authority {
    Authority::below(env!("CARGO_TARGET_TMPDIR"), name)
}

/// A server, and the way to it.
struct World {
    server: TestServer,
    proxy: FaultProxy,
}

impl World {
    async fn new(authority: &Authority, hosts: &[&str]) -> Self {
        let server = TestServer::start();
        let front = end_tls(authority.certify(hosts), server.address()).await;
        let proxy = FaultProxy::start(front).await.unwrap();
        Self { server, proxy }
    }

    /// A visit by a client that trusts this authority and no other. Fails with what the client
    /// says.
    async fn visit(&self, host: &str, transport: &str, trusted: &Authority) -> Result<(), String> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_visit"));
        let url = format!("https://{host}:{}/bowline", self.proxy.addr().port());
        // Nothing else is inherited, such as a proxy for HTTPS.
        command.args([&url, transport]).env_clear().env("SSL_CERT_FILE", trusted.file());
        let output = command.kill_on_drop(true).output().await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() { Ok(()) } else { Err(said) }
    }

    /// Cuts the visitor's connections after its first message, and sends an event while it is away.
    async fn cut_the_visitor_off(&self) -> SessionId {
        let entries = self.server.journal().wait_for(|entries| entries.len() == 2).await;
        let Entry::Up(session, 1) = entries[1] else { panic!("{entries:?}") };
        self.proxy.refuse_connections(true);
        assert!(self.proxy.cut_all(Cut::Reset) >= 1);
        self.proxy.wait_for(|counters| counters.refused_connections >= 1).await;
        self.server.bowline().socket(&session).unwrap().emit(Down, &7).unwrap();
        self.proxy.refuse_connections(false);
        session
    }

    async fn expect_one_session_without_loss(&self, session: SessionId) {
        let expected = [
            Entry::Connected(session),
            Entry::Up(session, 1),
            Entry::Up(session, 7),
            Entry::Disconnected(session, CloseCode::NORMAL),
        ];
        let entries = self.server.journal().wait_for(|entries| entries.len() >= 4).await;
        assert_eq!(entries, expected);
    }
}

const TRANSPORTS: [&str; 3] = ["websocket", "sse", "polling"];

/// How often the visitor tries. Each time is one connection, and the waits between are the
/// client's.
const ROUNDS: usize = 2;
