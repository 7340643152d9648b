//! Other processes: nodes beside this one, and the one that comes after it.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::BowlineBuilder;
use crate::broker::Broker;
use crate::config::{BearerToken, Carry};
use crate::store::Store;

impl BowlineBuilder {
    /// Joins a cluster of nodes: rooms, users and sessions are those of all nodes that the broker
    /// reaches, and clients may come to any of them. Without a broker the node is alone.
    pub fn broker(mut self, broker: impl Broker) -> Self {
        self.config.broker = Some(Arc::new(broker));
        self
    }

    /// Lets values of this type that are kept with [`Socket::insert`](crate::Socket::insert) travel
    /// when a node that stops hands its sessions to others or [stores](Self::store) them, under
    /// a name that all nodes and versions use. A session that keeps a value of a type that does
    /// not travel is not handed over or stored: its client opens a new one.
    pub fn carry<T>(mut self, name: &str) -> Self
    where
        T: Serialize + DeserializeOwned + Send + Sync + 'static,
    {
        self.config.carries.push(Carry::new::<T>(name));
        self
    }

    /// Lets programs that know this token publish with `POST <path>/publish`. Not possible unless
    /// set.
    ///
    /// The request has `Authorization: Bearer <token>` and a JSON object with `event`, perhaps
    /// `payload`, and one of `room`, `user`, `session` and `"everyone": true`. The answer says
    /// how many sessions of this node get it; those of other nodes get it too. Choose a token
    /// that nobody can guess, and keep the endpoint from the public where you can. After 10
    /// wrong tokens in a minute an address is answered with 429, whatever it shows, until the
    /// minute is over, and the log warns of them.
    ///
    /// # Panics
    /// When the token is shorter than 16 bytes.
    pub fn publish_token(mut self, token: &str) -> Self {
        assert!(token.len() >= 16, "a token that lets anyone publish has 16 bytes at least");
        self.config.publish_token = Some(BearerToken(token.to_owned()));
        self
    }

    /// Lets sessions outlive their process: [`Bowline::shutdown`](crate::Bowline::shutdown) writes
    /// them here, and [`build`](Self::build) of the next process reads them. Clients attach to
    /// that one and go on; nothing is lost, doubled or out of order. Without a store
    /// sessions end with their process, unless a [`broker`](Self::broker) hands them to others.
    ///
    /// A session goes on with its rooms, its user, its presence, the histories that it follows,
    /// what is not confirmed, and the values that [`carry`](Self::carry) names. One is lost,
    /// and its client told, if a handler of it did not end before the deadline of the shutdown,
    /// or if it keeps a value of another type. So is every session of a process that is killed.
    ///
    /// A client that had a carrier has the whole resume window to come back, from the start of the
    /// next process. One that had none has what was left of it, and at least 30 s. Sessions
    /// that were stored more than an hour ago are lost.
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

    /// So many clients a second come back to a process that goes on with their sessions: each is
    /// told another moment, and not within [`drain_spread`](Self::drain_spread). Defaults to
    /// 5,000. It counts where there is a [`store`](Self::store).
    pub const fn resume_rate(mut self, per_second: u32) -> Self {
        self.config.resume_rate = if per_second == 0 { 1 } else { per_second };
        self
    }

    /// Over how long clients come back after [`Bowline::shutdown`](crate::Bowline::shutdown).
    /// Defaults to 10 s.
    pub const fn drain_spread(mut self, spread: Duration) -> Self {
        self.config.drain_spread = spread;
        self
    }
}
