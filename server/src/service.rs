//! Mounts a `Bowline` as an actix service.

use std::sync::Arc;

use actix_web::dev::{self, AppService, HttpServiceFactory};
use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse, web};

use crate::guard::Served;
use crate::node::Node;
use crate::{mounted, publish, transport};

/// For `App::service`; made by [`Bowline::service`](crate::Bowline::service).
#[derive(Debug)]
pub struct BowlineService {
    node: Arc<Node>,
}

impl BowlineService {
    pub(crate) const fn new(node: Arc<Node>) -> Self {
        Self { node }
    }
}

impl HttpServiceFactory for BowlineService {
    fn register(self, config: &mut AppService) {
        let Self { node } = self;
        mounted::remember(&node);
        // actix finds a path that is spelled out by comparing, and all others by a regular
        // expression.
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

/// Where programs publish; see `publish`.
const PUBLISH: &str = "publish";
