//! The two connections, to one server or to a cluster of servers.

#![expect(
    clippy::disallowed_methods,
    reason = "one task for each connection to Redis, whose steps have deadlines"
)]

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::{join_all, try_join_all};
use redis::aio::MultiplexedConnection;
use redis::cluster::{ClusterClient, ClusterClientBuilder};
use redis::cluster_async::ClusterConnection;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionInfo, ErrorKind, Pipeline, ProtocolVersion,
    PushInfo, PushKind, RedisError, Value, cmd,
};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::Done;
use crate::broker::{Deliver, Delivery, Entry, Publication, Unavailable};
use crate::complaints::limited;

/// The server of the connections.
#[derive(Clone)]
pub(crate) struct Server {
    info: ConnectionInfo,
    prefix: Arc<str>,
    is_cluster: bool,
}

/// Open connections.
pub(super) struct Link {
    commands: Connection,
    subscriptions: Connection,
    prefix: Arc<str>,
    broken: mpsc::UnboundedReceiver<RedisError>,
}

/// A connection for commands.
#[derive(Clone)]
pub(crate) enum Connection {
    One(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Server {
    /// Queries the server's version and kind.
    pub(crate) async fn probe(info: ConnectionInfo, prefix: &str) -> Result<Self, RedisError> {
        let client = Client::open(info.clone())?;
        let config = config();
        let mut probe = client.get_multiplexed_async_connection_with_config(&config).await?;
        let about: String = patiently(cmd("INFO").arg("cluster").query_async(&mut probe)).await?;
        let is_cluster = about.contains("cluster_enabled:1");
        Ok(Self { info, prefix: prefix.into(), is_cluster })
    }

    /// Connects for commands alone.
    pub(crate) async fn commands(&self) -> Result<Connection, RedisError> {
        if self.is_cluster {
            let client = self.cluster_client(|builder| builder)?;
            return client.get_async_connection().await.map(Connection::Cluster);
        }
        let client = Client::open(self.info.clone())?;
        let connection = client.get_multiplexed_async_connection_with_config(&config()).await?;
        Ok(Connection::One(connection))
    }

    /// Connects. `deliver` receives messages from now on.
    pub(super) async fn connect(&self, deliver: &Deliver) -> Result<Link, RedisError> {
        let (break_off, broken) = mpsc::unbounded_channel();
        let silent = break_off.clone();
        let (deliver, prefix) = (Arc::clone(deliver), Arc::clone(&self.prefix));
        let take = move |push: PushInfo| {
            match push.kind {
                PushKind::Disconnection => {
                    let _ = break_off.send((ErrorKind::Io, "the server closed it").into());
                }
                PushKind::Message | PushKind::SMessage => {
                    if let Some((channel, message)) = message(push.data, &prefix) {
                        deliver(Delivery::Message { channel, message });
                    }
                }
                _ => {}
            }
            Ok::<(), ()>(())
        };
        let commands = self.commands().await?;
        let subscriptions = if self.is_cluster {
            let pushed = self.cluster_client(|builder| builder.push_sender(take))?;
            Connection::Cluster(pushed.get_async_connection().await?)
        } else {
            let client = Client::open(self.info.clone())?;
            let config = config().set_push_sender(take);
            let pushed = client.get_multiplexed_async_connection_with_config(&config).await?;
            Connection::One(pushed)
        };
        tokio::spawn(watch(subscriptions.clone(), silent));
        Ok(Link { commands, subscriptions, prefix: Arc::clone(&self.prefix), broken })
    }

    pub(crate) const fn is_cluster(&self) -> bool {
        self.is_cluster
    }

    fn cluster_client(
        &self,
        set: impl FnOnce(ClusterClientBuilder) -> ClusterClientBuilder,
    ) -> Result<ClusterClient, RedisError> {
        let builder = ClusterClientBuilder::new([self.info.clone()])
            .use_protocol(ProtocolVersion::RESP3)
            .connection_timeout(CONNECT_TIMEOUT)
            .response_timeout(RESPONSE_TIMEOUT)
            // A command without an answer may have been executed: the message would exist twice.
            .retries(0);
        set(builder).build()
    }
}

impl Link {
    /// Resolves when the subscriptions' connection is lost, or does not answer any more.
    pub(super) async fn broken(&mut self) -> RedisError {
        let error = self.broken.recv().await;
        error.unwrap_or_else(|| (ErrorKind::Io, "it is gone").into())
    }

    pub(super) async fn subscribe<'a>(
        &mut self,
        channels: impl Iterator<Item = &'a Arc<str>>,
    ) -> Result<(), RedisError> {
        self.listen(channels, true).await
    }

    pub(super) async fn unsubscribe<'a>(
        &mut self,
        channels: impl Iterator<Item = &'a Arc<str>>,
    ) -> Result<(), RedisError> {
        self.listen(channels, false).await
    }

