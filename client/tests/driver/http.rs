//! The carriers on HTTP.

use std::time::Duration;

use bowline_client::protocol::CloseCode;
use bowline_client::{Client, Status, Transport};
use bytes::Bytes;
use futures::StreamExt;

use crate::host::{Body, World, soon, welcome_back, welcome_new};

fn start(world: &World, transports: &[Transport]) -> Client {
    let builder = Client::builder("http://test/bowline").transports(transports.iter().copied());
    let client = world.build(builder);
    tokio::spawn({
        let client = client.clone();
        async move { client.connect().await }
    });
    client
}

pub(crate) async fn connected(client: &Client) {
    let mut statuses = client.status_stream();
    while !soon(statuses.next()).await.unwrap().is_connected() {}
}

pub(crate) fn send(body: &Body, event: &str) {
    body.unbounded_send(Ok(Bytes::copy_from_slice(event.as_bytes()))).unwrap();
}

/// Responds to POSTs without packets of the application, until one has some.
async fn next_post(world: &mut World, confirmed: u64) -> crate::host::Post {
    loop {
        let post = world.post("post").await;
        if post.lines().len() > 1 {
            return post;
        }
        post.answer(&format!("c {confirmed}"));
    }
}

#[tokio::test]
async fn a_stream_that_never_answers_leads_to_polling() {
    let mut world = World::new();
    let client = start(&world, &[Transport::Sse, Transport::Polling]);
    let stream = world.post("sse").await;
    world.advance(Duration::from_secs(2));
    let poll = world.post("poll").await;
    assert_eq!(stream.body.replace("n=1", "n=2"), poll.body, "the same key, a higher counter");
    stream.cancelled().await;
    poll.answer(&welcome_new(1));
    connected(&client).await;
    assert_eq!(client.transport(), Some(Transport::Polling));
}

#[tokio::test]
async fn a_stream_delivers_and_posts_carry_the_rest() {
    let mut world = World::new();
    let client = start(&world, &[Transport::Sse]);
    let mut received = client.on::<_, String>("said");
    let body = world.post("sse").await.stream();
    let welcome = welcome_new(1);
    send(&body, &format!("id: 0\ndata: {welcome}\n\nid: 1\ndata: e sa"));
    connected(&client).await;
    send(&body, "id \"hello\"\n\n");
    assert_eq!(soon(received.next()).await.unwrap().unwrap().payload, "hello");
    client.emit("say", "hi").unwrap();
    let post = next_post(&mut world, 0).await;
    let lines = post.lines();
    assert!(
        lines[0].starts_with("attach ") && lines[0].contains(" recv=1 next=1 by="),
        "{lines:?}"
    );
    assert_eq!(lines[1..], ["e say \"hi\""]);
    client.emit("say", "more").unwrap();
    client.emit("say", "and more").unwrap();
    post.answer("c 1");
    let post = next_post(&mut world, 1).await;
    assert_eq!(post.lines()[1..], ["e say \"more\"", "e say \"and more\""], "one body");
    post.answer("c 3");
}

#[tokio::test]
async fn a_body_that_was_not_taken_whole_is_sent_again() {
    let mut world = World::new();
    let client = start(&world, &[Transport::Sse]);
    let body = world.post("sse").await.stream();
    send(&body, &format!("data: {}\n\n", welcome_new(1)));
    connected(&client).await;
    client.emit("a", &1).unwrap();
    client.emit("b", &2).unwrap();
    let post = next_post(&mut world, 0).await;
    assert_eq!(post.lines()[1..], ["e a 1", "e b 2"]);
    post.answer("c 1");
    settle().await;
    client.emit("c", &3).unwrap();
    settle().await;
    world.advance(Duration::from_millis(100));
    let post = next_post(&mut world, 1).await;
    assert!(post.lines()[0].contains(" next=2 by="), "{}", post.body);
    assert_eq!(post.lines()[1..], ["e b 2", "e c 3"]);
}

