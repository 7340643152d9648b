//! What connects the nodes of a cluster: channels that many listen to, a directory of small
//! entries, and logs.
//!
//! A [`Broker`] moves bytes and knows nothing of rooms, users or sessions; what the bytes mean is
//! the business of `cluster`. [`LocalBroker`] joins nodes of one process, [`RedisBroker`] joins
//! processes through Redis. [`acceptance`] has the tests that every broker passes.
//!
//! Without a broker a node is alone, and nothing of this is ever called.

pub mod acceptance;
mod durable;
#[cfg(feature = "history-file")]
mod file;
mod local;
mod logs;
mod outgoing;
#[cfg(feature = "redis")]
mod redis;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use tokio::sync::oneshot;

use bowline_protocol::Position;
pub(crate) use durable::DurableLogs;
#[cfg(feature = "history-file")]
pub use file::{HistoryFile, OpenError};
pub use local::LocalBroker;
pub(crate) use logs::Trimmed;
pub use logs::{Appended, Keep, LogEntry, Once, Slice, read_stamped, stamped};
pub(crate) use logs::{Bounds, Log, Logs};
pub(crate) use outgoing::{Hold, Outgoing};
#[cfg(feature = "redis")]
pub use redis::{ConnectError, RedisBroker};
#[cfg(feature = "redis")]
pub(crate) use redis::{Connection, Server, address};

/// A way to reach the other nodes.
///
/// Messages of all nodes on one channel arrive in the same order everywhere, those of one node in
/// the order in which they were published, and each at most once. Between channels there is no
/// order. A broker may lose messages while it is [`Delivery::Down`]; its user numbers the
/// messages whose loss must be noticed. None of the methods blocks.
pub trait Broker: fmt::Debug + Send + Sync + 'static {
    /// The work of this broker for one node: the node runs it on a thread of its own that has
    /// timers and I/O of Tokio, for as long as the node lives, and calls it once. Everything
    /// that happens is passed to `deliver`, in the order in which it happens. A connection that
    /// is lost is made anew.
    fn run(&self, deliver: Deliver) -> BoxFuture<'static, ()>;

    /// Sends messages, each to every node that listens to its channel, this one included if it
    /// does. What is published in one call arrives together, if the broker can: a node then
    /// writes to each of its clients once.
    fn publish(&self, messages: Vec<Publication>);

    /// Listens to a channel, again after every loss of the connection. `effective` is sent to when
    /// what is published from now on will arrive.
    fn subscribe(&self, channel: &str, effective: Option<oneshot::Sender<()>>);

    /// No longer listens to a channel.
    fn unsubscribe(&self, channel: &str);

    /// Reads or changes an entry of the directory that all nodes share. Resolves with what stands
    /// there afterwards.
    ///
    /// # Errors
    /// When the directory cannot be reached.
    fn directory(
        &self,
        key: &str,
        change: Entry,
    ) -> BoxFuture<'static, Result<Option<Bytes>, Unavailable>>;

    /// Appends a message to a log that all nodes share, and sends it, [`stamped`] with its place,
    /// to every node that listens to the channel of that name, in the order of the places. The
    /// log forgets what is more than it is to keep, oldest first. Whether it also has a limit
    /// for all logs together is the broker's own.
    ///
    /// With an id that the log knows, does neither, and resolves with the place of the message
    /// that was appended with it. How many ids all logs together know at most is the broker's own.
    ///
    /// # Errors
    /// When the log cannot be reached. Then it is not known whether the message was appended.
    fn append(
        &self,
        log: &str,
        message: Bytes,
        keep: Keep,
        once: Option<Once>,
    ) -> BoxFuture<'static, Result<Appended, Unavailable>>;

    /// What is kept of a log. One that there is not begins, without messages.
    ///
    /// # Errors
    /// When the log cannot be reached.
    fn read(&self, log: &str, keep: Keep) -> BoxFuture<'static, Result<Slice, Unavailable>>;

    /// Deletes the messages of a log up to this place, which included, or all of them. The end
    /// of the log stays, and so do the places of later messages. If the log has another epoch
    /// than the place, nothing is deleted. Sends every node that listens to the channel of that
    /// name the last deleted place, [`stamped`] on an empty message, between the messages
    /// appended before and after. Resolves with the number of deleted messages.
    ///
    /// # Errors
    /// When the log cannot be reached. Then it is not known whether the messages were deleted.
    fn trim(
        &self,
        log: &str,
        to: Option<Position>,
        keep: Keep,
    ) -> BoxFuture<'static, Result<u64, Unavailable>>;
}

/// Takes what a broker delivers. It does not block.
pub type Deliver = Arc<dyn Fn(Delivery) + Send + Sync>;

/// A message for all who listen to a channel.
#[derive(Debug)]
pub struct Publication {
    /// The channel.
    pub channel: Arc<str>,
    /// The message.
    pub message: Bytes,
    /// Receives how many nodes receive the message, once this message and all earlier ones of the
    /// node have gone out; dropped when that cannot be known.
    pub heard: Option<oneshot::Sender<usize>>,
}

/// What happens at a broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// The connection stands, and every subscription is effective.
    Up,
    /// The connection is lost: messages may have been missed since a moment ago.
    Down,
    /// A message came.
    Message {
        /// The channel it was published on.
        channel: Arc<str>,
        /// What was published.
        message: Bytes,
    },
    /// A message of this node was not published, or it is not known whether it was.
    Unsent {
        /// The channel it was for.
        channel: Arc<str>,
    },
}

/// What to do with an entry of the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// Only look.
    Read,
    /// Write it, for so long.
    Write(Bytes, Duration),
    /// Write it, for so long, unless there is one.
    Claim(Bytes, Duration),
    /// Take it out.
    Remove,
}

/// The broker cannot be reached now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unavailable;

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the broker cannot be reached")
    }
}

impl std::error::Error for Unavailable {}
