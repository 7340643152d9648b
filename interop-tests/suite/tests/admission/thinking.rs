//! An application that takes its time to decide.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bowline_client::{Client, Status, Transport};
use bowline_fixtures::nodes::eventually;
use bowline_fixtures::within_a_minute;
use bowline_server::{Bowline, Socket};
use futures::StreamExt as _;
use tokio::sync::Semaphore;

use super::site::{Mount, Site};
use super::way::{Known, Way, open, open_key, open_with};

/// A Bowline whose connect hook waits for a permit.
fn waiting(permit: &Arc<Semaphore>) -> bowline_server::BowlineBuilder {
    let permit = Arc::clone(permit);
    Bowline::builder().on_connect(move |_: Socket| {
        let permit = Arc::clone(&permit);
        async move { drop(permit.acquire().await) }
    })
}

#[tokio::test]
async fn a_server_that_thinks_says_so_at_once_and_welcomes_when_it_has_decided() {
    for way in Way::ALL {
        within_a_minute(async move {
            let permit = Arc::new(Semaphore::new(0));
            let site = Site::start(waiting(&permit).build(), Mount::Service);
            let key = open_key();
            let mut carrier = site.door.come(way, &open_with(&key, 1)).await;
            if way == Way::Polling {
                carrier.assert_ends("a").await;
                permit.add_permits(1);
                carrier = site.door.come(way, &open_with(&key, 2)).await;
            } else {
                assert_eq!(carrier.line().await, "a");
                permit.add_permits(1);
            }
            assert!(carrier.line().await.starts_with("welcome "), "{way:?}");
        })
        .await;
    }
}

#[tokio::test]
async fn a_server_that_thinks_for_long_repeats_it_with_each_heartbeat() {
    for way in [Way::WebSocket, Way::Sse, Way::Ticket] {
        within_a_minute(async move {
            let permit = Arc::new(Semaphore::new(0));
            let short = Duration::from_millis(50);
            let bowline = waiting(&permit).heartbeat(short).heartbeat_grace(short).build();
            let site = Site::start(bowline, Mount::Service);
            let mut carrier = site.door.come(way, &open()).await;
            for _ in 0..6 {
                assert_eq!(carrier.line().await, "a", "{way:?}");
            }
            permit.add_permits(1);
            let mut line = carrier.line().await;
            while line == "a" {
                line = carrier.line().await;
            }
            assert!(line.starts_with("welcome "), "{way:?}: {line}");
        })
        .await;
    }
}

#[tokio::test]
async fn a_hook_that_decides_at_once_costs_no_line() {
    for way in Way::ALL {
        within_a_minute(async move {
            let bowline = Bowline::builder().on_connect(|_: Socket| async {}).build();
            let site = Site::start(bowline, Mount::Service);
            let line = site.door.come(way, &open()).await.line().await;
            assert!(line.starts_with("welcome "), "{way:?}: {line}");
        })
        .await;
    }
}

#[tokio::test]
async fn a_hook_that_does_not_decide_in_time_is_asked_again_with_the_next_open() {
    for way in Way::ALL {
        within_a_minute(async move {
            let permit = Arc::new(Semaphore::new(0));
            let bowline = waiting(&permit).connect_timeout(Duration::from_millis(30)).build();
            let site = Site::start(bowline, Mount::Service);
            let key = open_key();
            let mut carrier = site.door.come(way, &open_with(&key, 1)).await;
            let mut line = carrier.line().await;
            if line == "a" {
                line = carrier.line().await;
            }
            assert!(line.starts_with("x 4004 "), "{way:?}: {line}");
            permit.add_permits(1);
            let line = site.door.come(way, &open_with(&key, 2)).await.line().await;
            assert!(Known::welcomed(&line).id.len() > 1, "{way:?}");
        })
        .await;
    }
}

#[tokio::test]
async fn a_client_loses_nothing_of_what_it_said_before_it_was_let_in() {
    use Transport::{Polling, Sse, WebSocket};
    let each = [WebSocket, Sse, Polling].map(|transport| async move {
        let (permit, heard) = (Arc::new(Semaphore::new(0)), Arc::new(Mutex::new(Vec::new())));
        let (told, note) = (Arc::new(Semaphore::new(0)), Arc::clone(&heard));
        let done = Arc::clone(&told);
        let bowline = waiting(&permit).connect_inbox_limit(16 * 1024).on(
            "said",
            move |(number, _): (usize, String)| {
                note.lock().unwrap().push(number);
                done.add_permits(1);
                std::future::ready(())
            },
        );
        let bowline = bowline.build();
        let site = Site::start(bowline.clone(), Mount::Service);
        let url = format!("http://{}/bowline", site.door.address);
        let client = Client::builder(&url).transports([transport]).build().unwrap();
        let text = "a".repeat(10_000);
        for number in 0..50 {
            client.emit("said", &(number, &text)).unwrap();
        }
        let connecting = tokio::spawn({
            let client = client.clone();
            async move { client.connect().await }
        });
        eventually(|| bowline.stats().kept_bytes > 16 * 1024).await;
        permit.add_permits(1);
        connecting.await.unwrap().unwrap();
        drop(told.acquire_many(50).await.unwrap());
        assert_eq!(*heard.lock().unwrap(), (0..50).collect::<Vec<_>>(), "{transport:?}");
    });
    within_a_minute(futures::future::join_all(each)).await;
}

/// An application that needs longer for each decision than a client waits for a silent network.
fn slow() -> Bowline {
    let decide = || tokio::time::sleep(Duration::from_millis(2200));
    Bowline::builder().on_connect(decide).on_attach(decide).build()
}

#[tokio::test]
async fn a_slow_application_costs_no_client_its_transport() {
    use Transport::{Polling, Sse, WebSocket};
    let all: [&[Transport]; 4] = [&[WebSocket, Sse, Polling], &[WebSocket], &[Sse], &[Polling]];
    let each = all.map(|transports| async move {
        let site = Site::start(slow(), Mount::Service);
        let url = format!("http://{}/bowline", site.door.address);
        let client = Client::builder(&url).transports(transports.iter().copied()).build().unwrap();
        client.connect().await.unwrap();
        assert_eq!(client.transport(), Some(transports[0]), "{transports:?}");
        assert_eq!(client.last_failure(), None, "{transports:?}");
        let session = client.session_id();
        let mut changes = client.status_stream();
        let next = *transports.last().expect("there is one");
        client.switch_transport(next);
        loop {
            match changes.next().await.expect("the client goes on") {
                Status::Connected { transport, resumed: true } if transport == next => break,
                Status::SessionLost { code, .. } => panic!("{transports:?}: {code}"),
                _ => {}
            }
        }
        assert_eq!(client.session_id(), session, "{transports:?}");
    });
    within_a_minute(futures::future::join_all(each)).await;
}
