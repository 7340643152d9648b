//! One session has one writer. Spec: 03-opening, "Instances".

use bowline_fixtures::app::Entry;

use super::journal;
use super::scene::{Scene, Session, assert_refused, open_key};

/// A session of instance 11, whose client polls.
async fn polling(scene: &Scene) -> Session {
    let open = format!("open v=1 key={} n=1 by=11", open_key());
    Session::welcomed(scene.post("poll", open).await.text())
}

#[tokio::test]
async fn another_instance_is_refused_on_every_carrier_and_the_owner_goes_on() {
    let scene = Scene::start();
    let key = open_key();
    let mut owner = scene.websocket(&format!("open v=1 key={key} n=1 by=11")).await;
    let session = Session::welcomed(&owner.line().await);
    let open = |pairs: &str| format!("open v=1 key={key} n=9 {pairs}");
    for pairs in ["by=22", "", "by=22 take=33 last=0", "take=33"] {
        for line in [open(pairs), session.attach(&format!("n=9 recv=0 next=1 {pairs}"))] {
            scene.websocket(line.trim()).await.assert_closed("x 4105 last=0").await;
            for endpoint in ["sse", "poll", "ticket"] {
                assert_refused(&scene.post(endpoint, line.trim()).await, 409, 4105);
            }
        }
    }
    let post = session.attach("recv=0 next=1 by=22") + "\ne up 9";
    assert_refused(&scene.post("post", post).await, 409, 4105);
    owner.say("e up 1\nq echo \"mine\"").await;
    assert_eq!(owner.line().await, "r 2 \"mine\"");
    assert_eq!(scene.server.journal().numbers(session.typed()), [1]);
}

#[tokio::test]
async fn the_former_owner_is_told_on_its_websocket_and_what_it_still_says_is_not_taken() {
    let scene = Scene::start();
    let mut first = scene.websocket(&format!("open v=1 key={} n=7 by=11", open_key())).await;
    let session = Session::welcomed(&first.line().await);
    first.say("e up 1\nq echo \"1\"").await;
    assert_eq!(first.line().await, "r 2 \"1\"");
    let claim = session.attach("n=1 recv=1 next=3 by=22 take=11 last=2 kept=4");
    let mut second = scene.websocket(&claim).await;
    assert!(second.line().await.starts_with("welcome "));
    first.say("e up 3\nthis is no packet").await;
    first.assert_closed("x 4105 last=4").await;
    for n in [8, 900] {
        let attach = session.attach(&format!("n={n} recv=1 next=3 by=11"));
        assert_refused(&scene.post("sse", attach).await, 409, 4105);
    }
    second.say("e up 33\nq echo \"4\"").await;
    assert_eq!(second.line().await, "r 4 \"4\"");
    assert_eq!(scene.server.journal().numbers(session.typed()), [1, 33]);
}

#[tokio::test]
async fn a_former_owner_is_told_on_its_stream_and_in_the_answers_to_its_polls_and_posts() {
    let scene = Scene::start();
    let session = polling(&scene).await;
    let mut stream = scene.stream(&session.attach("n=2 recv=0 next=1 by=11")).await;
    assert!(stream.line().await.starts_with("welcome "));
    let claim = |pairs: &str| session.attach(&format!("n=1 recv=0 next=1 greet=1 {pairs}"));
    let second = scene.post("poll", claim("by=22 take=11 last=0")).await;
    assert!(second.text().starts_with("welcome "), "{}", second.text());
    stream.assert_closed_with(4105).await;
    let held = scene.post("poll", session.attach("n=2 recv=0 next=1 by=22"));
    let third = async {
        // The second instance speaks first, so that its poll is known to be there.
        let said = scene.post("post", session.attach("recv=0 next=1 by=22") + "\ne up 1").await;
        assert_eq!(said.text(), "c 1");
        scene.post("poll", claim("by=33 take=22 last=1")).await
    };
    let (held, third) = futures::join!(held, third);
    let held = match held.head.status {
        200 => scene.post("poll", session.attach("n=3 recv=0 next=1 by=22")).await,
        _ => held,
    };
    assert_refused(&held, 409, 4105);
    assert!(third.text().starts_with("welcome "), "{}", third.text());
    let late = scene.post("post", session.attach("recv=0 next=2 by=22") + "\ne up 2").await;
    assert_refused(&late, 409, 4105);
    assert_eq!(late.text(), "x 4105 last=1");
    let said = scene.post("post", session.attach("recv=0 next=2 by=33") + "\ne up 3").await;
    assert_eq!(said.text(), "c 2");
    assert_eq!(scene.server.journal().numbers(session.typed()), [1, 3]);
}

