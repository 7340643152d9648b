//! Many carriers on one connection: each has its own pace and its own end.

use std::time::Duration;

use bowline_contract::Down;
use bowline_fixtures::app::Entry;
use bowline_fixtures::within_a_minute;
use bowline_protocol::CloseCode;
use futures::future::join_all;
use h2::client::Builder;

use super::client::{Connection, Session, open, serve};

#[tokio::test]
async fn many_sessions_poll_and_stream_on_one_connection() {
    within_a_minute(async {
        let server = &serve(|builder| builder.max_sessions_per_address(1000));
        let connection = &Connection::open(server).await;
        let welcomed = (0..100).map(|_| async { connection.post("poll", &open()).await });
        let texts =
            join_all(join_all(welcomed).await.into_iter().map(|answer| answer.text())).await;
        let sessions: Vec<Session> = texts.iter().map(|text| Session::welcomed(text)).collect();
        // Half of them wait in a poll, half in a stream.
        let waits = sessions.iter().enumerate().map(|(at, session)| async move {
            let endpoint = if at % 2 == 0 { "poll" } else { "sse" };
            let mut answer = connection.post(endpoint, &session.attach("n=2 recv=0 next=1")).await;
            answer.line("e down").await
        });
        let says = sessions.iter().zip(1..).map(|(session, number)| async move {
            let post = format!("{}\ne up {number}", session.attach("recv=0 next=1"));
            assert_eq!(connection.post("post", &post).await.text().await, "c 1");
            session.socket(server).emit(Down, &number).unwrap();
        });
        let (heard, _) = futures::join!(join_all(waits), join_all(says));
        let expected = (1..=100).map(|number| format!("e down {number}"));
        assert!(heard.into_iter().eq(expected));
    })
    .await;
}

#[tokio::test]
async fn a_stream_that_is_not_read_ends_as_a_slow_consumer_and_holds_up_no_other() {
    within_a_minute(async {
        let server = serve(|builder| builder.outbox_limit(64 * 1024));
        let mut settings = Builder::new();
        settings.initial_window_size(16 * 1024).initial_connection_window_size(1024 * 1024);
        let connection = Connection::open_with(&server, &settings).await;
        let mut unread = connection.post("sse", &open()).await;
        let slow = Session::welcomed(&unread.line("welcome ").await);
        let socket = slow.socket(&server);
        let big = "x".repeat(1024);
        while socket.emit("big", &big).is_ok() {}
        let ended = Entry::Disconnected(slow.id(), CloseCode::SLOW_CONSUMER);
        server.journal().wait_for(|entries| entries.contains(&ended)).await;

        let mut read = connection.post("sse", &open()).await;
        let quick = Session::welcomed(&read.line("welcome ").await);
        for number in 1..=200u64 {
            quick.socket(&server).emit("big", &big).unwrap();
            quick.socket(&server).emit(Down, &number).unwrap();
            assert_eq!(read.line("e down").await, format!("e down {number}"));
            if number % 16 == 0 {
                let confirm = quick.attach(&format!("recv={} next=1", number * 2));
                assert_eq!(connection.post("post", &confirm).await.text().await, "c 0");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_connection_of_many_streams_that_are_not_read_is_cut() {
    within_a_minute(async {
        let short = Duration::from_millis(300);
        let server = serve(|builder| {
            builder.outbox_limit(64 * 1024).max_sessions_per_address(1000).write_timeout(short)
        });
        let mut settings = Builder::new();
        settings.initial_window_size(16 * 1024).initial_connection_window_size(1024 * 1024);
        let connection = Connection::open_with(&server, &settings).await;
        let mut unread = Vec::new();
        // More than the window of a stream.
        let big = "x".repeat(32 * 1024);
        for _ in 0..20 {
            let mut stream = connection.post("sse", &open()).await;
            let session = Session::welcomed(&stream.line("welcome ").await);
            session.socket(&server).emit("big", &big).unwrap();
            unread.push(stream);
        }
        let begin = async || connection.send(connection.request("GET", "health"), "").await;
        let mut beat = tokio::time::interval(Duration::from_millis(20));
        while begin().await.is_ok() {
            beat.tick().await;
        }
        assert_eq!(Connection::open(&server).await.post("poll", &open()).await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn a_stream_that_was_reset_is_noticed_by_what_is_sent_next() {
    within_a_minute(async {
        // Silence alone would take longer than this test may.
        let server = serve(|builder| {
            builder
                .heartbeat(Duration::from_millis(100))
                .heartbeat_grace(Duration::from_secs(600))
                .resume_window(Duration::from_millis(500))
        });
        let connection = Connection::open(&server).await;
        let mut stream = connection.post("sse", &open()).await;
        let session = Session::welcomed(&stream.line("welcome ").await);
        drop(stream);
        let ended = Entry::Disconnected(session.id(), CloseCode::SESSION_EXPIRED);
        server.journal().wait_for(|entries| entries.contains(&ended)).await;
        // The connection has nothing to do with it.
        assert_eq!(connection.post("poll", &open()).await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn what_a_carrier_took_along_when_it_was_reset_is_sent_again() {
    within_a_minute(async {
        let server = serve(|builder| builder);
        let connection = Connection::open(&server).await;
        let mut stream = connection.post("sse", &open()).await;
        let session = Session::welcomed(&stream.line("welcome ").await);
        let socket = session.socket(&server);
        for (number, endpoint) in [(1, "sse"), (2, "poll"), (3, "sse"), (4, "poll")] {
            socket.emit(Down, &number).unwrap();
            drop(stream);
            socket.emit(Down, &(number * 10)).unwrap();
            let line = session.attach(&format!("n={} recv=0 next=1", number + 1));
            stream = connection.post(endpoint, &line).await;
            for earlier in 1..=number {
                assert_eq!(stream.line("e down").await, format!("e down {earlier}"));
                assert_eq!(stream.line("e down").await, format!("e down {}", earlier * 10));
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_post_that_comes_twice_is_taken_once() {
    within_a_minute(async {
        let server = serve(|builder| builder);
        let connection = Connection::open(&server).await;
        let session = Session::welcomed(&connection.post("poll", &open()).await.text().await);
        let post = format!("{}\ne up 1\ne up 2", session.attach("recv=0 next=1"));
        let copies = join_all((0..5).map(|_| connection.post("post", &post))).await;
        for answer in join_all(copies.into_iter().map(|copy| copy.text())).await {
            assert_eq!(answer, "c 2");
        }
        assert_eq!(server.journal().numbers(session.id()), [1, 2]);
    })
    .await;
}

#[tokio::test]
async fn a_server_that_drains_says_so_without_headers_of_one_connection() {
    within_a_minute(async {
        let server = serve(|builder| builder.drain_spread(Duration::from_secs(7)));
        let connection = Connection::open(&server).await;
        let mut stream = connection.post("sse", &open()).await;
        let session = Session::welcomed(&stream.line("welcome ").await);
        let shutdown = server.bowline().shutdown(Duration::ZERO);
        let (_, told) = futures::join!(shutdown, stream.line("x "));
        assert!(told.starts_with("x 4"), "{told}");
        for (endpoint, line) in [("poll", open()), ("sse", session.attach("n=2 recv=0 next=1"))] {
            let answer = connection.post(endpoint, &line).await;
            assert_eq!(answer.status, 503, "{endpoint}");
            assert!(answer.headers.contains_key("retry-after"));
            for name in ["connection", "keep-alive", "transfer-encoding"] {
                assert_eq!(answer.headers.get(name), None, "{name}");
            }
            assert!(answer.text().await.starts_with("x 4"));
        }
    })
    .await;
}
