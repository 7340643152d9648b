//! A process is killed: what it held, and what its last checkpoint brings back.

use std::fs;
use std::time::Duration;

use bowline_contract::{Down, Echo, Join, Up};
use bowline_fault_proxy::Cut;
use bowline_fixtures::app;
use bowline_fixtures::test_server::TestServer;
use bowline_raw_client::RawClient;
use bowline_server::{BowlineBuilder, CloseCode, FileStore, GAP};
use futures::StreamExt as _;

use super::{Place, Shape, Transport, World, lost, test, within_a_minute};

over_every_transport! {
    what_a_killed_process_held_is_lost_and_reported
    a_client_that_was_silent_since_the_checkpoint_outlives_a_crash
    a_client_that_spoke_after_the_checkpoint_is_told_that_its_session_is_lost
}

async fn what_a_killed_process_held_is_lost_and_reported(world: World, place: Place) {
    let server = world.another_server(place.app().build());
    world.proxy.set_target(server.address());
    let client = world.connected().await;
    let before = client.session_id();
    client.emit(Up, &1).unwrap();
    server.bowline().shutdown(Duration::from_secs(20)).await;
    let server = world.another_server(place.app().build());
    world.proxy.set_target(server.address());
    client.request(Echo, &"here".to_owned()).await.unwrap();
    assert_eq!(client.session_id(), before);
    let mut changes = client.status_stream();
    world.proxy.refuse_connections(true);
    world.proxy.cut_all(Cut::Reset);
    drop(server);
    place.unlock();
    let server = world.another_server(place.app().build());
    assert_eq!(server.bowline().stats().sessions, 0);
    world.proxy.set_target(server.address());
    world.proxy.refuse_connections(false);
    let (code, confirmed, unknown) = lost(&mut changes).await;
    assert_eq!((code, confirmed + unknown), (CloseCode::SESSION_RESTARTED, 2));
    client.request(Echo, &"anew".to_owned()).await.unwrap();
    assert_ne!(client.session_id(), before);
}

async fn a_client_that_was_silent_since_the_checkpoint_outlives_a_crash(
    world: World,
    place: Place,
) {
    let server = world.another_server(place.app_with_checkpoints().build());
    world.proxy.set_target(server.address());
    let client = world.connected().await;
    let (session, mut gaps) = (client.session_id(), client.on_raw(GAP));
    let mut down = client.on(Down);
    client.emit(Up, &1).unwrap();
    client.request(Join, &"room".to_owned()).await.unwrap();
    place.checkpoint().await;
    let after = place.after_a_crash();
    // What is said now is what the checkpoint cannot have, and it does not arrive.
    world.proxy.refuse_connections(true);
    world.proxy.cut_all(Cut::Reset);
    server.bowline().to("room").emit(Down, &1).unwrap();
    let server = world.another_server(after.app().build());
    assert_eq!(server.bowline().stats().sessions, 1);
    world.proxy.set_target(server.address());
    world.proxy.refuse_connections(false);
    assert!(gaps.next().await.is_some(), "it may have missed something, and did");
    client.request(Echo, &"on".to_owned()).await.unwrap();
    client.emit(Up, &2).unwrap();
    server.bowline().to("room").emit(Down, &2).unwrap();
    assert_eq!(down.next().await.unwrap().unwrap().payload, 2);
    client.request(Echo, &"done".to_owned()).await.unwrap();
    assert_eq!(client.session_id(), session);
    assert_eq!(server.journal().numbers(session.unwrap()), [2], "nothing is handled twice");
}