#[tokio::test]
async fn a_ticket_of_a_former_owner_is_worth_nothing_and_takes_no_ones_place() {
    let scene = Scene::start();
    let session = polling(&scene).await;
    let ticket_for = |pairs: &'static str| {
        let line = session.attach(&format!("recv=0 next=1 {pairs}"));
        async {
            let answer = scene.post("ticket", line).await;
            let ticket = answer.text().lines().nth(1).expect("a ticket").to_owned();
            journal::keep_token(ticket.rsplit('.').next().unwrap());
            format!("/bowline/sse?{}", ticket.replace(' ', "="))
        }
    };
    let first = ticket_for("n=2 by=11").await;
    let claim = session.attach("n=1 recv=0 next=1 by=22 take=11 last=0 greet=1");
    assert!(scene.post("poll", claim).await.text().starts_with("welcome "));
    assert_refused(&scene.request("GET", &first, &[]).await, 409, 4105);
    let second = ticket_for("n=2 by=22").await;
    let late = scene.post("ticket", session.attach("n=9 recv=0 next=1 by=11")).await;
    assert_refused(&late, 409, 4105);
    let mut client = scene.connect().await;
    client.request("GET", &second, &[], "").await.expect("a request is sent");
    let mut stream = super::scene::Stream::begin(client).await;
    assert!(stream.line().await.starts_with("welcome "));
}

#[tokio::test]
async fn who_lacks_packets_cannot_take_over_and_the_owner_notices_nothing() {
    let scene = Scene::start();
    let mut owner = scene.websocket(&format!("open v=1 key={} n=1 by=11", open_key())).await;
    let session = Session::welcomed(&owner.line().await);
    owner.say("q echo \"1\"\nq echo \"2\"").await;
    assert_eq!([owner.line().await, owner.line().await], ["r 1 \"1\"", "r 2 \"2\""]);
    owner.say("c 1\nq echo \"3\"").await;
    assert_eq!(owner.line().await, "r 3 \"3\"");
    for pairs in ["recv=0 next=4 by=22 take=11 last=3", "recv=1 next=3 by=22 take=11 last=2"] {
        let claim = session.attach(&format!("n=1 {pairs}"));
        scene.websocket(&claim).await.assert_closed("x 4102").await;
    }
    owner.say("q echo \"4\"").await;
    assert_eq!(owner.line().await, "r 4 \"4\"");
}

#[tokio::test]
async fn an_open_that_was_not_welcomed_goes_over_to_who_continues_it() {
    let scene = Scene::start();
    let key = open_key();
    let open = |pairs: &str, packets: &str| format!("open v=1 key={key} n=1 {pairs}{packets}");
    let first = scene.post("poll", open("by=11", "\ne up 1")).await;
    let session = Session::welcomed(first.text());
    let claim = open("by=22 take=11 last=1", "");
    let again = scene.post("poll", &claim).await;
    assert!(session.mask(again.text()).starts_with("welcome sid=SID secret=SECRET recv=1 next=1 "));
    // Both lines come once more, from something on the way.
    assert_refused(&scene.post("poll", open("by=11", "\ne up 1")).await, 409, 4105);
    let repeated = scene.post("poll", &claim).await;
    assert_eq!((repeated.head.status, repeated.text()), (200, ""));
    let third = open("by=33 take=11 last=1", "");
    assert_refused(&scene.post("poll", third).await, 409, 4105);
    let said = scene.post("post", session.attach("recv=0 next=2 by=22") + "\ne up 2").await;
    assert_eq!(said.text(), "c 2");
    assert_eq!(scene.server.journal().numbers(session.typed()), [1, 2]);
    let opened = |entry: &Entry| matches!(entry, Entry::Connected(_));
    assert_eq!(scene.server.journal().entries().iter().filter(|entry| opened(entry)).count(), 1);
}
