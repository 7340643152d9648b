//! Clients of an application that takes its time: they stay where they are, and blame nothing.

use std::time::Duration;

use bowline_client::{Client, Transport};
use bowline_fixtures::within_a_minute;
use bowline_server::{Bowline, Socket};
use futures::future::join_all;

use super::site::{Mount, Site};

const ALL: [Transport; 3] = [Transport::WebSocket, Transport::Sse, Transport::Polling];
/// Longer than the head start of a WebSocket, of a stream, and than any attempt may take.
const TIMES: [Duration; 3] =
    [Duration::from_millis(1500), Duration::from_secs(3), Duration::from_secs(8)];

/// Connects over the best of these transports to a server whose hook takes so long.
async fn stays(transports: &[Transport], time: Duration) {
    let bowline = Bowline::builder().on_connect(move |_: Socket| tokio::time::sleep(time)).build();
    let site = Site::start(bowline, Mount::Service);
    let url = format!("http://{}/bowline", site.door.address);
    let builder = Client::builder(&url).transports(transports.iter().copied());
    let client = builder.build().expect("the address is valid");
    client.connect().await.expect("the server lets it in");
    assert_eq!((client.transport(), client.verdict()), (Some(transports[0]), None), "{time:?}");
    let words = client.diagnostics().to_string();
    assert!(!words.contains("needs") && !words.contains("failed"), "{time:?}: {words}");
}

#[tokio::test]
async fn a_slow_hook_leaves_a_client_on_its_first_transport() {
    let ladders = [&ALL[..], &ALL[1..], &ALL[2..]];
    let times = TIMES.iter().flat_map(|time| ladders.map(|ladder| stays(ladder, *time)));
    within_a_minute(join_all(times)).await;
}
