//! Every broker keeps its promises; Redis says what is wrong when it cannot be used.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use bowline_fault_proxy::{Cut, Direction, FaultProxy};
use bowline_fixtures::nodes::eventually;
use bowline_fixtures::within_a_minute;
use bowline_processes::{RedisServer, free_port};
use bowline_server::broker::{
    Broker, Deliver, Delivery, LocalBroker, Publication, RedisBroker, acceptance,
};
use bytes::Bytes;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::sync::{mpsc, oneshot};

#[tokio::test]
async fn the_local_broker_passes() {
    let first = LocalBroker::new();
    let second = first.neighbour();
    acceptance::run(first, second).await;
}

#[tokio::test]
async fn redis_passes() {
    let redis = RedisServer::start();
    run_on(&redis.url()).await;
}

#[tokio::test]
async fn redis_with_a_user_and_a_password_passes() {
    let alice = ["--user", "alice", "on", ">secret", "~bowline:*", "&bowline:*", "+@all"];
    let redis = RedisServer::start_with(&[&["--user", "default", "off"][..], &alice].concat());
    run_on(&format!("redis://alice:secret@127.0.0.1:{}", redis.port())).await;
}

#[tokio::test]
async fn a_cluster_of_redis_servers_passes() {
    let redis = RedisServer::start_cluster();
    run_on(&redis[1].url()).await;
}

#[tokio::test]
async fn an_unreachable_redis_is_an_error_with_the_address_and_what_to_do() {
    let port = free_port();
    let error = RedisBroker::connect(&format!("redis://alice:secret@127.0.0.1:{port}")).await;
    let error = error.expect_err("nothing listens there").to_string();
    assert!(error.contains(&format!("127.0.0.1:{port}")), "{error}");
    assert!(error.contains("redis-server"), "{error}");
    assert!(!error.contains("secret"), "{error}");
    let error = RedisBroker::connect("http://alice:secret@host").await.expect_err("no Redis URL");
    assert!(!error.to_string().contains("secret"), "{error}");
}

#[tokio::test]
async fn a_connection_that_is_silently_dead_is_noticed() {
    within_a_minute(async {
        let redis = RedisServer::start();
        let proxy = FaultProxy::start(address(redis.port())).await.unwrap();
        let (broker, mut deliveries) = running(&url(&proxy)).await;
        let (effective, is_effective) = oneshot::channel();
        broker.subscribe("quiet", Some(effective));
        is_effective.await.unwrap();
        proxy.mute(Some(Direction::Both));
        // Nobody says anything meanwhile.
        assert_eq!(deliveries.recv().await, Some(Delivery::Down));
        proxy.mute(None);
        assert_eq!(deliveries.recv().await, Some(Delivery::Up));
        publish(&broker, "quiet", b"heard", None);
        assert!(matches!(deliveries.recv().await, Some(Delivery::Message { .. })));
    })
    .await;
}

#[tokio::test]
async fn a_message_whose_answer_is_lost_is_not_published_twice() {
    within_a_minute(async {
        let (told, port) = std::sync::mpsc::channel();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let shown = listener.local_addr().unwrap().port();
        let redis = RedisServer::start_cluster_of_one(|port| {
            told.send(port).unwrap();
            shown
        });
        let proxy = FaultProxy::start_on(listener, address(port.recv().unwrap())).unwrap();
        let (broker, mut deliveries) = running(&url(&proxy)).await;
        let (told, heard) = oneshot::channel();
        publish(&broker, "news", b"before", Some(told));
        assert_eq!(heard.await, Ok(0));
        proxy.mute(Some(Direction::Down));
        let (told, heard) = oneshot::channel();
        publish(&broker, "news", b"once", Some(told));
        eventually(|| redis.calls("spublish") == 2).await;
        proxy.mute(None);
        proxy.cut_all(Cut::Reset);
        assert!(heard.await.is_err(), "nobody knows who has heard it");
        while deliveries.recv().await != Some(Delivery::Up) {}
        assert_eq!(redis.calls("spublish"), 2);
    })
    .await;
}

