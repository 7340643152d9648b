//! The nodes of an application, for code that only has its request.

use std::cell::RefCell;
use std::sync::{Arc, Weak};

use actix_web::{HttpMessage as _, HttpRequest};

use crate::node::Node;

thread_local! {
    /// What is mounted on this worker, so that ordinary handlers can extract it: an actix service
    /// cannot add data to the application it is mounted in.
    static MOUNTED: RefCell<Vec<Weak<Node>>> = const { RefCell::new(Vec::new()) };
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

/// The only node that the application of a request has, as a service or as middleware, if there is
/// just one.
pub(crate) fn only_mounted(request: &HttpRequest) -> Option<Arc<Node>> {
    let mut nodes: Vec<_> =
        MOUNTED.with_borrow(|nodes| nodes.iter().filter_map(Weak::upgrade).collect());
    if let Some(Passed(passed)) = request.extensions().get() {
        nodes.extend(passed.iter().cloned());
    }
    let first = nodes.pop()?;
    nodes.iter().all(|node| Arc::ptr_eq(node, &first)).then_some(first)
}

/// From now on ordinary handlers of this worker find the node.
pub(crate) fn remember(node: &Arc<Node>) {
    MOUNTED.with_borrow_mut(|mounted| {
        mounted.retain(|known| known.strong_count() > 0 && known.as_ptr() != Arc::as_ptr(node));
        mounted.push(Arc::downgrade(node));
    });
}

/// The advice when the middleware that the hooks rely on is on the wrong side.
pub(crate) const RIGHT_ORDER: &str = "call .wrap(bowline.middleware()) before every other \
    .wrap(…), since actix runs \
    the last one first, or mount with .service(bowline.service())";