    async fn listen<'a>(
        &mut self,
        channels: impl Iterator<Item = &'a Arc<str>>,
        wanted: bool,
    ) -> Result<(), RedisError> {
        let names: Vec<String> = channels.map(|channel| self.name(channel)).collect();
        match &self.subscriptions {
            Connection::One(connection) => {
                for some in names.chunks(CHANNELS) {
                    let mut connection = connection.clone();
                    if wanted {
                        patiently(connection.subscribe(some)).await?;
                    } else {
                        patiently(connection.unsubscribe(some)).await?;
                    }
                }
            }
            Connection::Cluster(connection) => {
                // Each channel belongs to one of the servers.
                let each = names.iter().map(|name| {
                    let mut connection = connection.clone();
                    async move {
                        if wanted {
                            connection.ssubscribe(name).await
                        } else {
                            connection.sunsubscribe(name).await
                        }
                    }
                });
                try_join_all(each).await?;
            }
        }
        Ok(())
    }

    /// Publishes in order. Returns how many nodes received each.
    pub(super) async fn publish(
        &mut self,
        messages: &[Publication],
    ) -> Result<Vec<usize>, RedisError> {
        if messages.is_empty() {
            return Ok(Vec::new());
        }
        let name = |channel| self.name(channel);
        match &self.commands {
            Connection::One(connection) => {
                let mut pipeline = Pipeline::with_capacity(messages.len());
                for Publication { channel, message, .. } in messages {
                    pipeline.cmd("PUBLISH").arg(name(channel)).arg(&**message);
                }
                patiently(pipeline.query_async(&mut connection.clone())).await
            }
            Connection::Cluster(connection) => {
                let mut by_channel: HashMap<&Arc<str>, Vec<usize>> = HashMap::new();
                for (index, message) in messages.iter().enumerate() {
                    by_channel.entry(&message.channel).or_default().push(index);
                }
                let each = by_channel.into_iter().map(|(channel, indices)| {
                    let (mut connection, name) = (connection.clone(), name(channel));
                    async move {
                        let mut counts = Vec::with_capacity(indices.len());
                        for index in indices {
                            let mut command = cmd("SPUBLISH");
                            command.arg(&name).arg(&*messages[index].message);
                            let count: usize = command.query_async(&mut connection).await?;
                            counts.push((index, count));
                        }
                        Ok::<_, RedisError>(counts)
                    }
                });
                let mut heard = vec![0; messages.len()];
                for counts in join_all(each).await {
                    for (index, count) in counts? {
                        heard[index] = count;
                    }
                }
                Ok(heard)
            }
        }
    }

    /// Reads or changes an entry, concurrently with everything else.
    pub(super) fn directory(&self, key: String, change: Entry, done: Done) {
        let (connection, key) = (self.commands.clone(), format!("{}:{key}", self.prefix));
        tokio::spawn(async move {
            let outcome = entry(connection, &key, change).await;
            let _ = done.send(outcome.map_err(|error| {
                limited!(warn: "the directory in Redis: {error}");
                Unavailable
            }));
        });
    }

    /// The name of a channel or a key on the server.
    pub(super) fn name(&self, channel: &str) -> String {
        format!("{}:{channel}", self.prefix)
    }

    /// The connection for commands.
    pub(super) fn commands(&self) -> Connection {
        self.commands.clone()
    }

    pub(super) const fn publish_command(&self) -> &'static str {
        match self.commands {
            Connection::One(_) => "PUBLISH",
            Connection::Cluster(_) => "SPUBLISH",
        }
    }
}

/// Pings the connection from time to time, until it does not answer, or the receiver is dropped.
async fn watch(mut connection: Connection, silent: mpsc::UnboundedSender<RedisError>) {
    while timeout(BETWEEN_PINGS, silent.closed()).await.is_err() {
        if let Err(error) = connection.query::<Value>(&cmd("PING")).await {
            let _ = silent.send(error);
            return;
        }
    }
}

