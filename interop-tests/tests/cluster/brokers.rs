//! Every broker keeps its promises; Redis says what is wrong when it cannot be used.

use bowline_interop_tests::redis_server::{RedisServer, free_port};
use bowline_server::broker::{LocalBroker, RedisBroker, acceptance};

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

async fn run_on(url: &str) {
    let first = RedisBroker::connect(url).await.unwrap();
    let second = RedisBroker::connect(url).await.unwrap();
    acceptance::run(first, second).await;
}
