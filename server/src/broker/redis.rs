//! Nodes that reach each other through Redis, version 7 or newer.
//!
//! One connection is for commands, a second one for subscriptions. Both speak RESP3. Where the
//! server is a cluster, channels are sharded ones. Waiting commands are sent together: one pipeline
//! at a time is pending, so the messages of a channel keep their order, and pipelines grow with the
//! load.

#![expect(clippy::disallowed_methods, reason = "a pause before another attempt to reach Redis")]

mod link;
mod logs;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use redis::{ConnectionInfo, IntoConnectionInfo as _, ProtocolVersion, RedisError};
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;

use super::{
    Appended, Broker, Deliver, Delivery, Entry, Keep, Once, Publication, Slice, Unavailable,
};
use crate::complaints::limited;
use bowline_protocol::Position;
use link::Link;
pub(crate) use link::{Connection, Server};

/// Joins nodes through Redis.
///
/// The address is a URL: `redis://host:6379`, `rediss://…` for TLS, `redis://user:password@…` for
/// an ACL user, `redis://…/2` for another database. Nodes that share a server and a prefix are one
/// cluster.
///
/// An ACL user needs the keys and channels that begin with the prefix and a colon; on a cluster of
/// servers also the keys that begin with an opening brace before that.
pub struct RedisBroker {
    server: Server,
    shown: String,
    commands: mpsc::UnboundedSender<Command>,
    queue: Mutex<Option<mpsc::UnboundedReceiver<Command>>>,
    /// The bytes of messages that were not sent yet.
    waiting: Arc<AtomicUsize>,
}

/// A node cannot use the Redis server that is set.
#[derive(Debug)]
pub struct ConnectError {
    address: String,
    cause: RedisError,
}

/// The commands of the node for the task that owns the connections.
enum Command {
    Publish(Vec<Publication>),
    /// A message for which there was no room.
    Overflow {
        channel: Arc<str>,
    },
    Subscribe {
        channel: Arc<str>,
        effective: Option<oneshot::Sender<()>>,
    },
    Unsubscribe {
        channel: Arc<str>,
    },
    Directory {
        key: String,
        change: Entry,
        done: Done,
    },
    Append {
        log: String,
        message: Bytes,
        keep: Keep,
        once: Option<Once>,
        done: logs::Done<Appended>,
    },
    Read {
        log: String,
        keep: Keep,
        done: logs::Done<Slice>,
    },
    Trim {
        log: String,
        to: Option<Position>,
        keep: Keep,
        done: logs::Done<u64>,
    },
}

type Done = oneshot::Sender<Result<Option<Bytes>, Unavailable>>;

impl RedisBroker {
    /// Looks whether the server can be used. Call it in a runtime of Tokio, as `#[actix_web::main]`
    /// is.
    ///
    /// # Errors
    /// When it cannot; the error states the address and the cause.
    pub async fn connect(url: &str) -> Result<Self, ConnectError> {
        Self::connect_with_prefix(url, "bowline").await
    }

    /// As [`Self::connect`], for one of several clusters on the same server. All keys and channels
    /// begin with the prefix and a colon.
    ///
    /// # Errors
    /// As [`Self::connect`].
    pub async fn connect_with_prefix(url: &str, prefix: &str) -> Result<Self, ConnectError> {
        let (info, shown) = address(url)?;
        let failed = |cause| ConnectError { address: shown.clone(), cause };
        let server = Server::probe(info, prefix).await.map_err(failed)?;
        let (commands, queue) = mpsc::unbounded_channel();
        let queue = Mutex::new(Some(queue));
        Ok(Self { server, shown, commands, queue, waiting: Arc::default() })
    }

    fn send(&self, command: Command) {
        // The task ends only with the node.
        let _ = self.commands.send(command);
    }
}

