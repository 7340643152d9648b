//! Refusals by something that is not a Bowline server: when the client gives up, when it waits, and
//! which errors it reports.

use std::time::Duration;

use bowline_client::platform::{Head, HostError};
use bowline_client::protocol::CloseCode;
use bowline_client::{Cause, Client, ConnectError, Status, Transport};
use futures::StreamExt;
use tokio::task::JoinHandle;

use crate::host::{World, soon, welcome_new};
use crate::http::connected;
use crate::lifecycle::until;

const ALL: [Transport; 3] = [Transport::WebSocket, Transport::Sse, Transport::Polling];

type Connecting = JoinHandle<Result<(), ConnectError>>;

fn start(world: &World, transports: &[Transport]) -> (Client, Connecting) {
    let builder = Client::builder("http://test/bowline").transports(transports.iter().copied());
    let client = world.build(builder);
    let connecting = tokio::spawn({
        let client = client.clone();
        async move { client.connect().await }
    });
    (client, connecting)
}

/// One round in which every transport gets this status.
async fn refuse_all(world: &mut World, status: u16) {
    world.refuse_socket(status, "<html>").await;
    world.post("sse").await.answer_with(status, "<html>");
    world.post("poll").await.answer_with(status, "<html>");
}

/// The longest wait before the next round of attempts.
async fn next_round(world: &World, client: &Client) -> Duration {
    let mut statuses = client.status_stream();
    let waiting = until(&mut statuses, |status| matches!(status, Status::Waiting { .. })).await;
    let Status::Waiting { retry_in } = waiting else { unreachable!() };
    world.advance(retry_in);
    retry_in
}

#[tokio::test]
async fn what_waiting_does_not_mend_ends_the_client_once_all_transports_agree_twice() {
    let causes = [
        (302, Cause::Redirected),
        (401, Cause::Unauthorized),
        (403, Cause::Forbidden),
        (404, Cause::NotFound),
        (405, Cause::MethodNotAllowed),
        (407, Cause::ProxyAuthentication),
        (451, Cause::Rejected),
    ];
    for (status, cause) in causes {
        let mut world = World::new();
        let (client, connecting) = start(&world, &ALL);
        refuse_all(&mut world, status).await;
        next_round(&world, &client).await;
        assert!(!connecting.is_finished(), "one round may be a moment's mistake");
        refuse_all(&mut world, status).await;
        let error = soon(connecting).await.unwrap().unwrap_err();
        assert_eq!(error.cause(), Some(cause), "{status}: {error}");
        assert!(error.to_string().starts_with(&format!("HTTP {status}: ")), "{error}");
        let reason = format!("\"{cause}\"").into();
        assert_eq!(client.status(), Status::Closed { code: CloseCode::NO_CARRIER, reason });
        assert_eq!(client.connect().await, Err(error), "and so for whoever asks later");
        assert!(client.diagnostics().to_string().contains(cause.advice()), "{status}");
    }
}

