//! The native client and a TLS server: it trusts the certificates that the machine trusts, and no
//! others.
//!
//! On Linux the environment can say which these are; elsewhere a test would have to change the machine.
#![cfg(target_os = "linux")]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use bowline_interop_tests::app::{self, Entry};
use bowline_interop_tests::contract::Down;
use bowline_interop_tests::fault_proxy::{Cut, FaultProxy};
use bowline_interop_tests::stories::within_a_minute;
use bowline_interop_tests::test_server::{Listening, Shape, TestServer, no_routes};
use bowline_protocol::{CloseCode, SessionId};
use futures::future::join_all;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tokio::process::Command;
use tokio_rustls::rustls::ServerConfig;

#[tokio::test]
async fn every_transport_speaks_tls_and_resumes_after_a_cut() {
    let authority = Authority::new("every_transport");
    let visits = ["localhost", "127.0.0.1"].into_iter().flat_map(|host| {
        let authority = &authority;
        TRANSPORTS.map(|transport| async move {
            let world = World::new(authority, &["localhost", "127.0.0.1"]).await;
            let visit = world.visit(host, transport, authority);
            let (outcome, session) = futures::join!(visit, world.cut_the_visitor_off());
            assert_eq!(outcome, Ok(()), "{transport} to {host}");
            world.expect_one_session_without_loss(session).await;
        })
    });
    within_a_minute(join_all(visits)).await;
}

#[tokio::test]
async fn a_server_of_an_unknown_authority_is_refused_with_the_reason_and_without_haste() {
    let known = Authority::new("known");
    let unknown = Authority::new("unknown");
    let world = async || World::new(&unknown, &["localhost", "127.0.0.1"]).await;
    expect_refusals(world, &known, "certificate: UnknownIssuer").await;
}

#[tokio::test]
async fn a_server_with_a_certificate_for_another_host_is_refused_with_the_reason() {
    let authority = Authority::new("another_host");
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

/// Who signs certificates, and where its own is kept.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    file: PathBuf,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Two authorities of one name would be told apart by their signatures only.
        params.distinguished_name.push(DnType::CommonName, name);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let file = format!("{name}-{}.pem", std::process::id());
        let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(file);
        std::fs::write(&file, issuer.pem()).unwrap();
        Self { issuer, file }
    }

    /// What a server for these hosts needs.
    fn certify(&self, hosts: &[&str]) -> ServerConfig {
        let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(hosts).unwrap().signed_by(&key, &self.issuer).unwrap();
        let config = ServerConfig::builder().with_no_client_auth();
        config.with_single_cert(vec![leaf.der().clone()], key.into()).unwrap()
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        // One that stays is only a small file below the build.
        let _ = std::fs::remove_file(&self.file);
    }
}

/// A server, and the way to it.
struct World {
    server: TestServer,
    proxy: FaultProxy,
}

impl World {
    async fn new(authority: &Authority, hosts: &[&str]) -> Self {
        let server = TestServer::start_on(
            app::builder().build(),
            Shape::default(),
            no_routes(),
            Listening::Tls(authority.certify(hosts).into()),
        );
        let proxy = FaultProxy::start(server.address()).await.unwrap();
        Self { server, proxy }
    }

    /// A visit by a client that trusts this authority and no other. Fails with what the client says.
    async fn visit(&self, host: &str, transport: &str, trusted: &Authority) -> Result<(), String> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_visit"));
        let url = format!("https://{host}:{}/bowline", self.proxy.addr().port());
        // Nothing else is inherited, such as a proxy for HTTPS.
        command.args([&url, transport]).env_clear().env("SSL_CERT_FILE", &trusted.file);
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

/// How often the visitor tries. Each time is one connection, and the waits between are the client's.
const ROUNDS: usize = 2;