pub(crate) async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn every_poll_has_a_higher_counter_and_the_bodies_are_in_order() {
    let mut world = World::new();
    let client = start(&world, &[Transport::Polling]);
    let mut ticks = client.on::<_, u32>("tick");
    let poll = world.post("poll").await;
    assert!(poll.body.contains(" n=1"));
    poll.answer(&(welcome_new(1) + "\ne tick 1"));
    let (mut polls, mut counters) = (0, Vec::new());
    while polls < 3 {
        let post = world.any_post().await;
        if post.route == "post" {
            post.answer("c 0");
            continue;
        }
        polls += 1;
        let number = |key: &str| -> u64 {
            let value = post.body.split(key).nth(1).unwrap().split([' ', '\n']).next().unwrap();
            value.parse().unwrap()
        };
        counters.push(number(" n="));
        let next = number(" recv=") + 1;
        post.answer(&format!("n {next}\ne tick {next}"));
    }
    assert_eq!(counters, [2, 3, 4]);
    for number in 1..=4 {
        assert_eq!(soon(ticks.next()).await.unwrap().unwrap().payload, number);
    }
}

#[tokio::test]
async fn a_poll_that_is_answered_with_nothing_is_repeated_after_a_pause() {
    let mut world = World::new();
    let client = start(&world, &[Transport::Polling]);
    world.post("poll").await.answer(&welcome_new(1));
    connected(&client).await;
    let mut posts = [world.any_post().await, world.any_post().await];
    posts.sort_by(|a, b| a.route.cmp(&b.route));
    let [poll, post] = posts;
    post.answer("c 0");
    poll.answer("");
    settle().await;
    assert!(world.is_quiet(), "not at once");
    world.advance(Duration::from_secs(1));
    world.post("poll").await;
    assert!(client.status().is_connected());
}

#[tokio::test]
async fn a_portal_that_answers_everything_is_no_server() {
    let mut world = World::new();
    let client = start(&world, &[Transport::Polling]);
    let mut statuses = client.status_stream();
    world.post("poll").await.answer("<html>Please log in</html>");
    while !matches!(soon(statuses.next()).await.unwrap(), Status::Waiting { .. }) {}
    world.advance(Duration::from_millis(500));
    world.post("poll").await.answer_with(403, "x 4300");
    while !matches!(
        soon(statuses.next()).await.unwrap(),
        Status::Closed { code: CloseCode::REFUSED, .. }
    ) {}
}

#[tokio::test]
async fn a_client_moves_to_the_transport_that_the_application_chooses() {
    let mut world = World::new();
    let client = world.client();
    let mut peer = crate::lifecycle::connected(&mut world, &client).await;
    client.emit("kept", &1).unwrap();
    assert_eq!(peer.received().await, ["e kept 1"]);
    client.switch_transport(Transport::Polling);
    let poll = world.post("poll").await;
    assert!(poll.lines()[0].contains(" n=2 recv=0 next=1 by="), "{}", poll.body);
    assert_eq!(peer.received().await, ["cut"]);
    poll.answer(&welcome_back(1, 0, 1));
    connected(&client).await;
    assert_eq!(client.stats().transport_switches, 1);
    let (poll, post) = (world.post("poll").await, next_post(&mut world, 0).await);
    assert!(poll.lines()[0].contains(" n=3 "), "{}", poll.body);
    assert_eq!(post.lines()[1..], ["e kept 1"]);
}

#[tokio::test]
async fn a_poll_answers_a_heartbeat_by_itself() {
    let mut world = World::new();
    let client = start(&world, &[Transport::Polling]);
    world.post("poll").await.answer(&welcome_new(1));
    connected(&client).await;
    let poll = world.post("poll").await;
    world.post("post").await.answer("c 0");
    settle().await;
    poll.answer("n 1\nh");
    world.post("poll").await;
    settle().await;
    assert!(world.is_quiet(), "the poll confirms, so no POST is needed");
}
