//! A server whose guard has little patience, and peers that try it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use actix_web::{HttpResponse, web};
use bowline_fixtures::app;
use bowline_fixtures::test_server::{Listening, Shape, TestServer};
use bowline_raw_client::RawClient;
use bowline_server::BowlineBuilder;
use bytes::Bytes;
use futures::StreamExt as _;
use tokio::sync::watch;

/// How long a connection may do nothing here.
pub(super) const LIMIT: Duration = Duration::from_millis(400);

pub(super) struct Scene {
    pub(super) server: TestServer,
    go: watch::Sender<bool>,
}

impl Scene {
    pub(super) fn start() -> Self {
        Self::with(|builder| builder, false, Listening::Plain)
    }

    pub(super) fn with(
        change: impl FnOnce(BowlineBuilder) -> BowlineBuilder,
        as_middleware: bool,
        listening: Listening,
    ) -> Self {
        let (go, line) = watch::channel(false);
        let routes = Arc::new(move |app: &mut web::ServiceConfig| {
            app.app_data(web::Data::new(line.clone()))
                .route("/slow", web::to(slow))
                .route("/stream", web::get().to(stream))
                .route("/large", web::get().to(|| async { vec![b'x'; LARGE] }));
        });
        let builder = app::builder().idle_timeout(LIMIT).write_timeout(LIMIT);
        let shape = Shape { as_middleware, ..Shape::default() };
        let server = TestServer::start_on(change(builder).build(), shape, routes, listening);
        Self { server, go }
    }

    pub(super) async fn connect(&self) -> RawClient {
        RawClient::connect(self.server.plain_address()).await.expect("the server listens")
    }

    /// A connection on which this was sent.
    pub(super) async fn sent(&self, bytes: impl AsRef<[u8]>) -> RawClient {
        let mut client = self.connect().await;
        client.send(bytes).await.expect("the server reads");
        client
    }

    /// What waits in the application goes on.
    pub(super) fn go(&self) {
        self.go.send_replace(true);
    }

    /// Waits until a connection that was accepted after now has been ended.
    pub(super) async fn guard_has_acted(&self) {
        let mut witness = self.connect().await;
        assert_eq!(witness.get("/bowline/health").await.expect("it is answered").text(), "ok\n");
        witness.send("GET ").await.expect("the server reads");
        assert_ended(witness).await;
    }
}

/// Asserts that the server ends the connection, in order or not, and says nothing more on it.
pub(super) async fn assert_ended(mut client: RawClient) {
    match client.rest().await {
        Ok(rest) => assert_eq!(rest, ""),
        Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset),
    }
}

/// Answers when it is let go, what it was sent.
async fn slow(go: web::Data<watch::Receiver<bool>>, body: Bytes) -> HttpResponse {
    wait(watch::Receiver::clone(&go)).await;
    HttpResponse::Ok().body(body)
}

/// Begins at once, and ends when it is let go.
async fn stream(go: web::Data<watch::Receiver<bool>>) -> HttpResponse {
    let end = wait(watch::Receiver::clone(&go));
    let parts = futures::stream::iter(["begun"]).chain(futures::stream::once(async {
        end.await;
        "done"
    }));
    HttpResponse::Ok()
        .streaming(parts.map(|part| Ok::<_, io::Error>(Bytes::from_static(part.as_bytes()))))
}

async fn wait(mut go: watch::Receiver<bool>) {
    let _ = go.wait_for(|go| *go).await;
}

/// More than all buffers between two processes hold.
pub(super) const LARGE: usize = 24 * 1024 * 1024;

/// A first line that asks for a session that nobody has asked for before.
pub(super) fn open() -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static LAST: AtomicU64 = AtomicU64::new(0);
    format!("open v=1 key=key{:018}A n=1", LAST.fetch_add(1, Ordering::Relaxed))
}