#[tokio::test]
async fn one_transport_that_fails_in_another_way_leaves_hope() {
    let mut world = World::new();
    let (client, connecting) = start(&world, &ALL);
    for _ in 0..4 {
        world.refuse_socket(404, "").await;
        world.post("sse").await.answer_with(502, "");
        world.post("poll").await.answer_with(404, "");
        next_round(&world, &client).await;
    }
    refuse_all(&mut world, 404).await;
    next_round(&world, &client).await;
    world.refuse_socket(404, "").await;
    world.post("sse").await.answer_with(404, "");
    world.post("poll").await.answer(&welcome_new(1));
    soon(connecting).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_web_socket_that_does_not_say_why_it_failed_is_no_hope() {
    let mut world = World::new();
    let (client, connecting) = start(&world, &ALL);
    for round in 0..2 {
        let failed = Err(HostError::Failed("closed with the code 1006".into()));
        assert!(world.opening().await.send(failed).is_ok());
        world.post("sse").await.answer_with(404, "");
        world.post("poll").await.answer_with(404, "");
        if round == 0 {
            next_round(&world, &client).await;
        }
    }
    let error = soon(connecting).await.unwrap().unwrap_err();
    assert_eq!(error.cause(), Some(Cause::NotFound));
}

#[tokio::test]
async fn a_session_survives_a_load_balancer_that_answers_404_for_a_while() {
    let mut world = World::new();
    let (client, connecting) = start(&world, &[Transport::Polling]);
    world.post("poll").await.answer(&welcome_new(1));
    soon(connecting).await.unwrap().unwrap();
    let mut posts = [world.any_post().await, world.any_post().await];
    posts.sort_by(|a, b| a.route.cmp(&b.route));
    let [poll, _post] = posts;
    let mut statuses = client.status_stream();
    poll.answer_with(404, "default backend");
    // The first attempt follows soon after the loss, the others after their wait.
    until(&mut statuses, |status| matches!(status, Status::Connecting { .. })).await;
    world.advance(Duration::from_millis(100));
    for _ in 0..10 {
        world.post("poll").await.answer_with(404, "default backend");
        next_round(&world, &client).await;
    }
    world.post("poll").await.answer(&crate::host::welcome_back(1, 0, 1));
    connected(&client).await;
    assert_eq!(client.stats().resumes, 1);
}

#[tokio::test]
async fn what_is_transient_is_retried() {
    for status in [408, 500, 502, 503] {
        let mut world = World::new();
        let (client, connecting) = start(&world, &ALL);
        for _ in 0..4 {
            refuse_all(&mut world, status).await;
            next_round(&world, &client).await;
        }
        let failure = client.last_failure().unwrap();
        assert!(failure.contains(Cause::Unavailable.advice()), "{status}: {failure}");
        assert!(!connecting.is_finished());
    }
}

#[tokio::test]
async fn retry_after_is_heeded_within_bounds() {
    let mut world = World::new();
    let (client, _) = start(&world, &[Transport::Polling]);
    for (asked, at_least, at_most) in [(7, 7, 9), (0, 0, 2), (86_400, 300, 375)] {
        let retry_after = Some(Duration::from_secs(asked));
        let head = Head { status: 503, retry_after, ..Head::default() };
        world.post("poll").await.answer_with_head(head, "");
        let waited = next_round(&world, &client).await;
        let bounds = Duration::from_secs(at_least)..Duration::from_secs(at_most);
        assert!(bounds.contains(&waited), "{asked}: {waited:?}");
    }
}

#[tokio::test]
async fn a_limited_rate_is_no_fault_of_the_transport() {
    let mut world = World::new();
    let (client, connecting) = start(&world, &[Transport::Sse, Transport::Polling]);
    let retry_after = Some(Duration::from_secs(3));
    let head = Head { status: 429, retry_after, ..Head::default() };
    world.post("sse").await.answer_with_head(head, "slow down");
    assert!(next_round(&world, &client).await >= Duration::from_secs(3));
    let body = world.post("sse").await.stream();
    crate::http::send(&body, &format!("data: {}\n\n", welcome_new(1)));
    soon(connecting).await.unwrap().unwrap();
    assert_eq!(client.transport(), Some(Transport::Sse));
}

#[tokio::test]
async fn a_page_in_the_place_of_a_server_is_named() {
    let page = "<!doctype html>";
    let mut world = World::new();
    let (client, connecting) = start(&world, &[Transport::Sse, Transport::Polling]);
    for round in 0..2 {
        let content_type = Some("text/html".to_owned());
        let head = Head { status: 200, content_type, ..Head::default() };
        world.post("sse").await.answer_with_head(head.clone(), page);
        world.post("poll").await.answer_with_head(head, page);
        if round == 0 {
            next_round(&world, &client).await;
        }
    }
    let error = soon(connecting).await.unwrap().unwrap_err();
    assert_eq!(error.cause(), Some(Cause::NotBowline), "{error}");
}

#[tokio::test]
async fn a_redirect_says_where_it_leads_and_no_more() {
    let mut world = World::new();
    let (client, connecting) = start(&world, &[Transport::Polling]);
    for round in 0..2 {
        let location = Some("https://other.example/login?token=hush#hush".to_owned());
        let head = Head { status: 307, location, ..Head::default() };
        world.post("poll").await.answer_with_head(head, "");
        if round == 0 {
            next_round(&world, &client).await;
        }
    }
    let words = soon(connecting).await.unwrap().unwrap_err().to_string();
    assert!(words.starts_with("HTTP 307 to https://other.example/login: "), "{words}");
}

#[tokio::test]
async fn the_deadline_says_what_was_met_and_the_client_goes_on() {
    let mut world = World::new();
    let builder = Client::builder("http://test/bowline")
        .transports([Transport::Polling])
        .connect_deadline(Duration::from_secs(60));
    let client = world.build(builder);
    let connecting = tokio::spawn({
        let client = client.clone();
        async move { client.connect().await }
    });
    world.post("poll").await.answer_with(502, "");
    let mut statuses = client.status_stream();
    until(&mut statuses, |status| matches!(status, Status::Waiting { .. })).await;
    world.advance(Duration::from_secs(60));
    let error = soon(connecting).await.unwrap().unwrap_err();
    assert!(matches!(&error, ConnectError::Deadline { .. }), "{error:?}");
    assert_eq!(error.cause(), Some(Cause::Unavailable));
    assert!(error.to_string().contains("after 60 s"), "{error}");
    world.post("poll").await.answer(&welcome_new(1));
    while !soon(statuses.next()).await.unwrap().is_connected() {}
}
