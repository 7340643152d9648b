//! How sessions end while their handlers still run.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bowline_client::Client;
use bowline_fixtures::app::{self, Entry};
use bowline_fixtures::test_server::{Shape, TestServer};
use bowline_fixtures::within_a_minute;
use bowline_protocol::CloseCode;
use tokio::sync::Semaphore;

#[tokio::test]
async fn the_end_is_told_after_the_last_of_several_handlers() {
    let (begun, permit) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let done = Arc::new(AtomicBool::new(false));
    let handler = {
        let (begun, permit, done) = (begun.clone(), permit.clone(), done.clone());
        move |(): ()| {
            let (begun, permit, done) = (begun.clone(), permit.clone(), done.clone());
            async move {
                begun.add_permits(1);
                drop(permit.acquire().await);
                done.store(true, Ordering::SeqCst);
            }
        }
    };
    within_a_minute(async move {
        let bowline = app::builder().concurrency(3).on("slow", handler).build();
        let server = TestServer::start_with(bowline, Shape::default());
        let client = Client::builder(&format!("http://{}/bowline", server.address())).build();
        let client = client.expect("the address is valid");
        client.connect().await.expect("the server lets it in");
        let session = client.session_id().expect("a connected client has a session");
        client.emit("slow", &()).expect("there is room");
        drop(begun.acquire().await);
        client.close().await;
        permit.add_permits(1);
        let ended = Entry::Disconnected(session, CloseCode::NORMAL);
        server.journal().wait_for(|entries| entries.contains(&ended)).await;
        assert!(done.load(Ordering::SeqCst), "the handler was still running");
    })
    .await;
}
