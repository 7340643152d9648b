//! Stories over TLS, with servers that offer HTTP/2.
//!
//! Which certificates a client trusts is said by the environment, which belongs to the whole process. So each
//! story runs in a process of its own: this very test once more, with an environment that has it play.

use std::path::PathBuf;
use std::time::Duration;

use actix_web::http::Version;
use bowline_client::Transport;
use bowline_interop_tests::app::Journal;
use bowline_interop_tests::authority::Authority;
use bowline_interop_tests::contract::Echo;
use bowline_interop_tests::fault_proxy::Cut;
use bowline_interop_tests::stories::{World, within_a_minute};
use tokio::process::Command;

/// Plays the story if this is the process for it, else has another process do so.
pub(super) async fn run<S: Future<Output = ()>>(
    transport: Transport,
    test: &str,
    story: impl FnOnce(World) -> S,
) {
    match std::env::var_os(PLAYED) {
        Some(played) if played == *test => within_a_minute(play(transport, story)).await,
        Some(_) => {}
        None => within_a_minute(play_elsewhere(test)).await,
    }
}

async fn play<S: Future<Output = ()>>(transport: Transport, story: impl FnOnce(World) -> S) {
    let _ = env_logger::try_init();
    let file = std::env::var_os(TRUSTED).expect("whoever starts the process says whom to trust");
    let authority = Authority::at(PathBuf::from(file));
    let world = World::secure(transport, authority.certify(&["localhost"])).await;
    let journal = world.server.journal().clone();
    story(world).await;
    assert_spoken(transport, &journal);
}

/// HTTP/2 wherever it can be spoken, and WebSockets on HTTP/1.1.
fn assert_spoken(transport: Transport, journal: &Journal) {
    let versions = |endpoint| journal.versions(&format!("/bowline/{endpoint}"));
    let (path, expected) = match transport {
        Transport::WebSocket => ("ws", Version::HTTP_11),
        Transport::Sse => ("sse", Version::HTTP_2),
        Transport::Polling => ("poll", Version::HTTP_2),
    };
    assert_eq!(versions(path), [expected], "{path}");
    let posts = versions("post");
    assert!(posts.iter().all(|version| *version == Version::HTTP_2), "{posts:?}");
}

/// A connection that hears nothing ever again is not asked by the next requests as well, although they would
/// all fit on it.
async fn a_dead_connection_is_left(world: World) {
    let client = world.connected().await;
    client.request(Echo, &"here".to_owned()).await.unwrap();
    let session = client.session_id();
    assert_eq!(world.proxy.cut_all(Cut::Vanish), 1, "all requests share a connection");
    // As after a sleep: the carrier has to prove itself soon.
    client.wake();
    let patient = client.request(Echo, &"still here".to_owned()).timeout(PATIENCE);
    assert_eq!(patient.await.unwrap(), "still here");
    assert_eq!(client.session_id(), session);
}

#[tokio::test]
async fn a_dead_connection_is_left_over_sse() {
    let test = "secure::a_dead_connection_is_left_over_sse";
    run(Transport::Sse, test, a_dead_connection_is_left).await;
}

#[tokio::test]
async fn a_dead_connection_is_left_over_polling() {
    let test = "secure::a_dead_connection_is_left_over_polling";
    run(Transport::Polling, test, a_dead_connection_is_left).await;
}

async fn play_elsewhere(test: &str) {
    let this = std::env::current_exe().expect("a test is a program");
    let file = format!("{}-{}.pem", test.replace("::", "-"), std::process::id());
    let trusted = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(file);
    let mut command = Command::new(this);
    command.args([test, "--exact", "--nocapture"]).env(PLAYED, test).env(TRUSTED, trusted);
    let output = command.kill_on_drop(true).output().await.expect("this program can be started");
    let said = String::from_utf8_lossy(&output.stdout);
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{complaints}");
    assert!(said.contains("1 passed"), "{test} did not run: {said}");
}

/// Less than TCP takes to give up.
const PATIENCE: Duration = Duration::from_secs(20);
/// Names the story that a process plays.
const PLAYED: &str = "BOWLINE_PLAYED";
/// Names the file of the authority that the client trusts, and no other.
const TRUSTED: &str = "SSL_CERT_FILE";