#[tokio::test]
async fn a_password_is_in_nothing_that_can_be_printed() {
    let redis = RedisServer::start_with(&["--requirepass", "hush-hush"]);
    let url = format!("redis://:hush-hush@127.0.0.1:{}", redis.port());
    let broker = RedisBroker::connect(&url).await.unwrap();
    assert!(!format!("{broker:?}").contains("hush"), "{broker:?}");
    let bowline =
        bowline_server::Bowline::builder().broker(broker).publish_token("hush-hush-hush-hush");
    assert!(!format!("{bowline:?}").contains("hush"), "{bowline:?}");
    let wrong = format!("redis://:hush-wrong@127.0.0.1:{}", redis.port());
    let error = RedisBroker::connect(&wrong).await.unwrap_err();
    assert!(!format!("{error:?} {error}").contains("hush"), "{error:?}");
    let error = RedisBroker::connect("redis://:hush@hush@[").await.unwrap_err();
    assert!(!format!("{error:?} {error}").contains("hush"), "{error:?}");
}

/// Authorities are those of the system, which the environment of a process decides: it runs itself
/// again.
#[tokio::test]
async fn redis_over_tls_passes_and_a_stranger_with_a_certificate_does_not() {
    let (authority, url) = (std::env::var("TEST_AUTHORITY"), std::env::var("TEST_REDIS"));
    if let (Ok(_), Ok(url)) = (authority, url) {
        return run_on(&url).await;
    }
    let files = std::env::temp_dir().join(format!("bowline-tls-{}", std::process::id()));
    std::fs::create_dir_all(&files).unwrap();
    let port = free_port().to_string();
    let [authority, certificate, key] = certificates(&files);
    let redis = RedisServer::start_with(
        &[
            &["--tls-port", &port, "--tls-auth-clients", "no", "--tls-cert-file", &certificate][..],
            &["--tls-key-file", &key, "--tls-ca-cert-file", &authority],
        ]
        .concat(),
    );
    let url = format!("rediss://localhost:{port}");
    let error = RedisBroker::connect(&url).await.expect_err("nobody vouches for it").to_string();
    assert!(error.contains("certificate"), "{error}");
    let program = std::env::current_exe().unwrap();
    let this = "brokers::redis_over_tls_passes_and_a_stranger_with_a_certificate_does_not";
    let status = Command::new(program)
        .args(["--exact", this])
        .envs([("SSL_CERT_FILE", &*authority), ("TEST_AUTHORITY", "yes"), ("TEST_REDIS", &url)])
        .status();
    assert!(status.unwrap().success());
    drop(redis);
    std::fs::remove_dir_all(files).unwrap();
}

/// The paths of an authority, of a certificate for this machine that it has signed, and of its key.
fn certificates(files: &Path) -> [String; 3] {
    let keys = [KeyPair::generate().unwrap(), KeyPair::generate().unwrap()];
    let mut authority = CertificateParams::new([]).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = authority.self_signed(&keys[0]).unwrap();
    let issuer = Issuer::new(authority, &keys[0]);
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let leaf = CertificateParams::new(names).unwrap().signed_by(&keys[1], &issuer).unwrap();
    let texts = [("root", root.pem()), ("leaf", leaf.pem()), ("key", keys[1].serialize_pem())];
    texts.map(|(name, text)| {
        let path = files.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().expect("a temporary path is UTF-8").to_owned()
    })
}

/// A broker that is up, and what it delivers.
async fn running(url: &str) -> (RedisBroker, mpsc::UnboundedReceiver<Delivery>) {
    let broker = RedisBroker::connect(url).await.unwrap();
    let (sender, mut deliveries) = mpsc::unbounded_channel();
    let deliver: Deliver = Arc::new(move |delivery| drop(sender.send(delivery)));
    tokio::spawn(broker.run(deliver));
    assert_eq!(deliveries.recv().await, Some(Delivery::Up));
    (broker, deliveries)
}

fn address(port: u16) -> SocketAddr {
    ([127, 0, 0, 1], port).into()
}

fn url(proxy: &FaultProxy) -> String {
    format!("redis://{}", proxy.addr())
}

async fn run_on(url: &str) {
    let first = RedisBroker::connect(url).await.unwrap();
    let second = RedisBroker::connect(url).await.unwrap();
    acceptance::run(first, second).await;
}

fn publish(
    broker: &RedisBroker,
    channel: &str,
    message: &'static [u8],
    heard: Option<oneshot::Sender<usize>>,
) {
    let message = Bytes::from_static(message);
    broker.publish(vec![Publication { channel: channel.into(), message, heard }]);
}
