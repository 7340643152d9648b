//! Other processes: nodes beside this one, and the one that comes after it.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::BowlineBuilder;
use crate::broker::Broker;
use crate::config::{BearerToken, SessionValue};
use crate::store::Store;

impl BowlineBuilder {
    /// Joins a cluster of nodes: rooms, users and sessions are those of all nodes that the broker
    /// reaches, and a client may connect to any of them. Without a broker the node is alone.
    pub fn broker(mut self, broker: impl Broker) -> Self {
        self.config.broker = Some(Arc::new(broker));
        self
    }

    /// Lets values of this type, which the application keeps with
    /// [`Socket::insert`](crate::Socket::insert), move with their session: when a node that stops
    /// hands its sessions to others, or [stores](Self::store) them. All nodes and versions use this
    /// name for the type. A session with a value of another type cannot move: it is lost, and its
    /// client opens a new one.
    pub fn carry<T>(mut self, name: &str) -> Self
    where
        T: Serialize + DeserializeOwned + Send + Sync + 'static,
    {
        self.config.session_values.push(SessionValue::new::<T>(name));
        self
    }

    /// Lets programs that have this token publish with `POST <path>/publish`. Not possible unless
    /// set.
    ///
    /// The request has `Authorization: Bearer <token>` and a JSON object with `event`, optionally
    /// `payload`, and one of `room`, `user`, `session` and `"everyone": true`. The response states
    /// how many sessions of this node receive the event; those of other nodes receive it too.
    /// For a room with a history it states the position, and `id`, a UUID, makes a repetition the
    /// same message: see [`History::once`](crate::History::once).
    /// Choose a token that nobody can guess, and keep the endpoint from the public where you can.
    /// After 10 wrong tokens in a minute the server responds to the address with 429 until the
    /// minute is over, and logs a warning.
    ///
    /// # Panics
    /// When the token is shorter than 16 bytes.
    pub fn publish_token(mut self, token: &str) -> Self {
        assert!(token.len() >= 16, "a token that lets anyone publish has 16 bytes at least");
        self.config.publish_token = Some(BearerToken(token.to_owned()));
        self
    }

    /// Lets sessions outlive their process: [`Bowline::shutdown`](crate::Bowline::shutdown) stores
    /// them here, and [`build`](Self::build) of the next process reads them. Clients attach to the
    /// next process and continue; nothing is lost, repeated or reordered. Without a store sessions
    /// end with their process, unless a [`broker`](Self::broker) hands them to other nodes.
    ///
    /// A session continues with its rooms, its user, its presence, the histories that it follows,
    /// the packets that its client has not confirmed, and the values that [`carry`](Self::carry)
    /// names. A session is lost, and its client notified, if one of its handlers did not end before
    /// the deadline of the shutdown, or if it has a value of another type. When a process is
    /// killed, all its sessions are lost.
    ///
    /// A client that had a carrier has the whole resume window to reconnect, from the start of the
    /// next process. A client that had none has the rest of it, and at least 30 s. Sessions that
    /// were stored more than an hour ago are lost.
    ///
    /// ```no_run
    /// use bowline_server::{Bowline, FileStore};
    ///
    /// let bowline = Bowline::builder().store(FileStore::new("sessions")).build();
    /// ```
    ///
    /// A process whose disk does not outlive it stores them in Redis: `RedisStore`, with the
    /// feature `redis`.
    pub fn store(mut self, store: impl Into<Store>) -> Self {
        self.config.store = Some(store.into());
        self
    }

    /// How many clients a second reconnect to a process that continues their sessions. Defaults to
    /// 5,000. The server sends each client another time, instead of one within
    /// [`drain_spread`](Self::drain_spread). It counts where there is a [`store`](Self::store).
    pub const fn resume_rate(mut self, per_second: u32) -> Self {
        self.config.resume_rate = if per_second == 0 { 1 } else { per_second };
        self
    }

    /// The time over which clients reconnect after [`Bowline::shutdown`](crate::Bowline::shutdown).
    /// Defaults to 10 s.
    pub const fn drain_spread(mut self, spread: Duration) -> Self {
        self.config.drain_spread = spread;
        self
    }
}