async fn a_client_that_spoke_after_the_checkpoint_is_told_that_its_session_is_lost(
    world: World,
    place: Place,
) {
    let server = world.another_server(place.app_with_checkpoints().build());
    world.proxy.set_target(server.address());
    let client = world.connected().await;
    let before = client.session_id();
    client.request(Echo, &"before".to_owned()).await.unwrap();
    place.checkpoint().await;
    let after = place.after_a_crash();
    client.emit(Up, &1).unwrap();
    client.request(Echo, &"since".to_owned()).await.unwrap();
    let mut changes = client.status_stream();
    world.proxy.refuse_connections(true);
    world.proxy.cut_all(Cut::Reset);
    let server = world.another_server(after.app().build());
    assert_eq!(server.bowline().stats().sessions, 1);
    world.proxy.set_target(server.address());
    world.proxy.refuse_connections(false);
    let (code, confirmed, unknown) = lost(&mut changes).await;
    assert_eq!((code, confirmed + unknown), (CloseCode::SESSION_RESTARTED, 3));
    client.request(Echo, &"anew".to_owned()).await.unwrap();
    assert_ne!(client.session_id(), before);
    assert_eq!(server.journal().numbers(before.unwrap()), [0; 0], "it is not handled again");
}

/// A page asks for a ticket first, which welcomes it, and may POST before its stream has come.
#[tokio::test]
async fn a_ticket_shows_that_a_session_goes_on_from_its_checkpoint() {
    within_a_minute(async {
        let world = World::new(Transport::Polling, Shape::default()).await;
        let place = Place::folder();
        let first = world.another_server(place.app_with_checkpoints().build());
        let key = "AAECAwQFBgcICQoLDA0ODw";
        let opened = post(&first, "poll", &format!("open v=1 key={key} n=1 \"t0\"")).await;
        let pair = |name: &str| {
            let (_, rest) = opened.split_once(name).expect("the client is welcomed");
            rest.split_whitespace().next().unwrap().to_owned()
        };
        let (session, secret) = (pair(" sid="), pair(" secret="));
        let attach = |pairs: &str| format!("attach v=1 sid={session} secret={secret} {pairs}");
        place.checkpoint().await;
        let after = place.after_a_crash();
        let server = world.another_server(after.app().build());
        let early = post(&server, "post", &attach("recv=0 next=1")).await;
        assert!(early.starts_with("x 4000 retry="), "only an attachment says it: {early}");
        let ticket = post(&server, "ticket", &attach("n=2 recv=0 next=1")).await;
        assert!(ticket.starts_with("welcome ") && ticket.contains("\nticket "), "{ticket}");
        let posted = post(&server, "post", &(attach("recv=0 next=1") + "\ne up 1")).await;
        assert_eq!(posted, "c 1");

        let again = place.after_a_crash();
        let server = world.another_server(again.app().build());
        let ticket = post(&server, "ticket", &attach("n=3 recv=0 next=1 last=1")).await;
        assert_eq!(ticket, "x 4101", "it has sent what the checkpoint lacks");
        let late = post(&server, "post", &attach("recv=0 next=1")).await;
        assert_eq!(late, "c 0\nx 4101", "and now the session is over");
    })
    .await;
}

/// The answer to one request, without its last newline.
async fn post(server: &TestServer, endpoint: &str, body: &str) -> String {
    let mut client = RawClient::connect(server.address()).await.unwrap();
    let answer = client.post(&format!("/bowline/{endpoint}"), body).await.unwrap();
    answer.text().trim_end().to_owned()
}

impl Place {
    /// In the folder, as often as it is possible.
    fn app_with_checkpoints(&self) -> BowlineBuilder {
        app::builder().store(FileStore::new(&self.folder).checkpoint_every(Duration::ZERO))
    }

    /// Waits for a checkpoint that was begun after this was called.
    async fn checkpoint(&self) {
        let last = || self.with_extension("sessions").next();
        for _ in 0..2 {
            let before = last();
            while last().is_none() || last() == before {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }

    /// A place that is as this one would be if the process were killed before the next checkpoint.
    fn after_a_crash(&self) -> Self {
        let after = Self::folder();
        fs::create_dir(&after.folder).unwrap();
        let stored = self.with_extension("sessions").next().expect("there is a checkpoint");
        fs::copy(&stored, after.folder.join(stored.file_name().unwrap())).unwrap();
        after
    }
}