impl Broker for RedisBroker {
    fn run(&self, deliver: Deliver) -> BoxFuture<'static, ()> {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
        let driver = Driver {
            server: self.server.clone(),
            shown: self.shown.clone(),
            queue: queue.expect("a broker is run once"),
            waiting: Arc::clone(&self.waiting),
            wanted: HashSet::new(),
            not_effective: Vec::new(),
            deliver,
        };
        driver.run().boxed()
    }

    fn publish(&self, messages: Vec<Publication>) {
        let bytes = messages.iter().map(|one| one.message.len()).sum();
        if self.waiting.fetch_add(bytes, Ordering::Relaxed) > MAX_WAITING {
            self.waiting.fetch_sub(bytes, Ordering::Relaxed);
            for Publication { channel, .. } in messages {
                self.send(Command::Overflow { channel });
            }
            return;
        }
        self.send(Command::Publish(messages));
    }

    fn subscribe(&self, channel: &str, effective: Option<oneshot::Sender<()>>) {
        self.send(Command::Subscribe { channel: channel.into(), effective });
    }

    fn unsubscribe(&self, channel: &str) {
        self.send(Command::Unsubscribe { channel: channel.into() });
    }

    fn directory(
        &self,
        key: &str,
        change: Entry,
    ) -> BoxFuture<'static, Result<Option<Bytes>, Unavailable>> {
        let (done, outcome) = oneshot::channel();
        self.send(Command::Directory { key: key.to_owned(), change, done });
        async move { outcome.await.unwrap_or(Err(Unavailable)) }.boxed()
    }

    fn append(
        &self,
        log: &str,
        message: Bytes,
        keep: Keep,
        once: Option<Once>,
    ) -> BoxFuture<'static, Result<Appended, Unavailable>> {
        let (done, outcome) = oneshot::channel();
        self.send(Command::Append { log: log.to_owned(), message, keep, once, done });
        async move { outcome.await.unwrap_or(Err(Unavailable)) }.boxed()
    }

    fn read(&self, log: &str, keep: Keep) -> BoxFuture<'static, Result<Slice, Unavailable>> {
        let (done, outcome) = oneshot::channel();
        self.send(Command::Read { log: log.to_owned(), keep, done });
        async move { outcome.await.unwrap_or(Err(Unavailable)) }.boxed()
    }

    fn trim(
        &self,
        log: &str,
        to: Option<Position>,
        keep: Keep,
    ) -> BoxFuture<'static, Result<u64, Unavailable>> {
        let (done, outcome) = oneshot::channel();
        self.send(Command::Trim { log: log.to_owned(), to, keep, done });
        async move { outcome.await.unwrap_or(Err(Unavailable)) }.boxed()
    }
}

/// Owns the connections, and opens them again.
struct Driver {
    server: Server,
    shown: String,
    queue: mpsc::UnboundedReceiver<Command>,
    waiting: Arc<AtomicUsize>,
    /// The channels that the node listens to.
    wanted: HashSet<Arc<str>>,
    /// Who waits for a subscription that was requested without a connection.
    not_effective: Vec<oneshot::Sender<()>>,
    deliver: Deliver,
}

