//! Logs of one node that outlive its process.

use std::fmt;

use bowline_protocol::Position;
use bytes::Bytes;
use futures::future::BoxFuture;

use super::{Bounds, Keep, Slice, Unavailable};

/// Where a node without a broker keeps its logs, if they are to be there after a restart. Nothing
/// here blocks.
pub(crate) trait DurableLogs: fmt::Debug + Send + Sync {
    /// What all logs together may be. Said before anything else.
    fn bound(&self, bounds: Bounds);

    /// Appends a message. `told` is called when it is written, or will not be: for the messages of
    /// a log in the order of their places, and on a thread of the store, so it must not wait.
    fn append(&self, log: &str, message: Bytes, keep: Keep, told: Told);

    /// What is kept of a log. One that there is not begins, without messages.
    fn read(&self, log: &str, keep: Keep) -> BoxFuture<'static, Result<Slice, Unavailable>>;

    /// Bytes of all messages that are kept.
    fn bytes(&self) -> usize;
}

/// Learns where a message was appended.
pub(crate) type Told = Box<dyn FnOnce(Result<Position, Unavailable>) + Send>;
