//! An application that is served within the process.

#![expect(clippy::disallowed_methods, reason = "a test waits for its application")]

use std::fmt;
use std::future::IntoFuture;
use std::rc::Rc;
use std::time::Duration;

use actix_http::Request;
use actix_service::{IntoServiceFactory, Service, ServiceFactory};
use actix_web::body::MessageBody;
use actix_web::dev::{AppConfig, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::test::{self, TestRequest};
use bowline_protocol::Close;
use bytes::Bytes;
use futures::future::LocalBoxFuture;
use serde::Serialize;

use super::TestSession;
use crate::bowline::Bowline;
use crate::session::State;

/// An application of actix and its `Bowline`, served within the process.
#[derive(Clone)]
pub struct TestApp {
    bowline: Bowline,
    serve: Rc<Serve>,
}

type Serve = dyn Fn(Request) -> Answering;
/// The body of a response.
pub(super) type Answering = LocalBoxFuture<'static, Bytes>;

impl TestApp {
    /// Serves this application, in which the `Bowline` is mounted. An application that is a test's
    /// own is `App::new().service(bowline.service())`, with the data that its handlers extract.
    ///
    /// # Panics
    /// When the application cannot be built.
    pub async fn new<R, S, B, E>(bowline: &Bowline, app: R) -> Self
    where
        R: IntoServiceFactory<S, Request> + 'static,
        S: ServiceFactory<Request, Config = AppConfig, Response = ServiceResponse<B>, Error = E>
            + 'static,
        S::InitError: fmt::Debug,
        S::Service: 'static,
        B: MessageBody + 'static,
        E: fmt::Debug + 'static,
    {
        let service = Rc::new(test::init_service(app).await);
        let serve = move |request| -> Answering {
            let answer = service.call(request);
            Box::pin(
                async move { test::read_body(answer.await.expect("the service answers")).await },
            )
        };
        Self { bowline: bowline.clone(), serve: Rc::new(serve) }
    }

    /// Connects a client when the returned value is awaited.
    pub fn connect(&self) -> TestConnect {
        TestConnect { app: self.clone(), auth: String::new(), headers: Vec::new() }
    }

    /// The session layer that is tested.
    #[must_use]
    pub const fn bowline(&self) -> &Bowline {
        &self.bowline
    }

    /// Lets this time pass for sessions at once: heartbeats, windows of resume, grants, expiries,
    /// `away_after`. Timers of the application's own and those of tokio are not affected, nor is
    /// the age of histories.
    pub async fn advance(&self, time: Duration) {
        self.bowline.node.timers.advance(time);
        self.settle().await;
    }

    /// Lets handlers work until each has ended, waits for its client, or is delayed by a rate
    /// limit; at most for 5 seconds.
    pub async fn settle(&self) {
        let is_settled = || {
            let sessions = self.bowline.node.registry.all();
            sessions.iter().all(|session| {
                let waits = |state: &State| !state.waiting.is_empty() || state.is_delayed();
                !session.is_at_work() || session.look(waits)
            })
        };
        let settled = async {
            // What a handler has started runs, in its order.
            for _ in 0..TURNS {
                tokio::task::yield_now().await;
            }
            while !is_settled() {
                tokio::time::sleep(PAUSE).await;
            }
        };
        let _ = tokio::time::timeout(PATIENCE, settled).await;
    }

    pub(super) fn post(
        &self,
        endpoint: &str,
        headers: &[(HeaderName, HeaderValue)],
        body: String,
    ) -> Answering {
        let path = self.bowline.node.config.path.trim_end_matches('/');
        let mut request = TestRequest::post().uri(&format!("{path}/{endpoint}"));
        for (name, value) in headers {
            request = request.append_header((name.clone(), value.clone()));
        }
        (self.serve)(request.set_payload(body).to_request())
    }
}

/// A client that connects when this is awaited. Resolves with its session, or with the close of a
/// client that is refused.
#[must_use = "a client connects when this is awaited"]
pub struct TestConnect {
    app: TestApp,
    auth: String,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl TestConnect {
    /// The client presents this: see [`Auth`](crate::Auth).
    ///
    /// # Panics
    /// When the value cannot be written as JSON.
    pub fn auth(mut self, auth: &impl Serialize) -> Self {
        self.auth = serde_json::to_string(auth).expect("an authentication is written as JSON");
        self
    }

    /// A header of every request of the client, such as a cookie.
    ///
    /// # Panics
    /// When the name or the value is not one of HTTP.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a header has a name of HTTP");
        let value = HeaderValue::from_str(value).expect("a header has a value of HTTP");
        self.headers.push((name, value));
        self
    }
}

impl IntoFuture for TestConnect {
    type Output = Result<TestSession, Close>;
    type IntoFuture = LocalBoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(TestSession::open(self.app, self.auth, self.headers))
    }
}

impl fmt::Debug for TestApp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestApp").field("bowline", &self.bowline).finish_non_exhaustive()
    }
}

impl fmt::Debug for TestConnect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TestConnect")
    }
}

/// How long a test waits for what its application does.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// How long it waits before it looks again whether handlers are at work.
const PAUSE: Duration = Duration::from_millis(1);
/// Turns of the runtime in which tasks that were started begin.
const TURNS: usize = 3;