impl Driver {
    async fn run(mut self) {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.connect().await {
                Ok(link) => {
                    pause = FIRST_PAUSE;
                    (self.deliver)(Delivery::Up);
                    let error = self.serve(link).await;
                    (self.deliver)(Delivery::Down);
                    let Some(error) = error else { return };
                    log::warn!("the connection to Redis at {} is lost: {error}", self.shown);
                }
                Err(error) => {
                    log::warn!("Redis at {} cannot be reached: {error}", self.shown);
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
            let over = sleep(pause);
            tokio::pin!(over);
            loop {
                tokio::select! {
                    () = &mut over => break,
                    command = self.queue.recv() => match command {
                        Some(command) => self.refuse(command),
                        None => return,
                    },
                }
            }
        }
    }

    async fn connect(&mut self) -> Result<Link, RedisError> {
        let mut link = self.server.connect(&self.deliver).await?;
        link.subscribe(self.wanted.iter()).await?;
        for effective in self.not_effective.drain(..) {
            let _ = effective.send(());
        }
        Ok(link)
    }

    /// Without a connection.
    fn refuse(&mut self, command: Command) {
        match command {
            Command::Publish(messages) => {
                self.under_way(&messages);
                self.unsent(messages);
            }
            Command::Overflow { channel } => (self.deliver)(Delivery::Unsent { channel }),
            Command::Subscribe { channel, effective } => {
                self.wanted.insert(channel);
                self.not_effective.extend(effective);
            }
            Command::Unsubscribe { channel } => {
                self.wanted.remove(&channel);
            }
            Command::Directory { done, .. } => drop(done.send(Err(Unavailable))),
            Command::Append { done, .. } => drop(done.send(Err(Unavailable))),
            Command::Read { done, .. } => drop(done.send(Err(Unavailable))),
            Command::Trim { done, .. } => drop(done.send(Err(Unavailable))),
        }
    }

    /// Serves until the connection breaks, and returns the reason; `None` when the node has been
    /// dropped.
    async fn serve(&mut self, mut link: Link) -> Option<RedisError> {
        let mut commands = Vec::new();
        loop {
            tokio::select! {
                error = link.broken() => return Some(error),
                count = self.queue.recv_many(&mut commands, PIPELINE) => {
                    if count == 0 {
                        return None;
                    }
                }
            }
            if let Err(error) = self.work(&mut link, &mut commands).await {
                return Some(error);
            }
        }
    }

    /// Subscriptions are sent first, so that a node receives what it publishes after them.
    async fn work(
        &mut self,
        link: &mut Link,
        commands: &mut Vec<Command>,
    ) -> Result<(), RedisError> {
        // The channels that a command names, and whether the node listened to them before.
        let mut touched: HashMap<Arc<str>, bool> = HashMap::new();
        let (mut effective, mut messages) = (Vec::new(), Vec::new());
        for command in commands.drain(..) {
            match command {
                Command::Publish(together) => {
                    self.under_way(&together);
                    messages.extend(together);
                }
                Command::Overflow { channel } => (self.deliver)(Delivery::Unsent { channel }),
                Command::Subscribe { channel, effective: told } => {
                    let is_new = self.wanted.insert(Arc::clone(&channel));
                    touched.entry(channel).or_insert(!is_new);
                    effective.extend(told);
                }
                Command::Unsubscribe { channel } => {
                    let was_there = self.wanted.remove(&channel);
                    touched.entry(channel).or_insert(was_there);
                }
                Command::Directory { key, change, done } => link.directory(key, change, done),
                Command::Append { log, message, keep, once, done } => {
                    link.append(&log, &message, keep, once, done);
                }
                Command::Read { log, keep, done } => link.read(&log, keep, done),
                Command::Trim { log, to, keep, done } => link.trim(&log, to, keep, done),
            }
        }
        if let Err(error) = self.listen(link, &touched).await {
            self.not_effective.extend(effective);
            self.unsent(messages);
            return Err(error);
        }
        for told in effective {
            let _ = told.send(());
        }
        let outcome = link.publish(&messages).await;
        match outcome {
            Ok(heard) => {
                for (message, count) in messages.into_iter().zip(heard) {
                    let _ = message.heard.map(|heard| heard.send(count));
                }
                Ok(())
            }
            Err(error) => {
                self.unsent(messages);
                // A server that refuses a command, for example for lack of memory, is still
                // reachable.
                let refused =
                    error.kind() == redis::ErrorKind::Server(redis::ServerErrorKind::ResponseError);
                if refused {
                    limited!("Redis refused a message: {error}")
                }
                if refused { Ok(()) } else { Err(error) }
            }
        }
    }

    /// Sends the server the changes of subscriptions.
    async fn listen(
        &self,
        link: &mut Link,
        touched: &HashMap<Arc<str>, bool>,
    ) -> Result<(), RedisError> {
        let changed = |listens: bool| {
            let matching = touched.iter().filter(move |(channel, before)| {
                **before != listens && self.wanted.contains(*channel) == listens
            });
            matching.map(|(channel, _)| channel)
        };
        link.unsubscribe(changed(false)).await?;
        link.subscribe(changed(true)).await
    }

    /// Nobody waits for these any more.
    fn under_way(&self, messages: &[Publication]) {
        let bytes = messages.iter().map(|one| one.message.len()).sum();
        self.waiting.fetch_sub(bytes, Ordering::Relaxed);
    }

    fn unsent(&self, messages: Vec<Publication>) {
        for Publication { channel, .. } in messages {
            (self.deliver)(Delivery::Unsent { channel });
        }
    }
}

/// The address in a URL, and its form without secrets.
pub(crate) fn address(url: &str) -> Result<(ConnectionInfo, String), ConnectError> {
    let failed = |cause| ConnectError { address: masked(url).to_owned(), cause };
    let info = url.into_connection_info().map_err(failed)?;
    let shown = info.addr().to_string();
    let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
    Ok((info.set_redis_settings(settings), shown))
}

/// The part of a URL without the password.
fn masked(url: &str) -> &str {
    url.rsplit('@').next().unwrap_or_default()
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, cause } = self;
        write!(
            f,
            "Redis at {address} cannot be used: {cause}; start it there (redis-server, version 7 \
                or \
             newer), or give the address of one, such as redis://127.0.0.1:6379"
        )
    }
}

impl std::error::Error for ConnectError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.cause)
    }
}

impl fmt::Debug for RedisBroker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisBroker").field("address", &self.shown).finish_non_exhaustive()
    }
}

/// The most commands of one pipeline.
const PIPELINE: usize = 512;
/// The most bytes of messages that wait for Redis; beyond it they count as not sent.
const MAX_WAITING: usize = 64 * 1024 * 1024;
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
