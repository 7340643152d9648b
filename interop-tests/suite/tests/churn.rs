//! What is left of sessions that came and went. A process of its own, since its memory is measured.
#![cfg(target_os = "linux")]

use std::fs;

use bowline_fixtures::test_server::{Shape, TestServer};
use bowline_raw_client::RawClient;
use bowline_server::Bowline;

#[tokio::test]
async fn sessions_that_came_and_went_leave_no_memory() {
    let builder = Bowline::builder().max_opens_per_address(u32::MAX);
    let server = TestServer::start_with(builder.build(), Shape::default());
    let mut client = RawClient::connect(server.address()).await.expect("the server listens");
    churn(&mut client, 0, 10_000).await;
    let before = resident();
    churn(&mut client, 10_000, 30_000).await;
    let grown = resident().saturating_sub(before);
    assert_eq!(server.bowline().session_count(), 0);
    // Their open keys are remembered for a while, in some 70 bytes each.
    assert!(grown < 8 << 20, "{grown} bytes are left of 30,000 sessions");
}

/// Opens sessions and closes each in the same body, over one connection.
async fn churn(client: &mut RawClient, first: usize, sessions: usize) {
    const AT_ONCE: usize = 500;
    for batch in (first..first + sessions).step_by(AT_ONCE) {
        let requests: String = (batch..batch + AT_ONCE).map(request).collect();
        client.send(&requests).await.expect("the connection takes requests");
        for _ in 0..AT_ONCE {
            let response = client.response().await.expect("each request is answered");
            assert!(response.text().ends_with("x 1000"), "{}", response.text());
        }
    }
}

fn request(number: usize) -> String {
    let body = format!("open v=1 key=churn{number:016}A n=1\nx 1000");
    let length = body.len();
    format!("POST /bowline/poll HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n{body}")
}

/// Bytes of this process that are in memory.
fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("the kernel tells");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it tells this");
    let kilobytes = line.trim().trim_end_matches(" kB").parse::<usize>();
    kilobytes.expect("it is a number of kB") * 1024
}
