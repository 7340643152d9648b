//! Conversations over server-sent events. Spec: 02-carriers, "SSE" and "Tickets".

use super::journal;
use super::scene::{DEFAULTS, Scene, Session, Stream, assert_refused, open, open_key};

#[tokio::test]
async fn a_post_opens_a_session_and_its_answer_is_a_stream() {
    let scene = Scene::start();
    let body = format!("open v=1 key={} n=1 \"t0\"\ne count-down 2\n", open_key());
    let mut client = scene.connect().await;
    client.request("POST", "/bowline/sse", &[], body).await.unwrap();
    let head = client.head().await.unwrap();
    assert_eq!(head.status, 200);
    assert_eq!(head.header("content-type"), Some("text/event-stream"));
    assert!(head.header("cache-control").unwrap().contains("no-store"));
    assert_eq!(head.header("x-accel-buffering"), Some("no"));
    let first = String::from_utf8(client.chunk().await.unwrap().unwrap().into()).unwrap();
    let session = Session::welcomed(first.split("data: ").nth(1).unwrap());
    let expected = format!(
        "id: 2\n\
         data: welcome sid=SID secret=SECRET recv=1 next=1 {DEFAULTS}\n\
         data: e down 1\n\
         data: e down 2\n\n"
    );
    assert_eq!(session.mask(&first), expected);
}

#[tokio::test]
async fn the_id_of_an_event_is_the_number_of_the_last_tracked_packet() {
    let scene = Scene::start();
    let mut stream = scene.stream(&open()).await;
    let first = stream.event().await.unwrap();
    let session = Session::welcomed(first.strip_prefix("id: 0\ndata: ").unwrap());
    let socket = scene.socket(&session);
    socket.emit("a", &1).unwrap();
    assert_eq!(stream.event().await.unwrap(), "id: 1\ndata: e a 1\n\n");
    assert!(socket.emit_volatile("b", &2).unwrap());
    assert_eq!(stream.event().await.unwrap(), "id: 1\ndata: v b 2\n\n");
    let answer = scene.post("post", session.attach("recv=1 next=1") + "\nh woken").await;
    assert_eq!(answer.text(), "c 0");
    assert_eq!(stream.event().await.unwrap(), "id: 1\ndata: a woken\n\n");
    socket.emit_with("c", &(), vec![0, 1, 2].into()).unwrap();
    assert_eq!(stream.event().await.unwrap(), "id: 2\ndata: E c AAEC\n\n");
}

#[tokio::test]
async fn a_stream_resumes_after_what_its_client_has_received() {
    let scene = Scene::start();
    let (session, mut stream) = scene.open_stream().await;
    let answer = scene.post("post", session.attach("recv=0 next=1") + "\ne count-down 3").await;
    assert_eq!(answer.text(), "c 1");
    for number in 1..=3 {
        assert_eq!(stream.line().await, format!("e down {number}"));
    }
    let mut resumed = scene.stream(&session.attach("n=2 recv=1 next=2")).await;
    let expected = format!(
        "id: 3\ndata: welcome sid=SID recv=1 next=2 {DEFAULTS}\ndata: e down 2\ndata: e down 3\n\n"
    );
    assert_eq!(session.mask(&resumed.event().await.unwrap()), expected);
    stream.assert_closed_with(4001).await;
}

#[tokio::test]
async fn a_ticket_starts_the_stream_of_its_first_line_once() {
    let scene = Scene::start();
    let answer = scene.post("ticket", open() + "\nthis is ignored").await;
    assert_eq!(answer.head.status, 200);
    assert_eq!(answer.head.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(answer.head.header("cache-control"), Some("no-store"));
    let session = Session::welcomed(answer.text());
    let masked = session.mask(answer.text());
    let expected = format!("welcome sid=SID secret=SECRET recv=0 next=1 {DEFAULTS}\nticket SID.");
    let token = masked.strip_prefix(&expected).expect("a welcome and a ticket");
    assert_eq!(token.len(), 22);
    journal::keep_token(token);

    let path = format!("/bowline/sse?ticket={}.{token}", session.id);
    let mut client = scene.connect().await;
    client.request("GET", &path, &[("Accept", "text/event-stream")], "").await.unwrap();
    let mut stream = Stream::begin(client).await;
    let welcome = session.mask(&stream.line().await);
    assert_eq!(welcome, format!("welcome sid=SID recv=0 next=1 {DEFAULTS}"), "without the secret");

    assert_refused(&scene.request("GET", &path, &[]).await, 403, 4308);
    journal::assert_logged(&["GET /bowline/sse: 4308"]);
    scene.socket(&session).emit("still", &()).unwrap();
    assert_eq!(stream.line().await, "e still");
}

#[tokio::test]
async fn a_ticket_of_an_attachment_continues_where_its_line_says() {
    let scene = Scene::start();
    let session = scene.open_polling().await;
    let socket = scene.socket(&session);
    for number in 1..=3 {
        socket.emit("down", &number).unwrap();
    }
    let polled = scene.post("poll", session.attach("n=2 recv=0 next=1")).await;
    assert_eq!(polled.text(), "n 1\ne down 1\ne down 2\ne down 3");
    let answer = scene.post("ticket", session.attach("n=5 recv=2 next=1")).await;
    let (welcome, ticket) = answer.text().split_once('\n').unwrap();
    assert!(session.mask(welcome).starts_with("welcome sid=SID recv=0 next="), "{welcome}");
    let path = format!("/bowline/sse?{}", ticket.replace(' ', "="));
    journal::keep_token(ticket.rsplit('.').next().unwrap());
    let mut client = scene.connect().await;
    client.request("GET", &path, &[], "").await.unwrap();
    let mut stream = Stream::begin(client).await;
    let welcome = format!("welcome sid=SID recv=0 next=3 {DEFAULTS}");
    assert_eq!(session.mask(&stream.line().await), welcome);
    assert_eq!(stream.line().await, "e down 3");
    // The counter was used up with it.
    let late = scene.websocket(&session.attach("n=5 recv=3 next=1")).await;
    { late }.assert_closed("x 4001").await;
}

#[tokio::test]
async fn a_ticket_that_is_not_good_is_refused() {
    let scene = Scene::start();
    let mut innocent = scene.innocent().await;
    let session = scene.open_polling().await;
    let ticket = |text: &str| text.rsplit_once("ticket ").unwrap().1.to_owned();
    let old = ticket(scene.post("ticket", session.attach("n=2 recv=0 next=1")).await.text());
    let new = ticket(scene.post("ticket", session.attach("n=3 recv=0 next=1")).await.text());
    let other = format!("{}.AAAAAAAAAAAAAAAAAAAAAA", session.id);
    let unknown = "bm9kZTAx.c2Vzc2lvbi0wMDAx.dGlja2V0LXRpY2tldC0wMQ".to_owned();
    let short = new[..new.len() - 1].to_owned();
    for wrong in [old, other, unknown, short, String::new()] {
        let path = format!("/bowline/sse?ticket={wrong}");
        assert_refused(&scene.request("GET", &path, &[]).await, 403, 4308);
        innocent.assert_served().await;
    }
    for path in ["/bowline/sse", "/bowline/sse?", "/bowline/sse?tick=1"] {
        assert_refused(&scene.request("GET", path, &[]).await, 403, 4308);
    }
    let mut client = scene.connect().await;
    client.request("GET", &format!("/bowline/sse?ticket={new}"), &[], "").await.unwrap();
    assert!(Stream::begin(client).await.line().await.starts_with("welcome "), "the newest is good");
}
