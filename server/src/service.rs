//! Mounts a `Bowline` as an actix service.

use std::cell::RefCell;
use std::sync::{Arc, Weak};

use actix_web::dev::{self, AppService, HttpServiceFactory};
use actix_web::http::Method;
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse, web};

use crate::node::Node;
use crate::{publish, transport};

/// For `App::service`; made by [`Bowline::service`](crate::Bowline::service).
#[derive(Debug)]
pub struct BowlineService {
    node: Arc<Node>,
}

thread_local! {
    /// What is mounted on this worker, so that ordinary handlers can extract it: an actix service
    /// cannot add data to the application it is mounted in.
    static MOUNTED: RefCell<Vec<Weak<Node>>> = const { RefCell::new(Vec::new()) };
}

impl BowlineService {
    pub(crate) const fn new(node: Arc<Node>) -> Self {
        Self { node }
    }
}

impl HttpServiceFactory for BowlineService {
    fn register(self, config: &mut AppService) {
        let Self { node } = self;
        remember(&node);
        // actix finds a path that is spelled out by comparing, and all others by a regular expression.
        for endpoint in transport::ENDPOINTS {
            mount(&node, endpoint, config);
        }
        mount(&node, PUBLISH, config);
        mount(&node, "{unknown}", config);
    }
}

fn mount(node: &Arc<Node>, endpoint: &'static str, config: &mut AppService) {
    let path = format!("{}/{endpoint}", node.config.path);
    let node = Arc::clone(node);
    let answer = move |request: HttpRequest, payload: web::Payload| {
        let node = Arc::clone(&node);
        async move { serve(&node, endpoint, &request, payload.into_inner()).await }
    };
    web::resource(path).route(web::route().to(answer)).register(config);
}

/// While this lives, extractors of the request find the `Bowline` that serves it.
#[derive(Debug)]
pub(crate) struct Serving<'a>(&'a HttpRequest);

/// Weak, since the first request of a worker is kept for as long as the node.
struct ServedBy(Weak<Node>);

impl<'a> Serving<'a> {
    pub(crate) fn begin(node: &Arc<Node>, request: &'a HttpRequest) -> Self {
        request.extensions_mut().insert(ServedBy(Arc::downgrade(node)));
        Self(request)
    }

    pub(crate) fn of(request: &HttpRequest) -> Option<Arc<Node>> {
        request.extensions().get().and_then(|ServedBy(node)| node.upgrade())
    }
}

impl Drop for Serving<'_> {
    fn drop(&mut self) {
        self.0.extensions_mut().remove::<ServedBy>();
    }
}

/// Serves one request below the mount point.
pub(crate) async fn serve(
    node: &Arc<Node>,
    endpoint: &str,
    request: &HttpRequest,
    payload: dev::Payload,
) -> HttpResponse {
    if endpoint == PUBLISH && *request.method() == Method::POST {
        let answer = publish::publish(node, request, payload).await;
        return answer.unwrap_or_else(|| HttpResponse::NotFound().finish());
    }
    transport::serve(node, endpoint, request, payload).await
}

/// The only node that is mounted on this worker, if there is just one.
pub(crate) fn mounted_here() -> Option<Arc<Node>> {
    MOUNTED.with_borrow(|mounted| {
        let mut alive = mounted.iter().filter_map(Weak::upgrade);
        alive.next().filter(|_| alive.next().is_none())
    })
}

fn remember(node: &Arc<Node>) {
    MOUNTED.with_borrow_mut(|mounted| {
        mounted.retain(|known| known.strong_count() > 0 && known.as_ptr() != Arc::as_ptr(node));
        mounted.push(Arc::downgrade(node));
    });
}

/// Where programs publish; see `publish`.
const PUBLISH: &str = "publish";
