//! Counts the requests in progress, around the application and all its middleware.

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use actix_http::{Request, Response};
use actix_service::{Service, ServiceFactory};
use actix_web::HttpResponse;
use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::AppConfig;
use actix_web::http::{StatusCode, Version};
use bytes::Bytes;
use futures::future::LocalBoxFuture;
use pin_project_lite::pin_project;

use super::line::{Line, StreamId};
use super::{Guarded, Guards};

/// An application whose requests are watched; made by [`Bowline::watch`](crate::Bowline::watch).
pub struct Watched<S, B> {
    inner: S,
    guards: Arc<Guards>,
    body: PhantomData<fn() -> B>,
}

/// The service of a [`Watched`] application on one worker.
pub struct WatchedService<S, B> {
    inner: S,
    guards: Arc<Guards>,
    body: PhantomData<fn() -> B>,
}

pin_project! {
    /// The body of a response. Its request is in progress until it is dropped.
    #[derive(Debug)]
    pub struct WatchedBody<B> {
        #[pin]
        inner: B,
        in_progress: InProgress,
    }
}

/// A response that a `Bowline` has made.
#[derive(Debug)]
pub(crate) struct Served {
    /// The connection ends with it.
    pub(crate) is_last: bool,
}

impl Served {
    /// Marks a response. An HTTP/1.1 connection is not used again after a stream: it would have to
    /// be guarded for as long as the stream lasts.
    pub(crate) fn mark(response: &mut HttpResponse) {
        let is_last = response.body().size() == BodySize::Stream;
        if is_last && response.status() != StatusCode::SWITCHING_PROTOCOLS {
            response.head_mut().set_connection_type(actix_web::http::ConnectionType::Close);
        }
        response.extensions_mut().insert(Self { is_last });
    }
}

/// A request, from its head to the end of its response.
#[derive(Debug)]
struct InProgress {
    guards: Arc<Guards>,
    line: Option<(Arc<Line>, StreamId)>,
    /// No `Bowline` answers it.
    foreign: bool,
    /// Others may be in progress on the same connection.
    shares: bool,
    /// A piece of the answer was yielded, and the next was not polled.
    is_untaken: bool,
}

impl InProgress {
    fn begin(guards: &Arc<Guards>, request: &Request) -> Self {
        let line = request.conn_data::<Guarded>().and_then(Guarded::line);
        let line = line.map(|line| (Arc::clone(line), line.begin()));
        guards.foreign.fetch_add(1, Ordering::Relaxed);
        let shares = request.version() == Version::HTTP_2;
        Self { guards: Arc::clone(guards), line, foreign: true, shares, is_untaken: false }
    }

    fn answered<B>(&mut self, response: &Response<B>) {
        let served = response.extensions().get::<Served>().map(|served| served.is_last);
        if served.is_some() {
            self.settle();
        }
        let upgraded = response.status() == StatusCode::SWITCHING_PROTOCOLS;
        let is_last = upgraded || served == Some(true);
        if is_last
            && !self.shares
            && let Some((line, _)) = &self.line
        {
            line.release();
        }
    }

    /// The body was polled, and has yielded a piece or not. The application's answer may be one
    /// large piece, which takes its time.
    fn asked(&mut self, hands_out: bool) {
        let was_untaken = std::mem::replace(&mut self.is_untaken, hands_out);
        let Some((line, stream)) = &self.line else { return };
        if hands_out {
            line.handed(*stream, self.guards.clock.now());
        } else if was_untaken {
            line.taken(*stream);
        }
    }

    /// The request is not one of the application's, or not any more.
    fn settle(&mut self) {
        if std::mem::take(&mut self.foreign) {
            self.guards.foreign.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        self.settle();
        if let Some((line, stream)) = &self.line {
            line.end(*stream, self.guards.clock.now());
        }
    }
}

impl<S, B> Watched<S, B> {
    pub(crate) const fn new(inner: S, guards: Arc<Guards>) -> Self {
        Self { inner, guards, body: PhantomData }
    }
}

impl<S, B> ServiceFactory<Request> for Watched<S, B>
where
    S: ServiceFactory<Request, Config = AppConfig>,
    S::Response: Into<Response<B>>,
    S::Future: 'static,
    S::Service: 'static,
    S::InitError: 'static,
    B: MessageBody + 'static,
{
    type Response = Response<WatchedBody<B>>;
    type Error = S::Error;
    type Config = AppConfig;
    type Service = WatchedService<S::Service, B>;
    type InitError = S::InitError;
    type Future = LocalBoxFuture<'static, Result<Self::Service, S::InitError>>;

    fn new_service(&self, config: AppConfig) -> Self::Future {
        let (inner, guards) = (self.inner.new_service(config), Arc::clone(&self.guards));
        Box::pin(
            async move { Ok(WatchedService { inner: inner.await?, guards, body: PhantomData }) },
        )
    }
}

impl<S, B> Service<Request> for WatchedService<S, B>
where
    S: Service<Request>,
    S::Response: Into<Response<B>>,
    S::Future: 'static,
    B: MessageBody + 'static,
{
    type Response = Response<WatchedBody<B>>;
    type Error = S::Error;
    type Future = LocalBoxFuture<'static, Result<Self::Response, S::Error>>;

    actix_service::forward_ready!(inner);

    fn call(&self, request: Request) -> Self::Future {
        let mut in_progress = InProgress::begin(&self.guards, &request);
        let answer = self.inner.call(request);
        Box::pin(async move {
            let response: Response<B> = answer.await?.into();
            in_progress.answered(&response);
            Ok(response.map_body(|_, inner| WatchedBody { inner, in_progress }))
        })
    }
}

impl<B: MessageBody> MessageBody for WatchedBody<B> {
    type Error = B::Error;

    fn size(&self) -> BodySize {
        self.inner.size()
    }

    fn poll_next(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let this = self.project();
        let answer = this.inner.poll_next(cx);
        if this.in_progress.shares && !this.in_progress.foreign {
            this.in_progress.asked(matches!(answer, Poll::Ready(Some(Ok(_)))));
        }
        answer
    }
}

impl<S, B> fmt::Debug for Watched<S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched").finish_non_exhaustive()
    }
}

impl<S, B> fmt::Debug for WatchedService<S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WatchedService").finish_non_exhaustive()
    }
}
