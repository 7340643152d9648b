//! Logs of one node that outlive its process.

use std::fmt;

use bowline_protocol::Position;
use bytes::Bytes;
use futures::future::BoxFuture;

use super::{Appended, Bounds, Keep, Once, Slice, Trimmed, Unavailable};

/// Where a node without a broker keeps its logs, if they have to exist after a restart. Nothing
/// here blocks.
pub(crate) trait DurableLogs: fmt::Debug + Send + Sync {
    /// Sets the limits of all logs together. Called before anything else.
    fn bound(&self, bounds: Bounds);

    /// Appends a message, unless the log knows its id. Calls `told` when the message is written, or
    /// when that has failed: for the messages of a log in the order of their positions, and on
    /// a thread of the store, so it must not wait.
    fn append(&self, log: &str, message: Bytes, keep: Keep, once: Option<Once>, told: Told);

    /// Reads what is kept of a log. Creates the log, without messages, if it does not exist.
    fn read(&self, log: &str, keep: Keep) -> BoxFuture<'static, Result<Slice, Unavailable>>;

    /// Deletes the messages up to a place, or all. Resolves when the disk no longer has them;
    /// with `None` if that place is in another epoch.
    fn trim(
        &self,
        log: &str,
        to: Option<Position>,
        keep: Keep,
    ) -> BoxFuture<'static, Result<Option<Trimmed>, Unavailable>>;

    /// The bytes of all messages that are kept.
    fn bytes(&self) -> usize;
}

/// Receives what became of a message.
pub(crate) type Told = Box<dyn FnOnce(Result<Appended, Unavailable>) + Send>;
