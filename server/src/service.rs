//! Mounts a `Bowline` as an actix service.

use std::cell::RefCell;
use std::sync::{Arc, Weak};

use actix_web::dev::{self, AppService, HttpServiceFactory};
use actix_web::http::Method;
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse, web};

use crate::guard::Served;
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
        if !node.config.path.is_empty() {
            // At the root, what is no endpoint belongs to the application.
            mount(&node, "{unknown}", config);
        }
    }
}

/// Also with a slash at the end, which actix's `NormalizePath` may add.
fn mount(node: &Arc<Node>, endpoint: &'static str, config: &mut AppService) {
    for slash in ["", "/"] {
        let path = format!("{}/{endpoint}{slash}", node.config.path);
        let node = Arc::clone(node);
        let answer = move |request: HttpRequest, payload: web::Payload| {
            let node = Arc::clone(&node);
            async move { serve(&node, endpoint, &request, payload.into_inner()).await }
        };
        web::resource(path).route(web::route().to(answer)).register(config);
    }
}

/// The endpoint that a path below the scope names, as far as a node answers for it.
pub(crate) fn endpoint<'a>(node: &Node, path: &'a str) -> Option<&'a str> {
    let endpoint = path.strip_prefix(&*node.config.path)?.strip_prefix('/')?;
    let endpoint = endpoint.strip_suffix('/').unwrap_or(endpoint);
    let is_known = endpoint == PUBLISH || transport::ENDPOINTS.contains(&endpoint);
    (is_known || !node.config.path.is_empty()).then_some(endpoint)
}

/// The middlewares that an ordinary request has passed.
pub(crate) struct Passed(Vec<Arc<Node>>);

impl Passed {
    pub(crate) fn by(node: &Arc<Node>, request: &HttpRequest) {
        let mut extensions = request.extensions_mut();
        match extensions.get_mut::<Self>() {
            Some(Self(nodes)) => nodes.push(Arc::clone(node)),
            None => drop(extensions.insert(Self(vec![Arc::clone(node)]))),
        }
    }
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
    mut payload: dev::Payload,
) -> HttpResponse {
    let response = if endpoint == PUBLISH && *request.method() == Method::POST {
        let answer = publish::publish(node, request, &mut payload).await;
        answer.unwrap_or_else(|| HttpResponse::NotFound().finish())
    } else {
        transport::serve(node, endpoint, request, &mut payload).await
    };
    let mut response = transport::end_with_unread(response, payload);
    Served::mark(&mut response);
    response
}

/// The only node that the application of a request has, as a service or as middleware, if there is just one.
pub(crate) fn only_mounted(request: &HttpRequest) -> Option<Arc<Node>> {
    let mut nodes: Vec<_> =
        MOUNTED.with_borrow(|nodes| nodes.iter().filter_map(Weak::upgrade).collect());
    if let Some(Passed(passed)) = request.extensions().get() {
        nodes.extend(passed.iter().cloned());
    }
    let first = nodes.pop()?;
    nodes.iter().all(|node| Arc::ptr_eq(node, &first)).then_some(first)
}

fn remember(node: &Arc<Node>) {
    MOUNTED.with_borrow_mut(|mounted| {
        mounted.retain(|known| known.strong_count() > 0 && known.as_ptr() != Arc::as_ptr(node));
        mounted.push(Arc::downgrade(node));
    });
}

/// Where programs publish; see `publish`.
const PUBLISH: &str = "publish";
