//! Serves the requests of clients about namespaces: to join one, and to leave it.
//!
//! A membership is a membership in a hidden room, and so are those in the rooms of a namespace:
//! what stores, moves and relays rooms needs nothing for namespaces.
//!
//! Spec: 13-namespaces.

mod requests;

use bowline_protocol::{JOIN, LEAVE};

use crate::node::Handlers;

/// Handles the requests. Only a server with namespaces does.
pub(crate) fn serve(handlers: &mut Handlers) {
    handlers.insert(JOIN.to_owned(), Box::new(requests::join));
    handlers.insert(LEAVE.to_owned(), Box::new(requests::leave));
}
