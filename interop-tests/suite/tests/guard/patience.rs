//! What takes longer than the guard waits, and is not ended.

use bowline_contract::Down;
use bowline_fixtures::test_server::Listening;
use bowline_fixtures::within_a_minute;
use bowline_protocol::SessionId;
use bowline_raw_client::RawClient;

use super::scene::{LARGE, Scene, open};

/// The guard acts twice while the application is at work.
async fn the_guard_acts(scene: &Scene) {
    scene.guard_has_acted().await;
    scene.guard_has_acted().await;
}

#[tokio::test]
async fn a_request_of_the_application_that_takes_longer_is_answered() {
    within_a_minute(async {
        for as_middleware in [false, true] {
            let scene = Scene::with(|builder| builder, as_middleware, Listening::Plain);
            let mut quick = scene.connect().await;
            quick.get("/bowline/health").await.expect("it is answered");
            // The first request of a connection, and a later one.
            let mut clients = [scene.connect().await, quick];
            for client in &mut clients {
                client.request("POST", "/slow", &[], "body").await.expect("the server reads");
            }
            the_guard_acts(&scene).await;
            scene.go();
            for mut client in clients {
                assert_eq!(client.response().await.expect("it is answered").text(), "body");
                let again = client.get("/bowline/health").await.expect("it stays open");
                assert_eq!(again.text(), "ok\n");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn an_upload_and_a_stream_of_the_application_that_pause_go_on() {
    within_a_minute(async {
        let scene = Scene::start();
        let head = "POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\nhalf";
        let mut upload = scene.sent(head).await;
        let mut stream = scene.connect().await;
        stream.request("GET", "/stream", &[], "").await.expect("the server reads");
        stream.head().await.expect("it begins");
        the_guard_acts(&scene).await;
        scene.go();
        upload.send("half").await.expect("the server reads");
        assert_eq!(upload.response().await.expect("it is answered").text(), "halfhalf");
        let mut said = String::new();
        while let Some(chunk) = stream.chunk().await.expect("it goes on") {
            said.push_str(std::str::from_utf8(&chunk).expect("it is text"));
        }
        assert_eq!(said, "begundone");
    })
    .await;
}

#[tokio::test]
async fn carriers_that_have_nothing_to_say_stay() {
    within_a_minute(async {
        let scene = Scene::start();
        let mut socket = scene.connect().await;
        assert_eq!(socket.upgrade("/bowline/ws", &[]).await.expect("it is answered").status, 101);
        socket.send_text(&open()).await.expect("the server reads");
        let welcome = socket.frame().await.expect("it is welcomed").expect("it is open");
        let on_socket = session(std::str::from_utf8(&welcome.payload).expect("it is text"));

        let mut stream = scene.connect().await;
        stream.request("POST", "/bowline/sse", &[], open()).await.expect("the server reads");
        stream.head().await.expect("it is answered");
        let welcome = stream.chunk().await.expect("it goes on").expect("it is welcomed");
        let on_stream = session(std::str::from_utf8(&welcome).expect("it is text"));

        let mut poll = scene.connect().await;
        let welcome = poll.post("/bowline/poll", open()).await.expect("it is answered");
        let on_poll = session(welcome.text());
        let attach = attach(welcome.text());
        poll.request("POST", "/bowline/poll", &[], attach).await.expect("the server reads");

        the_guard_acts(&scene).await;
        for session in [on_socket, on_stream, on_poll] {
            let socket = scene.server.bowline().socket(&session).expect("it lives");
            socket.emit(Down, &7).expect("there is room");
        }
        let frame = socket.frame().await.expect("it goes on").expect("it is open");
        assert_eq!(frame.payload, "e down 7");
        let event = stream.chunk().await.expect("it goes on").expect("it is open");
        assert!(event.windows(8).any(|part| part == b"e down 7"), "{event:?}");
        let answer = poll.response().await.expect("it is answered");
        assert!(answer.text().ends_with("e down 7"), "{}", answer.text());
        let next =
            poll.get("/bowline/health").await.expect("the connection of a poll is used again");
        assert_eq!(next.text(), "ok\n");
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_is_used_again_in_time_stays() {
    within_a_minute(async {
        let scene = Scene::start();
        let mut client = scene.connect().await;
        let mut acted = std::pin::pin!(the_guard_acts(&scene));
        let mut beat = tokio::time::interval(super::scene::LIMIT / 4);
        loop {
            tokio::select! {
                () = &mut acted => break,
                _ = beat.tick() => {
                    let answer = client.get("/bowline/health").await.expect("it is answered");
                    assert_eq!(answer.text(), "ok\n");
                }
            }
        }
    })
    .await;
}

#[tokio::test]
async fn an_answer_that_is_read_slowly_arrives_whole() {
    within_a_minute(async {
        let scene = Scene::start();
        let mut client = scene.connect().await;
        client.request("GET", "/large", &[], "").await.expect("the server reads");
        client.head().await.expect("it is answered");
        let mut read = read_some(&mut client).await;
        let mut acted = std::pin::pin!(the_guard_acts(&scene));
        let mut beat = tokio::time::interval(super::scene::LIMIT / 16);
        loop {
            tokio::select! {
                () = &mut acted => break,
                _ = beat.tick() => read += read_some(&mut client).await,
            }
        }
        assert!(read < LARGE, "it was slow");
        while let Some(chunk) = client.chunk().await.expect("it goes on") {
            read += chunk.len();
        }
        assert_eq!(read, LARGE);
    })
    .await;
}

async fn read_some(client: &mut RawClient) -> usize {
    let mut read = 0;
    while read < 64 * 1024 {
        read += client.chunk().await.expect("it goes on").map_or(64 * 1024, |chunk| chunk.len());
    }
    read
}

/// The session of a welcome.
fn session(text: &str) -> SessionId {
    value(text, "sid=").parse().expect("a welcome has a session")
}

/// A first line that attaches to the session of a welcome.
fn attach(text: &str) -> String {
    let (id, secret) = (value(text, "sid="), value(text, "secret="));
    format!("attach v=1 sid={id} secret={secret} n=2 recv=0 next=1")
}

fn value<'a>(text: &'a str, key: &str) -> &'a str {
    let found = text.split([' ', '\n']).find_map(|pair| pair.strip_prefix(key));
    found.unwrap_or_else(|| panic!("no {key} in {text:?}"))
}
