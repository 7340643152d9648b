//! Serves the requests and events of clients about streams, and runs the application's functions.
//!
//! Spec: 12-streams.

mod requests;
mod work;

use bowline_protocol::{STREAM, STREAM_CANCEL, STREAM_CREDIT, STREAM_END, STREAM_ITEM};

use crate::node::Handlers;

/// Handles the requests and events. Only a server with streams does.
pub(crate) fn serve(handlers: &mut Handlers) {
    handlers.insert(STREAM.to_owned(), Box::new(requests::open));
    handlers.insert(STREAM_ITEM.to_owned(), Box::new(requests::item));
    handlers.insert(STREAM_CREDIT.to_owned(), Box::new(requests::credit));
    handlers.insert(STREAM_END.to_owned(), Box::new(requests::end));
    handlers.insert(STREAM_CANCEL.to_owned(), Box::new(requests::cancel));
}
