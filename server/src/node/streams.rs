//! The application's functions for streams, by name, without their types. `handler` makes them out
//! of functions of extractors.

use std::collections::BTreeMap;
use std::fmt;

use bowline_protocol::Payload;
use futures::future::LocalBoxFuture;

use super::MessageContext;
use crate::failure::Failure;

/// A stream that a client has opened.
#[derive(Debug)]
pub struct StreamContext<'a> {
    /// The payload of the stream, as a message of its name.
    pub(crate) message: MessageContext<'a>,
    pub(crate) number: u64,
}

/// The work of the application on a stream. It yields the value with which the stream ends.
pub(crate) type Streaming = LocalBoxFuture<'static, Result<Payload, Failure>>;

pub(crate) type AnyStream = dyn Fn(StreamContext<'_>) -> Result<Streaming, Failure> + Send + Sync;

/// The functions for streams.
#[derive(Default)]
pub(crate) struct StreamHandlers(BTreeMap<String, Box<AnyStream>>);

impl StreamHandlers {
    /// A later function of the same name takes the place of the earlier.
    pub(crate) fn insert(&mut self, name: String, handler: Box<AnyStream>) {
        self.0.insert(name, handler);
    }

    pub(crate) fn get(&self, name: &str) -> Option<&AnyStream> {
        self.0.get(name).map(|handler| &**handler)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for StreamHandlers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}