impl Connection {
    pub(crate) async fn query<T: redis::FromRedisValue>(
        &mut self,
        command: &Cmd,
    ) -> Result<T, RedisError> {
        match self {
            Self::One(connection) => patiently(command.query_async(connection)).await,
            Self::Cluster(connection) => command.query_async(connection).await,
        }
    }
}

async fn entry(
    mut connection: Connection,
    key: &str,
    change: Entry,
) -> Result<Option<Bytes>, RedisError> {
    let set = |value: &Bytes, ttl: Duration| {
        let mut command = cmd("SET");
        let millis = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).max(1);
        command.arg(key).arg(&**value).arg("PX").arg(millis);
        command
    };
    match change {
        Entry::Read => {}
        Entry::Write(value, ttl) => {
            connection.query::<()>(&set(&value, ttl)).await?;
            return Ok(Some(value));
        }
        Entry::Claim(value, ttl) => {
            let won: Option<String> = connection.query(set(&value, ttl).arg("NX")).await?;
            if won.is_some() {
                return Ok(Some(value));
            }
        }
        Entry::Remove => {
            connection.query::<()>(cmd("DEL").arg(key)).await?;
            return Ok(None);
        }
    }
    let found: Option<Vec<u8>> = connection.query(cmd("GET").arg(key)).await?;
    Ok(found.map(Bytes::from))
}

/// The channel, without the prefix, and what was published.
fn message(data: Vec<Value>, prefix: &str) -> Option<(Arc<str>, Bytes)> {
    let [Value::BulkString(channel), Value::BulkString(message)] =
        <[Value; 2]>::try_from(data).ok()?
    else {
        return None;
    };
    let channel = std::str::from_utf8(&channel).ok()?;
    let channel = channel.strip_prefix(prefix)?.strip_prefix(':')?;
    Some((channel.into(), message.into()))
}

/// The outcome of a command, unless it takes longer than [`RESPONSE_TIMEOUT`].
///
/// Waits in turns: if this process was suspended or had no processor, only one turn has passed when
/// it continues, and the answer that has arrived meanwhile is read in the next.
async fn patiently<T>(
    outcome: impl Future<Output = Result<T, RedisError>>,
) -> Result<T, RedisError> {
    let mut outcome = pin!(outcome);
    for _ in 0..TURNS {
        if let Ok(outcome) = timeout(RESPONSE_TIMEOUT / TURNS, &mut outcome).await {
            return outcome;
        }
    }
    Err((ErrorKind::Io, "no answer came in time").into())
}

fn config() -> AsyncConnectionConfig {
    // `patiently` counts how long an answer may take.
    AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT_TIMEOUT))
        .set_response_timeout(None)
}

/// The most channels in one command.
const CHANNELS: usize = 1_000;
/// A silent connection is detected after this time and [`RESPONSE_TIMEOUT`].
const BETWEEN_PINGS: Duration = Duration::from_secs(1);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(3);
/// The length of one turn of waiting for an answer.
const TURNS: u32 = 6;

#[cfg(test)]
mod tests {
    use redis::RedisError;
    use tokio::sync::oneshot;
    use tokio::time::{Instant, advance};

    use super::{RESPONSE_TIMEOUT, patiently};

    #[tokio::test(start_paused = true)]
    async fn a_node_that_stood_still_takes_the_answer_that_came_meanwhile() {
        let (answer, came) = oneshot::channel();
        let outcome = async { Ok::<_, RedisError>(came.await.expect("an answer comes")) };
        let waiting = tokio::spawn(patiently(outcome));
        tokio::task::yield_now().await;
        // The timers fire before the connection is read.
        advance(RESPONSE_TIMEOUT * 10).await;
        tokio::task::yield_now().await;
        answer.send(7).expect("it is waited for still");
        assert_eq!(waiting.await.expect("nothing panics").expect("it has come"), 7);
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_is_silent_is_given_up() {
        let begun = Instant::now();
        let silent = std::future::pending::<Result<(), RedisError>>();
        assert!(patiently(silent).await.is_err());
        let time = begun.elapsed();
        assert!((RESPONSE_TIMEOUT..RESPONSE_TIMEOUT * 2).contains(&time), "{time:?}");
    }
}
