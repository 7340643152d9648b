//! Serves the requests of clients about topics: to be subscribed, to be subscribed no longer, and
//! to publish.
//!
//! Spec: 11-topics.

mod keys;
mod requests;

use bowline_protocol::{PUBLISH, SUBSCRIBE, UNSUBSCRIBE};

use crate::node::Handlers;

pub(crate) use keys::verified;
pub use keys::{SignedGrant, TopicKey};

/// Handles the requests. Only a server that opens topics does.
pub(crate) fn serve(handlers: &mut Handlers) {
    handlers.insert(SUBSCRIBE.to_owned(), Box::new(requests::subscribe));
    handlers.insert(UNSUBSCRIBE.to_owned(), Box::new(requests::unsubscribe));
    handlers.insert(PUBLISH.to_owned(), Box::new(requests::publish));
}
