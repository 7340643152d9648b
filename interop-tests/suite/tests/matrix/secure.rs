//! Stories over TLS, with servers that offer HTTP/2.

use std::time::Duration;

use actix_web::http::Version;
use bowline_client::Transport;
use bowline_contract::Echo;
use bowline_fault_proxy::Cut;
use bowline_fixtures::app::Journal;
use bowline_fixtures::authority::{Authority, trusting};
use bowline_fixtures::within_a_minute;
use bowline_interop_tests::stories::World;

/// Plays the story in a process whose client trusts the world's server.
pub(super) async fn run<S: Future<Output = ()>>(
    transport: Transport,
    test: &str,
    story: impl FnOnce(World) -> S,
) {
    let _ = env_logger::try_init();
    let play = async |authority: Authority| {
        let world = World::secure(transport, authority.certify(&["localhost"])).await;
        let journal = world.server.journal().clone();
        story(world).await;
        assert_spoken(transport, &journal);
    };
    within_a_minute(trusting(env!("CARGO_TARGET_TMPDIR"), test, play)).await;
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

/// A connection that hears nothing ever again is not asked by the next requests as well, although
/// they would all fit on it.
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

/// Less than TCP takes to give up.
const PATIENCE: Duration = Duration::from_secs(20);
