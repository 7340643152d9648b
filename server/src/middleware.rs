//! Mounts a `Bowline` as actix middleware.

use std::future::{Ready, ready};
use std::sync::Arc;

use actix_web::Error;
use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use futures::future::LocalBoxFuture;

use crate::mounted::{Passed, RIGHT_ORDER};
use crate::node::Node;
use crate::service;

/// For `App::wrap`; made by [`Bowline::middleware`](crate::Bowline::middleware).
#[derive(Debug)]
pub struct BowlineMiddleware {
    node: Arc<Node>,
}

/// The application below a [`BowlineMiddleware`].
#[derive(Debug)]
pub struct Mounted<S> {
    node: Arc<Node>,
    inner: S,
}

impl BowlineMiddleware {
    pub(crate) const fn new(node: Arc<Node>) -> Self {
        Self { node }
    }

    /// Warns once if what this wraps looks like something that the hooks rely on: what it adds to
    /// requests is added behind this middleware, and no hook sees it.
    fn check_order(&self, inner: &str) {
        let foreign = foreign_types(inner);
        let wants: Vec<_> = self.node.hooks.wants().collect();
        if !foreign.is_empty() && !wants.is_empty() {
            self.node.order_warning.call_once(|| {
                log::warn!(
                    "bowline.middleware() wraps {}. If the hooks rely on that for {}, they find \
                        nothing: {RIGHT_ORDER}",
                    foreign.join(", "),
                    wants.join(", "),
                );
            });
        }
    }
}

/// The types in the name of a service that are not of actix-web.
fn foreign_types(service: &str) -> Vec<&str> {
    let names = service.split(|c: char| !c.is_alphanumeric() && !"_:{}#".contains(c));
    let own = |name: &&str| {
        ["actix_web::", "actix_service::", "actix_http::", "core::", "alloc::", "bowline_server::"]
            .iter()
            .any(|own| name.starts_with(own))
    };
    names.filter(|name| name.contains("::") && !own(name)).collect()
}

impl<S, B> Transform<S, ServiceRequest> for BowlineMiddleware
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    S::Future: 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B, BoxBody>>;
    type Error = Error;
    type Transform = Mounted<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, inner: S) -> Self::Future {
        self.check_order(std::any::type_name::<S>());
        ready(Ok(Mounted { node: Arc::clone(&self.node), inner }))
    }
}

impl<S, B> Service<ServiceRequest> for Mounted<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    S::Future: 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B, BoxBody>>;
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self::Response, Error>>;

    forward_ready!(inner);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        // Within a scope, what the scope has not matched.
        let path = request.match_info().unprocessed();
        let endpoint = service::endpoint(&self.node, path).map(str::to_owned);
        match endpoint {
            Some(endpoint) => {
                let node = Arc::clone(&self.node);
                let (request, payload) = request.into_parts();
                Box::pin(async move {
                    let response = service::serve(&node, &endpoint, &request, payload).await;
                    Ok(ServiceResponse::new(request, response).map_into_right_body())
                })
            }
            None => {
                Passed::by(&self.node, request.request());
                let inner = self.inner.call(request);
                Box::pin(async move { Ok(inner.await?.map_into_left_body()) })
            }
        }
    }
}
