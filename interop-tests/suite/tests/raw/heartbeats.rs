//! Who is alive. Spec: 02-carriers, "Heartbeats".

use std::time::Duration;

use super::journal;
use super::scene::{Scene, Stream};

const SHORT: Duration = Duration::from_millis(50);
const LONG: Duration = Duration::from_secs(600);

fn beating(grace: Duration) -> Scene {
    Scene::with(|builder| builder.heartbeat(SHORT).heartbeat_grace(grace))
}

#[tokio::test]
async fn the_server_asks_and_takes_any_packet_for_an_answer() {
    let scene = beating(LONG);
    let (session, mut socket) = scene.open().await;
    let mut welcome = scene.websocket(&session.attach("n=2 recv=0 next=1")).await;
    assert!(welcome.line().await.contains(" heartbeat=50 grace=600000 "));
    socket.assert_closed("x 4001").await;
    for answer in ["a", "e up 1", "a", "c 0"] {
        assert_eq!(welcome.line().await, "h");
        welcome.say(answer).await;
    }

    let (session, mut stream) = scene.open_stream().await;
    for _ in 0..3 {
        assert_eq!(stream.event().await.unwrap(), "id: 0\ndata: h\n\n");
        let answer = scene.post("post", session.attach("recv=0 next=1") + "\na").await;
        assert_eq!(answer.text(), "c 0");
    }

    let session = scene.open_polling().await;
    for n in 2..5 {
        let poll = scene.post("poll", session.attach(&format!("n={n} recv=0 next=1"))).await;
        assert_eq!(poll.text(), "n 1\nh");
    }
}

#[tokio::test]
async fn a_silent_websocket_is_ended_and_its_session_resumes() {
    let scene = beating(SHORT);
    let (session, mut socket) = scene.open().await;
    assert_eq!(socket.line().await, "h");
    socket.assert_closed("x 4002").await;
    scene.socket(&session).emit("meanwhile", &1).unwrap();
    let mut resumed = scene.websocket(&session.attach("n=2 recv=0 next=1")).await;
    assert!(resumed.line().await.starts_with("welcome "));
    assert_eq!(resumed.line().await, "e meanwhile 1");
}

#[tokio::test]
async fn a_silent_stream_is_ended_and_its_session_resumes() {
    let scene = beating(SHORT);
    let (session, mut stream) = scene.open_stream().await;
    assert_eq!(stream.line().await, "h");
    stream.assert_closed_with(4002).await;
    scene.socket(&session).emit("meanwhile", &1).unwrap();
    let mut resumed = scene.stream(&session.attach("n=2 recv=0 next=1")).await;
    assert!(resumed.line().await.starts_with("welcome "));
    assert_eq!(resumed.line().await, "e meanwhile 1");
}

#[tokio::test]
async fn a_client_that_probes_is_answered_with_its_token_on_every_carrier() {
    let scene = Scene::start();
    let (_, mut socket) = scene.open().await;
    socket.say("h wake-17").await;
    assert_eq!(socket.line().await, "a wake-17");
    socket.say("h").await;
    assert_eq!(socket.line().await, "a");

    let (session, mut stream) = scene.open_stream().await;
    scene.post("post", session.attach("recv=0 next=1") + "\nh wake-18").await;
    assert_eq!(stream.line().await, "a wake-18");

    let session = scene.open_polling().await;
    let poll = scene.post("poll", session.attach("n=2 recv=0 next=1") + "\nh wake-19").await;
    assert_eq!(poll.text(), "n 1\na wake-19");
}

#[tokio::test]
async fn a_probe_is_answered_while_a_handler_is_at_work() {
    let scene = Scene::start();
    let (_, mut socket) = scene.open().await;
    socket.say("q hang\nq echo \"behind it\"\nh probe").await;
    assert_eq!(socket.line().await, "a probe");
}

#[tokio::test]
async fn a_session_without_a_carrier_is_over_when_its_window_is() {
    let window = Duration::from_millis(20);
    let scene = Scene::with(|builder| builder.resume_window(window));
    let (session, socket) = scene.open().await;
    let id = session.typed();
    drop(socket);
    let is_end = |entry: &_| {
        matches!(entry, bowline_fixtures::app::Entry::Disconnected(ended, code)
            if *ended == id && code.get() == 4100)
    };
    scene.server.journal().wait_for(|entries| entries.iter().any(is_end)).await;
    scene.websocket(&session.attach("n=2 recv=0 next=1")).await.assert_closed("x 4100").await;
    journal::assert_logged(&[&session.id, "ended: 4100"]);

    // A stream that is attached is no session without a carrier, however quiet it is.
    let (_, mut stream): (_, Stream) = scene.open_stream().await;
    scene.server.bowline().emit("for", "everyone").unwrap();
    assert_eq!(stream.line().await, "e for \"everyone\"");
}

#[tokio::test]
async fn a_session_whose_carriers_die_of_silence_is_asked_more_often() {
    let scene = Scene::with(|builder| builder.heartbeat(LONG));
    let (session, stream) = scene.open_stream().await;
    let mut stream = Some(stream);
    for n in 2..4 {
        // What the silence is measured by: no proxy cuts sooner.
        tokio::time::sleep(Duration::from_millis(1100)).await;
        drop(stream.take());
        let again = session.attach(&format!("n={n} recv=0 next=1"));
        let mut next = scene.stream(&again).await;
        let welcome = next.line().await;
        let heartbeat = welcome.split_once(" heartbeat=").unwrap().1.split(' ').next().unwrap();
        let heartbeat: u64 = heartbeat.parse().unwrap();
        match n {
            2 => assert_eq!(heartbeat, 600_000, "once may be chance"),
            _ => assert!((500..5_000).contains(&heartbeat), "half the silence, not {heartbeat}"),
        }
        stream = Some(next);
    }
    assert_eq!(stream.unwrap().line().await, "h");
}
