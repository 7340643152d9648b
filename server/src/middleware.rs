//! Mounts a `Bowline` as actix middleware.

use std::future::{Ready, ready};
use std::sync::Arc;

use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use actix_web::{Error, HttpMessage as _};
use futures::future::LocalBoxFuture;

use crate::bowline::Bowline;
use crate::node::Node;
use crate::service;

/// For `App::wrap`; made by [`Bowline::middleware`].
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
        let below = request.path().strip_prefix(&*self.node.config.path);
        let endpoint = below.and_then(|rest| rest.strip_prefix('/')).map(str::to_owned);
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
                request.extensions_mut().insert(Bowline::from_node(Arc::clone(&self.node)));
                let inner = self.inner.call(request);
                Box::pin(async move { Ok(inner.await?.map_into_left_body()) })
            }
        }
    }
}
